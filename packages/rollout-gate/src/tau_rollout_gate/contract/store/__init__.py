"""The forms of what stands in the store of a fleet: its sentinel, and what hosts ship."""
