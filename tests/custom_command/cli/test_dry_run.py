"""`run --dry-run` shows what execute mode would start, and starts nothing."""

from pathlib import Path

from tests.custom_command.cases import case_object, fixture_bytes
from tests.custom_command.execution.sandboxes import needs_bubblewrap
from tests.custom_command.running import Command, Json

UNCONFINED = ("--policy-sandbox-profile", "unrestricted", "--no-policy-require-approval")
DRY = ("run", "fixture.json", "--state-dir", "state", "--dry-run")


def create(name: str, template: str) -> Json:
    """Return a case that registers a command, before all others."""
    return case_object(f"0-{name}", "CREATE", name, template=template)


def write(folder: Path, *cases: Json) -> None:
    """Write a fixture."""
    (folder / "fixture.json").write_bytes(fixture_bytes(*cases))


def test_what_would_start_is_shown_and_nothing_is_started_or_written(command: Command) -> None:
    """Words, policy, approval and sandbox; also of what the fixture itself registers first."""
    write(
        command.folder,
        create("a", "touch started {{what}}"),
        case_object("1", "RUN", "a", arguments={"what": "x y"}),
    )
    shown = command(*DRY, *UNCONFINED)
    assert (shown.code, shown.out.splitlines()) == (
        0,
        [
            "1  would start  touch started 'x y'",
            "    policy    unrestricted; allows nothing more; 5 names denied",
            "    approval  none, and none is asked for",
            "    sandbox   none: it may what the runtime may",
            "1 RUN would start; nothing was started or written",
        ],
    )
    assert [path.name for path in command.folder.iterdir()] == ["fixture.json"]


def test_a_fixture_that_was_done_before_is_told_so(command: Command) -> None:
    """That nothing would start is else taken for an answer about its commands."""
    write(command.folder, create("a", "true"), case_object("1", "RUN", "a"))
    assert command("run", "fixture.json", "--state-dir", "state").code == 0
    shown = command(*DRY, *UNCONFINED)
    assert shown.code == 0
    assert shown.out == (
        "0 RUNs would start; nothing was started or written; "
        "every case was done before: --fresh does them anew\n"
    )
    assert "1 RUN would start; nothing" in command(*DRY, *UNCONFINED, "--fresh").out


def test_programs_are_told_the_same(command: Command) -> None:
    """Every case; of a RUN that would start, all that it would start with but values."""
    capture = {"v": {"stdout": "matches", "pattern": "(x)"}}
    write(
        command.folder,
        create("a", "echo x"),
        create("b", "echo {{capture.v}}"),
        case_object("1", "RUN", "a", capture=capture),
        case_object("2", "RUN", "b", arguments={"N": "v"}),
        case_object("3", "RUN", "none"),
    )
    shown = command(*DRY, *UNCONFINED, "--json")
    *_, first, second, third = shown.json()
    assert shown.code == 3
    assert (first["run"]["argv"], first["result"]) == (["echo", "x"], None)
    assert (second["run"]["argv"], second["run"]["variables"]) == (
        ["echo", "{{capture.v}}"],
        ["N"],
    )
    assert (third["run"], third["would_drift"]) == (None, True)
    assert third["result"]["status_code"] == 404


@needs_bubblewrap
def test_what_would_be_refused_is_told_with_its_reason(command: Command) -> None:
    """An approval that is missing, and a program that is; an approval that is there is named."""
    write(command.folder, create("a", "true"), create("b", "no-such-program"))
    assert command("run", "fixture.json", "--state-dir", "state").code == 0
    write(command.folder, case_object("1", "RUN", "a"), case_object("2", "RUN", "b"))
    shown = command(*DRY)
    assert (shown.code, shown.out.count("nobody approved it")) == (3, 2)
    assert command("approve", "a", "--by", "Ann", "--state-dir", "state").code == 0
    shown = command(*DRY, "--policy-sandbox-profile", "restricted")
    assert "1  would start  /" in shown.out
    assert "    approval  by Ann, without an end" in shown.out
    assert "    sandbox   bwrap --ro-bind / / " in shown.out
    shown = command(*DRY, "--no-policy-require-approval")
    assert "there is no program 'no-such-program' in the sandbox" in shown.out


def test_what_a_run_refuses_before_its_lock_is_refused(command: Command) -> None:
    """A fixture that holds a secret, a release that cannot be read: nothing of it would start."""
    write(command.folder, create("a", "echo opensesame"), case_object("1", "RUN", "a"))
    secret = command(*DRY, *UNCONFINED, "--secret", "WORD", env={"WORD": "opensesame"})
    assert (secret.code, "holds the value of WORD" in secret.err) == (5, True)
    assert command(*DRY, *UNCONFINED, "--release-file", "none").code == 5


def test_it_can_be_asked_for_by_its_variable(command: Command) -> None:
    """Like every option that says what a run does: else what was only to be shown would start."""
    write(command.folder, create("a", "touch started"), case_object("1", "RUN", "a"))
    options = (*UNCONFINED, "--run-mode", "execute")
    shown = command(*DRY[:-1], *options, env={"TAU_CUSTOM_COMMAND_DRY_RUN": "1"})
    assert (shown.code, "1 RUN would start" in shown.out) == (0, True)
    assert [path.name for path in command.folder.iterdir()] == ["fixture.json"]


def test_nothing_is_waited_for(command: Command) -> None:
    """A failure that is simulated comes at once, however long a run would wait to try again."""
    write(command.folder, case_object("1", "LIST", simulate_retryable_failure=True))
    tries = ("--retry-max-attempts", "2", "--retry-base-delay-ms", "60000")
    assert command(*DRY, *UNCONFINED, *tries).code == 3


def test_what_is_asked_wrongly(command: Command) -> None:
    """It shows one cycle."""
    write(command.folder, create("a", "true"))
    assert command(*DRY, "--every", "5m").code == 2
    assert command("run", "none.json", "--dry-run").code == 5
