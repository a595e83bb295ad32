"""What a table of a document holds and the code holds too is the same in both.

Whoever changes a threshold, a code or an option on one side alone is told here.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.main import get_command

import tau_custom_command.errors
import tau_rollout_gate.errors
import tau_transport_health.errors
from tau_custom_command import limits
from tau_custom_command.contract.health import FAILING_STREAK, ReasonCode
from tau_custom_command.contract.vocabulary import ErrorCode, Outcome
from tau_custom_command.cycle.execution import FailureReason
from tau_custom_command.execution.limits import Limits
from tau_custom_command.fixture.model import Case
from tau_custom_command.policy.model import DEFAULTS, SandboxProfile
from tau_rollout_gate.contract.cycle import KNOWN_REASON_CODES
from tau_rollout_gate.contract.pin import ExpectedField
from tau_rollout_gate.contract.rollout import Channel
from tau_rollout_gate.evidence.signoff_form import checklist
from tau_rollout_gate.files.policy import load_policy
from tau_rollout_gate.policy import findings
from tau_transport_health.contract.event import KNOWN_REASON_CODES as KNOWN_TO_THE_INSPECTOR
from tau_transport_health.errors import PluginCode
from tau_transport_health.health.remedies import FileSymptom, HistorySymptom, Hold

REPOSITORY = Path(__file__).parents[2]
POLICY = load_policy(None)
CANARIES = POLICY.phases[1:-1]
PROGRAMS = ("custom_command", "transport_health", "rollout_gate")
DOCUMENTS = (
    *REPOSITORY.glob("runbooks/**/*.md"),
    *REPOSITORY.glob("packages/*/README.md"),
    REPOSITORY / "README.md",
)

UNITS = {"min": 60_000, "h": 3_600_000}

OTHERS = frozenset(
    f"--{name}"
    for name in (
        *("fail", "failed", "header", "max-time", "show-error", "silent"),  # curl, systemctl
        *("detach", "init", "network", "restart", "security-opt", "volume"),  # docker
        *("annotate", "bind", "delete", "directory", "jq", "message", "name", "quiet"),  # git, gh
        *("collector", "junitxml", "only-show-errors", "option", "pipe"),
        *("delay-updates", "port", "protocol"),  # rsync, dask
        *("all-packages", "out-dir", "wheel"),  # uv
        *("compare", "rounds", "small"),  # scripts/bench.sh
    )
)
"""Options that documents name, and that are of other programs: curl, docker, git, pytest, ..."""

OF_EACH = frozenset({"--help", "--install-completion", "--show-completion", "--version"})
"""Options that each program has before its commands."""

OLDER = ("--custom-command-", "--transport-health-", "--channel-store-")
"""How the older program's options begin; they have a table and a test of their own."""


def tables(document: str, section: str) -> Iterator[list[list[str]]]:
    """Give the tables of a section: the cells of each row, its header first."""
    text = (REPOSITORY / document).read_text()
    found = re.search(
        rf"^(#+) {re.escape(section)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, f"{document}: {section}"
    for block in re.findall(r"(?:^\|.*\n)+", found[2], re.MULTILINE):
        rows = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
        ]
        yield [rows[0], *rows[2:]]


def rows(document: str, section: str, number: int = 0) -> list[list[str]]:
    """Return the rows of a section's table, without the header."""
    return list(tables(f"runbooks/{document}", section))[number][1:]


