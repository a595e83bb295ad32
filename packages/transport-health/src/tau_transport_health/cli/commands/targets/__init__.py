"""See and name targets."""
