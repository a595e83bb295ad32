"""The commands; `app` names the function of each, which is imported when it is called.

What is slow to import is imported within a function, since `--help` imports all the modules.
"""
