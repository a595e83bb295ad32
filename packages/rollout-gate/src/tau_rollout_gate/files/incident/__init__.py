"""The evidence of a rollback: what is captured, and the archive that keeps it."""
