"""The judgement: healthy, degraded or failing, why, and what to do.

Pure: it may import `log` and `contract`.
"""
