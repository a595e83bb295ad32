"""Opens what may be huge, torn, replaced meanwhile, or no file at all. It judges nothing.

It may import `health` and what is below.
"""
