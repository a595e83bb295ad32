"""The live view in a terminal; no other room imports `rich`. It may import all rooms but `cli`."""
