"""The forms that an answer can take: one module each, all from the same judgement.

Pure: it may import `health` and what is below.
"""
