"""Measures how fast the programs are: each row against a yardstick that is measured with it.

Prints a table of medians (with the least and the most), ratios and bounds, and exits with 1 if a
row is above its bound. What a row is and what it was found to be: runbooks/performance.md.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.bench.cycles import creating, duplicates, listing, memory
from scripts.bench.durable import durability
from scripts.bench.executions import executing
from scripts.bench.fleets import fleet
from scripts.bench.logs import deciding, long_log, replaying
from scripts.bench.measure import Measured, Spread, measured
from scripts.bench.place import Benchmark, Place
from scripts.bench.starts import start_up

BENCHMARKS: Mapping[str, Benchmark] = {
    "start-up": start_up,
    "create": creating,
    "list": listing,
    "duplicates": duplicates,
    "memory": memory,
    "log": long_log,
    "gate": deciding,
    "replay": replaying,
    "fleet": fleet,
    "execute": executing,
    "durability": durability,
}
MEMORY = Path("/dev/shm")  # noqa: S108 - made there are folders of a random name
SMALL = 50
SMALL_ROUNDS = 3
WORSE = 2.0
"""From how many times its former ratio on a row counts as having become slower."""


def main() -> int:
    """Measure, print, return the exit code."""
    arguments = _arguments()
    names = arguments.name or list(BENCHMARKS)
    former = _ratios(json.loads(arguments.compare.read_text())) if arguments.compare else None
    rows: list[Measured] = []
    if not arguments.json:
        print(_HEADINGS)
    for row in _measured(names, small=arguments.small, rounds=arguments.rounds):
        rows.append(row)
        if not arguments.json:
            print(_line(row, former), flush=True)
    if arguments.json:
        print(json.dumps({"rows": [_document(row) for row in rows]}, indent=2))
    if former is not None:
        slower = [row for row in rows if _is_slower(row, former)]
        for row in slower:
            print(f"{row.row.name}: more than {WORSE:g} times what it was", file=sys.stderr)
        return 1 if slower else 0
    return 0 if all(row.is_met for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench.sh", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("name", nargs="*", help=f"one of {', '.join(BENCHMARKS)} [default: all]")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--small", action="store_true", help="a small form, in under a minute")
    parser.add_argument("--rounds", type=int, help="how often each row is measured")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="FILE",
        help=f"what --json printed before: 1 only if a ratio is {WORSE:g} times what it was there",
    )
    arguments = parser.parse_args()
    if strange := [name for name in arguments.name if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {strange[0]!r}: {', '.join(BENCHMARKS)}")
    return arguments


def _measured(names: list[str], *, small: bool, rounds: int | None) -> Iterator[Measured]:
    in_memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    if in_memory is None:
        print("there is no file system in memory here: the disk is measured too", file=sys.stderr)
    rounds = rounds or (SMALL_ROUNDS if small else None)
    for name in names:
        with (
            tempfile.TemporaryDirectory(dir=in_memory) as folder,
            tempfile.TemporaryDirectory() as disk,
        ):
            place = Place(Path(folder), Path(disk), SMALL if small else 1)
            for row in BENCHMARKS[name](place):
                # The bounds are of the full form: in the small one, start-up is most of it.
                bound = row._replace(most=None, most_megabytes=None) if small else row
                yield measured(bound, rounds)


_HEADINGS = (
    f"{'':4}  {'what':<42}  {'seconds (least, most)':<22}  {'yardstick':<36}"
    f"  {'seconds':>7}  {'ratio':>6}  {'most':>5}  memory"
)


def _line(taken: Measured, former: Mapping[str, float] | None) -> str:
    row, ours = taken.row, taken.ours
    limit = "" if row.most_megabytes is None else f" of {row.most_megabytes:.0f}"
    most = "" if row.most is None else f"{row.most:.4g}"
    before = former.get(row.name) if former is not None else None
    return (
        f"{'ok' if taken.is_met else 'SLOW':4}  {row.name:<42}"
        f"  {f'{ours.median:.3f} ({ours.least:.3f}, {ours.most:.3f})':<22}"
        f"  {row.yardstick_name:<36}  {taken.yardstick.median:>7.3f}  {taken.ratio:>6.2f}"
        f"  {most:>5}  {taken.megabytes:.0f}{limit} MB"
        f"{'' if before is None else f', was {before:.2f}'}"
    )


def _document(taken: Measured) -> dict[str, object]:
    row = taken.row
    return {
        "name": row.name,
        "yardstick": row.yardstick_name,
        "seconds": _figures(taken.ours),
        "yardstick_seconds": _figures(taken.yardstick),
        "by": "clock" if row.by_clock else "cpu",
        "ratio": round(taken.ratio, 3),
        "most": row.most,
        "megabytes": round(taken.megabytes, 1),
        "most_megabytes": row.most_megabytes,
        "met": taken.is_met,
    }


def _figures(spread: Spread) -> dict[str, float]:
    return {name: round(figure, 4) for name, figure in spread._asdict().items()}


def _ratios(document: Mapping[str, list[Mapping[str, object]]]) -> dict[str, float]:
    return {str(row["name"]): float(str(row["ratio"])) for row in document["rows"]}


def _is_slower(taken: Measured, former: Mapping[str, float]) -> bool:
    before = former.get(taken.row.name)
    return before is not None and taken.ratio > WORSE * before


if __name__ == "__main__":
    sys.exit(main())
