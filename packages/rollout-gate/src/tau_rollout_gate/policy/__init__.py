"""The policy as data: phases, gates, triggers, and what lint finds in them.

Pure: it may import `evidence` and `contract`.
"""
