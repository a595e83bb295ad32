"""The event log as a stream: decoded, counted, its chain followed.

Pure: it may import `contract`.
"""
