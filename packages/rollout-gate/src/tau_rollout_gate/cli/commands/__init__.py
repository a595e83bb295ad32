"""The commands: a module for each, or for each group; its functions' parameters are the options.

`app` names them; a module is imported when its command is called.
"""
