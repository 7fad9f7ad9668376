"""Stands in for the chip's ticks: time passes only when something is done, so a busy computer changes nothing."""

now_us = 0


def ticks_us():
    global now_us
    now_us += 10
    return now_us


def ticks_ms():
    return now_us // 1000


def ticks_diff(a, b):
    return a - b


def sleep_ms(pause_ms):
    global now_us
    now_us += pause_ms * 1000
