"""The command line: options and commands. It may import every room below it."""
