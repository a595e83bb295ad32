"""Commands that only a fleet has: who gets a release, how each host stands, and its store."""
