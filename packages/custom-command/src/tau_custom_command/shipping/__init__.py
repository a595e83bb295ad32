"""Sends what a cycle left to a directory or an object store, where others judge many hosts by it.

It may import `storage`, `cycle` and what these may import.
"""
