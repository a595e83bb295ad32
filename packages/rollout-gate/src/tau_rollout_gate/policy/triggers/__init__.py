"""The rollback triggers that a policy can have: one module for each kind, and one line in `kinds`."""