def codes(cell: str) -> list[str]:
    """Return what a cell has between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def first(found: list[list[str]]) -> list[str]:
    """Return the codes of the first column, in their order."""
    return [code for row in found for code in codes(row[0])]


def plain(cell: str) -> str:
    """Return a cell without backticks."""
    return cell.replace("`", "")


def milliseconds(cell: str) -> int:
    """Return a soak as it is written for people."""
    if cell == "none":
        return 0
    number, unit = cell.split()
    return int(number) * UNITS[unit]


def test_phases() -> None:
    """Names, shares and soaks, in their order."""
    assert [
        (codes(name)[0], int(share), milliseconds(soak))
        for name, share, soak, _ in rows("rollout-gate-ops.md", "The phases")
    ] == [(phase.name, phase.canary_percent, phase.soak_ms) for phase in POLICY.phases]
    assert sum(phase.soak_ms for phase in POLICY.phases) == 27.5 * UNITS["h"]


def test_the_sign_off_asks_for_the_soaks_of_the_phases() -> None:
    """The checklist names the share and the soak of each canary phase."""
    asked = {codes(row[0])[0]: row[1] for row in rows("release-signoff-checklist.md", "The items")}
    for phase in CANARIES:
        minutes = phase.soak_ms // UNITS["min"]
        item = f"canary_phases.{phase.name.replace('-', '_')}"
        assert asked[item] == f"{phase.canary_percent} % for {minutes} minutes"


def test_triggers() -> None:
    """Name, threshold and what to do; and the one that a deadline brings."""
    *told, deadline = rows("rollout-gate-ops.md", "Rollback triggers")
    assert [(codes(row[0])[0], plain(row[1]).partition(" (of ")[0], row[2]) for row in told] == [
        (one.name, one.threshold, one.action) for one in POLICY.triggers
    ]
    assert codes(deadline[0]) == [findings.DEADLINE_PASSED]


def test_thresholds_of_every_surface() -> None:
    """Each general gate of the canaries, word for word what an answer shows."""
    told = [
        (plain(threshold), codes(phase)[0])
        for threshold, phase, _ in rows("release-channel-ops.md", "Threshold collection")
    ]
    assert told == [
        (gate.required, phase.name)
        for phase in CANARIES
        for gate in phase.gates
        if gate.surfaces is None
    ]


def test_gates_of_some_surfaces() -> None:
    """Surface, gate and phase of all that the policy asks of some alone."""
    told = rows("release-channel-ops.md", "The contract across surfaces")
    assert sorted(tuple(plain(cell) for cell in row[:3]) for row in told) == sorted(
        (surface, gate.name, phase.name)
        for phase in POLICY.phases
        for gate in phase.gates
        for surface in gate.surfaces or ()
    )


def test_reasons_to_hold() -> None:
    """Every gate that is there without a line of the policy, but for those of a fleet."""
    told = {
        name.removesuffix(":…") for name in first(rows("rollout-gate-ops.md", "Reasons to hold"))
    }
    of_policies = {findings.PROMOTION_WINDOW, findings.PHASE_DEADLINE}
    assert told == findings.RESERVED_NAMES | of_policies


def test_what_a_cycle_is_expected_to_tell() -> None:
    """The fields that `--expect` takes."""
    told = rows("rollout-gate-ops.md", "Whose version a release is")
    fields = {re.split("[:=]", codes(row[2])[0])[1] for row in told}
    assert fields == set(get_args(ExpectedField))


def test_channels() -> None:
    """Those that a release can be published to."""
    assert first(rows("release-channel-ops.md", "Channels")) == [one.value for one in Channel]


def test_items_of_the_sign_off() -> None:
    """Every item that is asked for, in the order of the checklist."""
    told = first(rows("release-signoff-checklist.md", "The items"))
    assert told == [f"{section}.{item}" for section, item, _ in checklist(("<surface>",))]


def test_reason_codes() -> None:
    """The contract's table, in the order of an event; both readers know them; each has advice."""
    told = first(rows("state-files.md", "Reason codes"))
    assert told == [code.value for code in ReasonCode]
    assert set(told) == KNOWN_REASON_CODES == KNOWN_TO_THE_INSPECTOR
    assert sorted(first(rows("custom-command-ops.md", "Reason codes"))) == sorted(told)


def test_health_states() -> None:
    """From how many cycles in a row on it fails."""
    failing, *_ = rows("state-files.md", "Health", 1)
    assert failing[:2] == ["`failing`", f"`failure_streak` is {FAILING_STREAK} or more"]


def test_exit_codes() -> None:
    """One table for all programs, with the signals that end a process."""
    ((_, *told),) = tables("README.md", "Exit codes")
    enums = chain(
        tau_custom_command.errors.ExitCode,
        tau_transport_health.errors.ExitCode,
        tau_rollout_gate.errors.ExitCode,
    )
    numbers = {int(number) for row in told for number in re.findall(r"\d+", row[0])}
    assert numbers == {*map(int, enums), *(128 + signal for signal in (1, 3, 15))}


def test_exit_codes_of_check() -> None:
    """The words and numbers of the monitoring plugins."""
    told = [row[0] for row in rows("monitoring/README.md", "Nagios and Icinga")]
    assert told == [f"{code.value} {code.name}" for code in PluginCode]


def test_holds_and_symptoms() -> None:
    """Each reason to hold, and each symptom that is no such reason."""
    page = "transport-health-ops.md"
    holds = first(rows(page, "The gate"))
    assert sorted(holds) == sorted(hold.value for hold in Hold)
    told = [
        *first(rows(page, "When something is wrong")),
        *first(rows(page, "When something is wrong", 1)),
    ]
    assert len(told) == len(set(told))
    symptoms = {one.value for one in chain(FileSymptom, HistorySymptom)}
    assert set(told) == symptoms - set(holds)


def test_what_a_case_results_in() -> None:
    """Every outcome and error code occurs, and no other."""
    told = rows("custom-command-ops.md", "What a case results in")
    assert {code for row in told for code in codes(row[1])} == {one.value for one in Outcome}
    assert {code for row in told for code in codes(row[3])} == {one.value for one in ErrorCode}


def test_why_a_run_fails() -> None:
    """Every reason, once."""
    told = rows("custom-command-ops.md", "Running commands for real")
    assert sorted(code for row in told for code in codes(row[-1]) if len(row) > 3) == sorted(
        one.value for one in FailureReason
    )


def test_fields_of_a_case() -> None:
    """Every key that a fixture's case may have."""
    assert sorted(first(rows("custom-command-ops.md", "Fixtures"))) == sorted(
        Case.__struct_encode_fields__
    )


