"""Where the hosts of a fleet leave their files: a tree of directories, or an object store."""
