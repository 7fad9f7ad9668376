"""`make bench`: how fast and how large, each figure beside its reference, measured in the same run.

Times are medians over rounds that alternate the thing and its reference, so that a machine whose speed drifts slows
both. What is quoted is the ratio.
"""
