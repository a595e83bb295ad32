"""One module for each question: inspect, diagnose, report, channels.

A service reads by `files` and judges by `health`; it may import every room but `cli` and `watch`.
"""
