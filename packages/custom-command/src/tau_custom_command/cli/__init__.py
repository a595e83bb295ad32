"""The command line: options, commands, and what people see. It may import every room below it."""
