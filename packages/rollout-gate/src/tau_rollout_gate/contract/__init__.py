"""The forms of the files that are read and written (runbooks/state-files.md).

Pure: it imports only the modules beside the rooms.
"""
