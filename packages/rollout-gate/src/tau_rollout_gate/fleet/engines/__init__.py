"""Engines: where the chunks of a fleet are judged. Each has one function, `run`.

An engine is never in the answer: the bytes that come back are the same from each.
"""
