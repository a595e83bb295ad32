"""What commands do where a rollout is of a fleet."""
