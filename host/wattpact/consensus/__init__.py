"""CometBFT, which orders transactions among several hosts: its process, its files, and the requests both ways.

Nothing here knows what a transaction is: that is an Application's.
"""
