"""Commands as data: fixtures in, verified state files out.

The public interface is the command `tau-custom-command`, the files that it leaves and the version.
"""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
