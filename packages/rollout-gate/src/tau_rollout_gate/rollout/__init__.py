"""A rollout's life: its start, its transitions, its ledger, and the simulation of one.

Pure: it may import `decision` and what is below.
"""