def test_fields_of_a_policy() -> None:
    """Every field, with what holds where it is left out."""
    told = {
        codes(name)[0]: left_out
        for name, left_out, _ in rows("custom-command-ops.md", "Execution policy")
    }
    assert set(told) == set(DEFAULTS)
    for field, value in DEFAULTS.items():
        if isinstance(value, bool | int):
            assert plain(told[field]) == str(value).lower()
    assert plain(told["sandbox_profile"]) == DEFAULTS["sandbox_profile"]
    assert (told["allowed_env"], DEFAULTS["allowed_env"]) == ("none", ())
    assert len(DEFAULTS["denied_env"]) == 5
    assert told["denied_env"].startswith("five ")


def test_profiles() -> None:
    """Every profile of the sandbox."""
    assert first(rows("custom-command-ops.md", "The sandbox")) == [
        one.value for one in SandboxProfile
    ]


@pytest.mark.parametrize(
    ("section", "row", "value"),
    [
        ("Limits of a command", "time", f"{Limits().timeout_ms // 1000} s"),
        ("Limits of a command", "memory", f"{(Limits().memory_bytes or 0) // 2**30} GiB"),
        ("Limits of a command", "the largest file", f"{Limits().file_bytes // 2**30} GiB"),
        ("Limits of a command", "processes", f"{Limits().processes}"),
        ("Limits of a command", "the scratch", f"{Limits().scratch_bytes // 2**20} MiB"),
        ("Limits", "a fixture's file", f"{limits.LARGEST_FIXTURE_BYTES // 2**20} MiB; "),
        (
            "Limits",
            "a fixture's file",
            f" {limits.LARGEST_TOML_BYTES // 2**10} KiB and {limits.MOST_DOTTED_PARTS} ",
        ),
        ("Limits", "cases", f"{limits.MOST_CASES:,}"),
        ("Limits", "a fixture's name", f"{limits.LONGEST_NAME:,} "),
        ("Limits", "a template", f"{limits.LONGEST_TEXT:,} "),
        ("Limits", "names in", f"{limits.MOST_NAMES:,}"),
        ("Limits", "a regular", f"{limits.LONGEST_PATTERN:,} "),
        ("Limits", "parts that", f"{limits.MOST_CAPTURES}"),
        ("Limits", "problems", f"{limits.MOST_PROBLEMS:,}. More than {limits.MOST_UNKNOWN_KEYS} "),
        ("Limits", "a program", f"{limits.LARGEST_NAMED_FILE_BYTES // 2**30} GiB"),
        ("Limits", "`state.json`", f"{limits.LARGEST_STATE_FILE_BYTES // 2**20} MiB. "),
        ("Limits", "a line of a log", f"{limits.LONGEST_LINE_BYTES // 2**20} MiB"),
    ],
)
def test_limits(section: str, row: str, value: str) -> None:
    """What the row says is the code's number."""
    found, *_ = [one for one in rows("custom-command-ops.md", section) if one[0].startswith(row)]
    assert value in found[-1]


def commands(program: str) -> Iterator[tuple[str, Any]]:
    """Give the commands of a program, each by the words that call it."""
    module = import_module(f"tau_{program}.cli.app")
    root: Any = get_command(module.app)
    for words in root.lazy:
        command = root
        for word in words.split():
            command = command.commands[word]
        if hasattr(command, "found"):
            yield words, command.found()


OPTIONS = {
    name
    for program in PROGRAMS
    for _, command in commands(program)
    for one in command.params
    for name in (*one.opts, *one.secondary_opts)
    if name.startswith("--")
}


def test_every_option_is_told_of() -> None:
    """In a runbook or a README; the negation of one goes without saying."""
    told = set(
        re.findall(r"(?<![\w-])--[a-z][\w-]*", "".join(one.read_text() for one in DOCUMENTS))
    )
    positive = {name.replace("--no-", "--", 1) for name in OPTIONS if name.startswith("--no-")}
    negations = {name for name in OPTIONS if name.replace("--no-", "--", 1) in positive & OPTIONS}
    assert OPTIONS - negations - told == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_option_that_is_told_of_is_there(document: Path) -> None:
    """Of ours or of another program, which is listed above."""
    told = set(re.findall(r"(?<![\w-])--[a-z][\w-]*[a-z]", document.read_text()))
    unknown = told - OPTIONS - OTHERS - OF_EACH
    assert {name for name in unknown if not name.startswith(OLDER)} <= {"--policy", "--no-policy"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_that_is_told_of_is_there(program: str) -> None:
    """The README's table of commands has no other than the program."""
    readme = f"packages/{program.replace('_', '-')}/README.md"
    found = {tuple(words.split()) for words, _ in commands(program)}
    for row in next(tables(readme, "Commands"))[1:]:
        group: tuple[str, ...] = ()
        for code in codes(row[0]):
            words = tuple(word for word in code.split() if re.fullmatch("[a-z]+", word))
            assert words in found or (*group, *words) in found, f"{readme}: {code}"
            group = words[:-1] or group
