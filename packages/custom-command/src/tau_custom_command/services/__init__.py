"""A module for each thing that an operator asks for: run a cycle, approve, accept, pause and so on.

A service puts the pure rooms and the storage together; it may import every room but `cli`.
"""
