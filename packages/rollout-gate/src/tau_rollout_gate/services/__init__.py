"""One module for each thing that somebody asks for: evaluate, advance, roll back, replay.

A service reads by `files` and decides by the pure rooms; it may import every room but `cli`.
"""
