"""Many hosts: which of them get a release, how each stands, and what follows for all of them.

Its modules are pure; the engines beside them are not. It may import `rollout` and what that may
import; the engines `files` too.
"""
