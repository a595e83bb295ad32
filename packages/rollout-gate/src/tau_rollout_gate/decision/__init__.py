"""From a policy, a rollout, its evidence and the time to an answer.

Pure: it may import `policy`, `evidence` and `contract`.
"""
