"""The commands; `app` names the function of each, which is imported when it is called.

A command that is slow to import imports in its function what is slow, since `--help` imports all.
"""
