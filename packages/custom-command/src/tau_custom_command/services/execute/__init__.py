"""Execute mode: what may start, how it is attempted, and how a cycle goes through its cases.

It imports `execution`, which record mode has no use for: others import it only when it is needed.
"""
