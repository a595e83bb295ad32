"""The files: the rollout directory, the surfaces' state directories, named files, archives.

It may import `rollout` and what is below.
"""
