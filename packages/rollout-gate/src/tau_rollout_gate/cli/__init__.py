"""The command line: options, commands, output. It may import every room below it."""
