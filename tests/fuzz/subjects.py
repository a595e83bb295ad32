"""What is fuzzed: the programs in a table, and where mutations start from."""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from typer.main import get_command

from tau_custom_command.cli import app as runtime_cli
from tau_rollout_gate.cli import app as gate_cli
from tau_transport_health.cli import app as inspector_cli
from tests.fuzz.guard import Program, call
from tests.fuzz.mutation import mutated_bytes, mutated_json, mutated_lines

_FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# Made once: typer would make the whole command line anew for each call, which is most of its time.
runtime = get_command(runtime_cli.app)
inspector = get_command(inspector_cli.app)
gate = get_command(gate_cli.app)
_ANSWER = frozenset({0, 3, 5})
_PLUGIN = frozenset({0, 1, 2, 3})

_VERDICT = frozenset({0, 3, 4})
_SURFACE = ("--surface", "custom-command={}")
_PAGE = ("--state-dir", "{}", "--output", "{}.html")
_LOG = ("--events", "{}/runtime-events.jsonl")

# To fuzz another reader of a state directory, add its line.
READERS = (
    Program(app=inspector, words=("inspect", "custom-command"), codes=_ANSWER),
    Program(app=inspector, words=("inspect", "custom-command", "--json"), codes=_ANSWER),
    Program(app=inspector, words=("status", "custom-command"), codes=_ANSWER),
    Program(app=inspector, words=("check", "custom-command"), codes=_PLUGIN),
    Program(app=inspector, words=("diagnose", "custom-command"), codes=_ANSWER),
    Program(app=inspector, words=("channels", "list", "custom-command"), codes=_ANSWER),
    Program(app=inspector, words=("channels", "show", "custom-command", "greet"), codes=_ANSWER),
    Program(app=inspector, words=("channels", "verify", "custom-command"), codes=_ANSWER),
    Program(app=inspector, words=("export", "custom-command"), codes=_ANSWER),
    Program(app=gate, words=("evaluate",), codes=_VERDICT, options=_SURFACE),
    Program(app=gate, words=("explain",), codes=_VERDICT, options=_SURFACE),
    Program(app=gate, words=("replay",), codes=_VERDICT | {5}, options=_LOG),
)
_SLOW_READER = Program(
    app=inspector, words=("report", "custom-command"), codes=_ANSWER, options=_PAGE
)
_OWNERS = (
    Program(app=runtime, words=("registry", "list"), codes=_ANSWER),
    Program(app=runtime, words=("recover",), codes=_ANSWER),
    Program(app=runtime, words=("channels", "repair", "--json"), codes=_ANSWER),
)
_MENDERS = (
    Program(app=runtime, words=("recover", "--yes"), codes=_ANSWER),
    Program(app=runtime, words=("channels", "repair", "--yes"), codes=_ANSWER),
)
_VALIDATE = Program(app=runtime, words=("validate",), codes=_ANSWER)
_RUN = Program(app=runtime, words=("run", "--no-fsync"), codes=_ANSWER)
_HUGE = 10**6
_SLOW_SHARE = 0.1
_ROTATING = ("--max-events-bytes", "1", "--max-channel-log-bytes", "1")


_START = ("--release", "1.1.0", "--rollback-to", "1.0.0", "--first-run", "custom-command")


