"""Decides from the state files alone whether a release may go on: promote, hold or roll back.

The public interface is the command `tau-rollout-gate`, what it prints, the files it leaves, and the
version.
"""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
