"""The commands: one module each, with a function `command` whose parameters are its options.

The groups in `cli` name them; a module is imported when its command is called, or listed by --help.
"""
