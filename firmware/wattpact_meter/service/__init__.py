"""The service start: what a person may do with a meter that does not run, such as giving it the settings of its Wi-Fi.

It is a program of its own, in a heap of 64 KiB, and imports nothing of the meter.
"""