class Subjects:
    """The inputs that mutations start from, made once in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._work = folder / "work"
        names = ("drift.json", "mixed-outcomes.json", "rollout-pass.json", "invalid/*.json")
        paths = [path for name in names for path in sorted((_FIXTURES / "contracts").glob(name))]
        self._fixtures = [path.read_bytes() for path in paths]
        self._fixture = folder / "small.json"
        self._fixture.write_bytes(_small_fixture())
        self._plain = folder / "plain"
        for suffix in "ab":
            self._run(self._plain, f"--case-suffix={suffix}")
        self._rotated = shutil.copytree(self._plain, folder / "rotated")
        for suffix in "cde":
            self._run(self._rotated, f"--case-suffix={suffix}", *_ROTATING)
        self._committed = shutil.copytree(self._plain, folder / "committed")
        _leave_in_journal(self._committed, self._rotated)
        self._open_rollout()

    def _open_rollout(self) -> None:
        """Open the rollout that the gate judges by: in canary-1, entered on an empty log."""
        rollout_dir, report = self._folder / "rollout", self._folder / "report.json"
        os.environ["TAU_ROLLOUT_GATE_ROLLOUT_DIR"] = str(rollout_dir)
        report.write_text('{"total": 1, "passed": 1, "failed": 0}')
        for words in (
            ("start", *_START),
            ("advance", "--validation", str(report)),
        ):
            program = Program(app=gate, words=words, codes=frozenset({0}), options=_SURFACE)
            if wrong := call(program, program.at(self._folder / "none")):
                raise RuntimeError(wrong)

    def fixture(self, random: Random) -> Path:
        """Return the path of a mutated fixture."""
        path = self._fresh() / "fixture.json"
        path.write_bytes(mutated_json(random.choice(self._fixtures), random))
        return path

    def state_directory(self, random: Random) -> Path:
        """Return the path of a mutated state directory."""
        start = random.choice((self._plain, self._rotated, self._committed))
        state_dir = shutil.copytree(start, self._fresh() / "state")
        for _ in range(random.choice((1, 1, 2, 4))):
            _mutate_a_file(state_dir, random)
        return state_dir

    def drive_fixture(self, path: Path, _random: Random) -> list[str | None]:
        """Put a fixture through the programs, and what it leaves; return what was wrong."""
        state_dir = self._work / "state"
        found = [call(_VALIDATE, [str(path)])]
        found += [call(_RUN, [str(path), "--state-dir", str(state_dir)]) for _ in range(2)]
        return found + (_each(READERS, state_dir) if state_dir.exists() else [])

    def drive_state_directory(self, state_dir: Path, random: Random) -> list[str | None]:
        """Put a state directory through the programs; return what was wrong."""
        options = random.choice(((), _ROTATING, ("--case-suffix", "new")))
        run = [str(self._fixture), "--state-dir", str(state_dir), *options]
        slow = (_SLOW_READER,) if random.random() < _SLOW_SHARE else ()
        found = _each((*READERS, *slow, *_OWNERS), state_dir)
        found.append(call(_RUN, run))
        found += _each((random.choice(_MENDERS),), state_dir)
        found.append(call(_RUN, run))
        if (state_dir / "state.json").is_file():  # validate waits at a pipe, as it should
            found.append(call(_VALIDATE, [str(state_dir / "state.json")]))
        return found + _each((random.choice(READERS),), state_dir)

    def keep(self, folder: Path, found: list[str]) -> None:
        """Keep the input as it is now, with what was wrong."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._work, folder, symlinks=True, copy_function=_kept)
        (folder / "found.txt").write_text("\n".join(found), encoding="utf-8", errors="replace")

    def _fresh(self) -> Path:
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        return self._work

    def _run(self, state_dir: Path, *options: str) -> None:
        wrong = call(_RUN, [str(self._fixture), "--state-dir", str(state_dir), *options])
        if wrong:
            raise RuntimeError(wrong)


def _each(programs: tuple[Program, ...], state_dir: Path) -> list[str | None]:
    return [call(program, program.at(state_dir)) for program in programs]


