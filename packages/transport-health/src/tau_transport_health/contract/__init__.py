"""The state files as a tolerant reader sees them: unknown keys pass, wrong types do not.

Pure: it imports only the modules beside the rooms.
"""
