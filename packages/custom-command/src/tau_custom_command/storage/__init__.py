"""The state directory on disk: the lock, the journal, rotation, and how bytes reach the disk.

Of the package it imports the pure rooms alone: what is written is decided in `cycle`.
"""
