"""A command of this program that is to be typed next, whole: it works as it is printed."""

import shlex

PROGRAM = "tau-custom-command"


def hint(*words: str, state_dir: str) -> str:
    """A command about a state directory, as a shell reads it, in the folder that this runs in.

    What the environment says holds in that shell, too; what was given as an option has to be among
    the words.
    """
    return shlex.join([PROGRAM, *words, "--state-dir", state_dir])
