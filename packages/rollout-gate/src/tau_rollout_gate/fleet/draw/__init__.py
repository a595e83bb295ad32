"""Pure: who is on the roster, and which hosts the lot gives a phase. Leaves and `policy` below."""
