"""A rollout simulated from a recorded or a written history, by a virtual clock."""