def _small_fixture() -> bytes:
    rollout = json.loads((_FIXTURES / "contracts/drift.json").read_bytes())
    create = {
        "schema_version": 1,
        "case_id": "000-greet",
        "operation": "CREATE",
        "command_name": "greet",
        "template": "echo {{who}}",
        "expected": {"outcome": "success", "status_code": 201},
    }
    checked = {
        "case_id": "001-greet",
        "operation": "RUN",
        "command_name": "greet",
        "arguments": {"who": "world"},
        "capture": {
            "version": {"stdout": "json", "pointer": "/version", "secret": True},
            "line": {"stderr": "matches", "pattern": "(?m)^(.*)$", "group": 1},
        },
        "timeout_ms": 1000,
        "retry_until": {"attempts": 3, "every_ms": 10},
        "expected": {
            "outcome": "success",
            "status_code": 200,
            "exit_code": 3,
            "stdout": {"equals": "a", "contains": "a", "matches": "^a+$"},
            "stderr": {"json": {"a": [1, None]}, "json_contains": {"a": 1.5}},
            "max_duration_ms": 5,
        },
    }
    return json.dumps(rollout | {"cases": [create, checked, *rollout["cases"]]}).encode()


def _leave_in_journal(state_dir: Path, later: Path) -> None:
    """Leave a committed batch that makes of a directory what a later one is."""
    from tau_custom_command.contract.writes import AppendAt, ReplaceFile  # noqa: PLC0415 - only here
    from tau_custom_command.storage.journal_format import encode  # noqa: PLC0415 - only here

    log = state_dir / "runtime-events.jsonl"
    line = (later / "runtime-events.jsonl.2").read_bytes()
    changes = (
        AppendAt(path=log.name, offset=log.stat().st_size, torn=b"", content=line),
        ReplaceFile(path="state.json", content=(later / "state.json").read_bytes()),
    )
    (state_dir / ".journal").write_bytes(b"".join(encode(changes)))


def _mutate_a_file(state_dir: Path, random: Random) -> None:
    """Change the content of a file of a state directory, or what stands in its place."""
    files = _small_files(state_dir.rglob("*"))
    if not files:
        return
    path = random.choice((*files, *(f for f in files if f.parent == state_dir)))
    if random.random() < 0.75:
        mutated = mutated_json if path.suffix == ".json" else mutated_lines
        mutated = mutated_bytes if path.suffix == ".md" or path.name[0] == "." else mutated
        path.write_bytes(mutated(path.read_bytes(), random))
    else:
        random.choice(_IN_ITS_PLACE)(path, random)


def _small_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, in order, less those that an earlier mutation made huge or a link."""
    files = (path for path in paths if path.is_file() and not path.is_symlink())
    return sorted(path for path in files if path.stat().st_size < _HUGE)


def _replaced_by(make: Callable[[Path], object]) -> Callable[[Path, Random], None]:
    def replace(path: Path, _random: Random) -> None:
        path.unlink()
        make(path)

    return replace


def _sparse(path: Path, random: Random) -> None:
    os.truncate(path, random.choice((path.stat().st_size + 5000, 10**7, 3 * 10**8)))


def _renamed(path: Path, random: Random) -> None:
    path.rename(path.with_name(random.choice(("x", f"{path.name}.1", f"{path.name}.corrupt"))))


def _folder_gone(path: Path, _random: Random) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()


def _swapped(path: Path, random: Random) -> None:
    other = random.choice(_small_files(path.parent.iterdir()))
    content = other.read_bytes()
    other.write_bytes(path.read_bytes())
    path.write_bytes(content)


_IN_ITS_PLACE: tuple[Callable[[Path, Random], None], ...] = (
    _replaced_by(lambda _path: None),
    _replaced_by(Path.touch),
    _replaced_by(Path.mkdir),
    _replaced_by(os.mkfifo),
    _replaced_by(lambda path: path.symlink_to(path.name)),
    _replaced_by(lambda path: path.symlink_to("nowhere")),
    _replaced_by(lambda path: path.symlink_to("/dev/zero")),
    _replaced_by(lambda path: path.symlink_to("..")),
    _sparse,
    _renamed,
    _folder_gone,
    _swapped,
)


def _kept(source: str, target: str) -> None:
    """Copy a file to keep it; what is huge or no file is only named."""
    path = Path(source)
    if path.is_symlink() or (path.is_file() and path.stat().st_size < _HUGE):
        shutil.copy2(source, target, follow_symlinks=False)
    else:
        Path(target).write_text(f"not kept: {path.lstat()}")
