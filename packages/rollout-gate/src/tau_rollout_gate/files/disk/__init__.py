"""Small steps on a disk: what is in the way set aside, folders made, what was written synced."""
