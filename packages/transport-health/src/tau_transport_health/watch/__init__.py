"""The live view in a terminal, the one room that imports `rich`. It may import `services`."""
