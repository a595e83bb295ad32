"""From the bytes of logs, states, reports and sign-offs to evidence.

Pure: it may import `contract`.
"""
