"""Decodes the lines of an event log with msgspec, one by one, and nothing besides.

The yardstick of what decides by events: `bare_decode.py LOG TIMES`; with 0 the log is not read,
which is what is taken off.
"""

import sys
from pathlib import Path

import msgspec

# Of a line of the runtime, by type; written out, so that the yardstick stays what it is.
_COUNTERS = """
timestamp_unix_ms cycle_number discovered_cases queued_cases applied_cases duplicate_skips
malformed_cases unexpected_malformed_cases retryable_failures retry_attempts failed_cases
upserted_commands deleted_commands executed_runs run_timeout_failures run_non_zero_exit_failures
run_spawn_failures run_missing_command_failures backlog_cases failure_streak cycle_duration_ms
"""
_TEXTS = "cycle_id run_mode health_state health_reason fixture_name fixture_sha256 runtime_version"
_Event = msgspec.defstruct(
    "_Event",
    [
        *((name, int) for name in _COUNTERS.split()),
        *((name, str) for name in _TEXTS.split()),
        ("reason_codes", tuple[str, ...]),
        ("previous_sha256", str | None),
        ("recovered", bool),
    ],
)


def main() -> None:
    """Decode each line, one after the other."""
    decode = msgspec.json.Decoder(_Event).decode
    for _ in range(int(sys.argv[2])):
        with Path(sys.argv[1]).open("rb") as file:
            for line in file:
                decode(line)


if __name__ == "__main__":
    main()
