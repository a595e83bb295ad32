"""The rollback triggers that a policy can have: one module for each kind, a line in `kinds`."""
