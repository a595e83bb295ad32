"""What `explain` says to type, typed by somebody who knows nothing else, gets a release on."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.rolling_out import ALL_SUCCESS, MINUTE, STATE_DIR, Release

BLANKS = {"FIXTURE": str(ALL_SUCCESS), "validation=REPORT": "validation=report.json"}
"""What stands in a command for something of one's own, and what it is here."""

Spoil = Callable[[Release], None]


def served(release: Release) -> None:
    """Have canary-1's gates hold for its soak."""
    release.enters_canary_1()
    for _ in range(2):
        release.cycle(after_ms=15 * MINUTE)


def changed(text: Callable[[bytes], bytes], name: str = "state.json") -> Spoil:
    """Change a file of the state directory, once the soak is served."""

    def spoil(release: Release) -> None:
        served(release)
        path = release.folder / STATE_DIR / name
        path.write_bytes(text(path.read_bytes()))

    return spoil


def lost(*names: str) -> Spoil:
    """Lose files of the state directory, once the soak is served."""

    def spoil(release: Release) -> None:
        served(release)
        for name in names:
            release.folder.joinpath(STATE_DIR, name).unlink()

    return spoil


def without_a_report(release: Release) -> None:
    """Leave preflight without its report, which lies there."""
    release.report(passed=16, failed=0)


def with_another_report(release: Release) -> None:
    """Have validated, but look at the report of another release at first."""
    other = {"release": "1.3.9", "total": 1, "passed": 1, "failed": 0}
    release.folder.joinpath("other.json").write_text(json.dumps(other))
    release.report(passed=16, failed=0)


def is_frozen(release: Release) -> None:
    """Have it frozen."""
    served(release)
    release.gate("freeze", "--reason", "the hall is moved", code=0)


def stopped(release: Release) -> None:
    """Have the runtime stand still for a day."""
    served(release)
    release.let_pass(24 * 60 * MINUTE)


LOG = "runtime-events.jsonl"
SITUATIONS: dict[str, Spoil] = {
    "no report": without_a_report,
    "another report": with_another_report,
    "frozen": is_frozen,
    "soaking": Release.enters_canary_1,
    "stopped": stopped,
    "state lost": lost("state.json"),
    "log lost": lost(LOG),
    "both lost": lost("state.json", LOG),
    "state damaged": changed(lambda _: b"{}"),
    "state edited": changed(lambda old: old.replace(b'"queue_depth":0', b'"queue_depth":1')),
    "line torn": changed(lambda old: old + b'{"schema_version":1,"ti', LOG),
    "line cut off": changed(lambda old: old[:-9], LOG),
    "line damaged": changed(lambda old: old + b"no JSON\n", LOG),
    "log edited": changed(lambda old: old.replace(b'"applied_cases":', b'"applied_cases" :'), LOG),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_typing_what_is_told_gets_a_release_on(name: str, tmp_path: Path) -> None:
    """In a few rounds, while the runtime's timer does its cycles; `advance` says so at the end."""
    release = Release(tmp_path)
    SITUATIONS[name](release)
    phase = release.rollout["phase"]
    given = ("--validation", "other.json") if name == "another report" else ()
    for _ in range(6):
        for command in told(release, *given):
            typed(release, command)
        if release.rollout["phase"] != phase:
            break
        release.cycle(after_ms=15 * MINUTE)
    assert release.rollout["phase"] != phase
    release.gate("verify", code=0)


def told(release: Release, *given: str) -> list[str]:
    """Return what is to be typed; nothing where the verdict is good, for then it is `advance`."""
    ended = release.ends("tau-rollout-gate", "explain", *given)
    below = ended.out.partition("WHAT TO TYPE NEXT\n")[2]
    found = [line.strip() for line in below.splitlines() if line.startswith("  tau-")]
    assert found, ended
    return found


def typed(release: Release, command: str) -> None:
    """Type a command, its blanks filled in, and then what it says itself, if it does."""
    words = [BLANKS.get(word, word) for word in shlex.split(command)]
    if words[1] == "run":
        release.let_pass(5 * MINUTE)
    ended = release.ends(*words)
    if "--yes does it" in ended.out + ended.err:
        ended = release.ends(*words, "--yes")
    if "'tau-custom-command recover " in ended.err:
        ended = release.ends("tau-custom-command", "recover")
    if f"or move {STATE_DIR} away to begin anew" in ended.err:
        release.folder.joinpath(STATE_DIR).rename(release.folder / "moved-away")
        ended = release.ends(*words)
    assert ended.code in {0, 3}, ended
