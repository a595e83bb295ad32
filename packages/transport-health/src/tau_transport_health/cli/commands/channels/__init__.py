"""Look into the channel store."""
