"""The rollout directory, the surfaces' state directories, named files, and archives."""
