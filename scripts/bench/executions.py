"""Commands that really run, against bare loops that start the same."""

import sys
from collections.abc import Iterator, Mapping

from scripts.bench.made import write_fixture
from scripts.bench.measure import Row, Side, take
from scripts.bench.place import HERE, Place, always, fresh_runs


def executing(place: Place) -> Iterator[Row]:
    """Commands that really run, against a bare loop that starts the same."""
    folder, runs = place.folder, place.scaled(1_000)
    options = ("--run-mode", "execute", "--no-policy-require-approval", "--max-parallel", "1")
    for profile, most in (("unrestricted", 1.6), ("restricted", 1.3)):
        fixture = write_fixture(folder / f"{profile}.json", _runs("true", profile, runs))
        confined = (*options, "--policy-sandbox-profile", profile)
        ours = Side(fresh_runs(folder, fixture, runs + 1, *confined))
        if profile == "unrestricted":
            bare = always("sh", "-c", f"seq {runs} | xargs -n1 true")
        else:
            bare = always(sys.executable, HERE / "bare_sandboxes.py", str(runs))
        against = "xargs" if profile == "unrestricted" else "a bare loop of bubblewrap"
        yield Row(f"{runs:,} RUNs, {profile}", against, most, ours, bare, by_clock=True)
    size = place.scaled(300_000_000)
    sides = [
        Side(fresh_runs(folder, write_fixture(folder / f"{name}.json", cases), 2, *options))
        for name, cases in (
            ("loud", _runs(f"head -c {size} /dev/zero", "unrestricted", 1)),
            ("silent", _runs("true", "unrestricted", 1)),
        )
    ]
    silent = max(take(sides[1].words()).megabytes for _ in range(3))
    bare = always("sh", "-c", f"head -c {size} /dev/zero | cat >/dev/null")
    yield Row(
        f"{size // 1_000_000} MB of output", "cat", None, sides[0], bare, silent + 5, rounds=3
    )


def _runs(template: str, profile: str, count: int) -> list[Mapping[str, object]]:
    create = {"template": template, "execution_policy": {"sandbox_profile": profile}}
    return [
        {
            "schema_version": 1,
            "case_id": f"{number:06d}",
            "command_name": "bench",
            "operation": "RUN" if number else "CREATE",
            "expected": {"outcome": "success", "status_code": 200 if number else 201},
            **({} if number else create),
        }
        for number in range(count + 1)
    ]
