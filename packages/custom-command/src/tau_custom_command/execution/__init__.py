"""Runs commands for real: starts them confined, limited and watched, and reads what they write.

It imports `cycle` and the pure rooms below it, and knows nothing of the state directory.
"""
