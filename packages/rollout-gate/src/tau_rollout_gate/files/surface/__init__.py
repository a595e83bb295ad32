"""The files of a surface: its state directory, its log in segments, line by line."""
