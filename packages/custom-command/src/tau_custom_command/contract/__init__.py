"""The forms of the state files, which other programs read (runbooks/state-files.md).

Pure: of the package it may import `policy` and the modules beside the rooms.
"""
