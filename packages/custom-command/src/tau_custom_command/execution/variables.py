"""The runtime's own variables: which of them a command inherits, and which are masked."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from tau_custom_command.execution.secrets import Secrets, denied_variables


class Inheritance(NamedTuple):
    """What an unrestricted command inherits; and what it is denied, which is masked."""

    variables: Mapping[bytes, bytes]
    denied: Secrets


class Variables:
    """The runtime's variables, as they were when this was made: at the beginning of a cycle.

    What follows from them is worked out once for each set of denied names. To encode them for each
    process took a third of the time that a short command takes in all.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take them as they are now."""
        self._all = dict(environment)
        self._known: dict[frozenset[str], Inheritance] = {}

    def less(self, denied: frozenset[str]) -> Inheritance:
        """What is left of them without the names that are denied, in lower case; and what is not.

        Names are compared without regard to case.
        """
        if denied not in self._known:
            left = {
                os.fsencode(name): os.fsencode(value)
                for name, value in self._all.items()
                if name.lower() not in denied
            }
            self._known[denied] = Inheritance(left, denied_variables(denied, self._all))
        return self._known[denied]
