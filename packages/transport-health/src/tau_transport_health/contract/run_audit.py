"""What the channel's log of the runtime tells of an executed run.

The rules are the contract's (runbooks/state-files.md, "The channel store").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from tau_transport_health.contract import fields

LINES_SAID = 3
"""How many of the last lines that a command wrote to stderr are told."""

_CUT = "...<truncated:"
_INTEGER = fields.Rule(lambda value: type(value) is int, "must be an integer")
_OUTPUT = {"stdout": fields.TEXT, "working_directory": fields.TEXT, "output_is_lossy": fields.FLAG}
_OPTIONAL = frozenset({"signal", "left_behind", "working_directory", "output_is_lossy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAudit:
    """What an execution did; `exit_code` is None if it has none. Output is its beginning.

    `executed` says whether a process was started; `signal` is what it died of, None if of none;
    `left_behind` says whether it left processes behind, which were ended.
    """

    executed: fields.Flag
    command_line: fields.Text
    exit_code: Annotated[int | None, fields.or_null(_INTEGER)]
    stderr: fields.Text
    timed_out: fields.Flag
    duration_ms: fields.Count
    failure_reason: Annotated[str | None, fields.or_null(fields.TEXT)]
    signal: Annotated[int | None, _INTEGER] = None
    left_behind: fields.Flag = False

    @property
    def ending(self) -> str:
        """How the process ended, and after how long; empty where there was none, or none knows."""
        if self.timed_out:
            return f"timed out after {self.duration_ms} ms"
        if self.signal is not None:
            return f"died of signal {self.signal} after {self.duration_ms} ms"
        if self.exit_code is not None:
            return f"exit {self.exit_code} after {self.duration_ms} ms"
        return f"ended after {self.duration_ms} ms" if self.duration_ms else ""

    @property
    def reason(self) -> str:
        """Why it failed, where `ending` does not say so; else empty."""
        is_said = self.timed_out or self.failure_reason in {None, "non_zero_exit"}
        return "" if is_said else f"{self.failure_reason}"

    @property
    def said(self) -> tuple[str, ...]:
        """The last lines that are kept of its stderr, blank ones left out, as they stand there.

        Where the record holds its beginning alone, the last of them says how much follows.
        """
        text, cut, more = self.stderr.rpartition(_CUT)
        if not (cut and more.endswith(" bytes>")):
            text, cut, more = self.stderr, "", ""
        lines = [line.strip() for line in text.splitlines() if line.strip()][-LINES_SAID:]
        return (*lines, cut + more) if cut else tuple(lines)

    @property
    def remarks(self) -> Iterator[str]:
        """How it ended, why it failed, and what it left behind: what there is to say of it."""
        left = "left processes behind, which were ended" if self.left_behind else ""
        yield from filter(None, (self.ending, self.reason, left))


def parse_run_audit(value: object) -> RunAudit:
    """What a `run_audit` holds.

    Raises:
        FormRefusedError: if it is not of the contract's form; the text names the field.
    """
    return fields.made(RunAudit, value, "payload.run_audit", optional=_OPTIONAL, **_OUTPUT)
