"""Reads the state files of a transport and says how it is, why, and what to do.

The public interface is the command `tau-transport-health`, what it prints, and the version.
"""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
