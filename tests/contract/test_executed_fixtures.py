"""The fixtures to execute do what fixtures/contracts/README.md says of them, with real commands."""

import json
import shutil
import threading
import time
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running import CONTRACTS, Ended, run_fixture, start
from tests.contract.test_fixtures import counters, documented, ended_cases
from tests.custom_command.execution.sandboxes import needs_bubblewrap
from tests.http_service import STATED, Service, service, write_site

EXECUTE = ("--run-mode=execute", "--no-policy-require-approval", "--policy-allow-shell")
SMOKE = CONTRACTS / "execute-smoke-http.toml"
PIN = "url=http://{}"

pytestmark = needs_bubblewrap
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def cases_of(fixture: str) -> list[dict[str, Any]]:
    """Return the cases of a fixture in TOML."""
    cases: list[dict[str, Any]] = tomllib.loads((CONTRACTS / f"{fixture}.toml").read_text())[
        "cases"
    ]
    return cases


def execute(fixture: str, state_dir: Path) -> tuple[Ended, dict[str, Any]]:
    """Execute a fixture in a first cycle, as the README says."""
    return run_fixture(CONTRACTS / f"{fixture}.toml", state_dir, *EXECUTE)


def payloads(state_dir: Path) -> dict[str, dict[str, Any]]:
    """Return what the channels say of each case that was done last, by its id."""
    logs = sorted((state_dir / "channel-store/custom-command").glob("*/log.jsonl"))
    lines = [json.loads(line)["payload"] for log in logs for line in log.read_text().splitlines()]
    return {payload["case_id"]: payload for payload in lines}


def is_at_work(*words: str) -> bool:
    """Tell whether a process runs that was started with these words."""
    wanted = "".join(f"{word}\0" for word in words).encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                return True
        except OSError:  # it has ended meanwhile
            continue
    return False


def test_every_way_to_end_is_expected_as_it_comes(tmp_path: Path) -> None:
    """Each reason of a run that fails is there, and each end is recorded as it was."""
    ended, summary = execute("execute-outcomes", tmp_path)
    assert (ended.exit_code, counters(summary)) == (0, documented("execute-outcomes"))
    assert ended_cases(summary) == summary["discovered_cases"]
    said = {case: payload.get("run_audit", {}) for case, payload in payloads(tmp_path).items()}
    reasons = {case[4:]: audit["failure_reason"] for case, audit in said.items() if audit}
    assert reasons == {
        "run-it-succeeds": None,
        "run-its-exit-code-is-a-success": None,
        "run-its-exit-code-is-a-failure": "non_zero_exit",
        "run-it-takes-too-long": "timeout",
        "run-it-is-not-there": "executable_not_found",
        "run-a-placeholder-is-left-empty": "invalid_template",
        "run-it-writes-very-much": None,
        "run-it-leaves-a-child-behind": None,
        "run-it-dies-of-a-signal": None,
        "run-a-case-that-allows-no-shell": "shell_program_disallowed",
    }
    assert said["081-run-it-dies-of-a-signal"]["signal"] == 9


def test_a_child_that_left_its_session_is_ended_with_the_command(tmp_path: Path) -> None:
    """The record says that one was left, and none is there when the cycle has ended."""
    execute("execute-outcomes", tmp_path)
    assert payloads(tmp_path)["071-run-it-leaves-a-child-behind"]["run_audit"]["left_behind"]
    assert not is_at_work("sleep", "298")


def test_what_is_written_beyond_what_a_record_holds_is_kept_beside(tmp_path: Path) -> None:
    """Of 19 MB the record has the beginning, and an artifact the first MiB, by its digest."""
    execute("execute-outcomes", tmp_path)
    written = "".join(f"{number}\n" for number in range(1, 2_500_001)).encode()
    stdout = payloads(tmp_path)["061-run-it-writes-very-much"]["run_audit"]["stdout"]
    left_out = len(written) - 16 * 1024
    assert stdout == f"{written[: 16 * 1024].decode()}...<truncated:{left_out} bytes>"
    channel = tmp_path / "channel-store/custom-command/count"
    (line,) = (channel / "artifacts/index.jsonl").read_text().splitlines()
    kept = (channel / json.loads(line)["relative_path"]).read_bytes()
    assert kept == written[: 1024 * 1024]
    assert json.loads(line)["checksum_sha256"] == sha256(kept).hexdigest()


def test_every_check_holds_where_it_is_right(tmp_path: Path) -> None:
    """A first cycle is all good."""
    ended, summary = execute("execute-checks", tmp_path)
    assert (ended.exit_code, counters(summary)) == (0, documented("execute-checks"))


def test_every_check_is_told_where_it_is_wrong(tmp_path: Path) -> None:
    """Each drifts by itself, and names what differs; nothing else of the cycle does."""
    ended, summary = execute("execute-drift", tmp_path)
    assert (ended.exit_code, counters(summary)) == (3, documented("execute-drift"))
    found = {
        case: [difference["field"] for difference in payload["drift"]["differences"]]
        for case, payload in payloads(tmp_path).items()
        if "drift" in payload
    }
    stated = {case["case_id"]: case["expected"] for case in cases_of("execute-drift")[3:]}
    wanted = {
        case: [
            name if name in {"exit_code", "max_duration_ms"} else f"{name}.{list(check)[-1]}"
            for name, check in expected.items()
            if name not in {"outcome", "status_code"}
        ]
        for case, expected in stated.items()
    }
    assert found == wanted
    outputs = {
        f"{stream}.{check}"
        for stream in ("stdout", "stderr")
        for check in ("equals", "contains", "matches", "json", "json_contains")
    }
    assert {field for fields in found.values() for field in fields} == {
        "exit_code",
        "max_duration_ms",
        *outputs,
    }


def test_the_checks_and_the_drifts_are_of_the_same_calls() -> None:
    """So that the two files, side by side, show for each check what holds and what does not."""
    right, wrong = cases_of("execute-checks"), cases_of("execute-drift")
    for case in (*right, *wrong):
        case["case_id"] = case["case_id"].replace("-wrong", "")
        case.pop("expected", None)
    assert right == wrong


def test_captures_reach_later_runs_and_a_run_is_tried_until_it_holds(tmp_path: Path) -> None:
    """A value is one word; where one is missing nothing starts; and the last attempt counts."""
    ended, summary = execute("execute-captures", tmp_path)
    assert ended.exit_code == 0
    tries = summary["retry_attempts"]
    assert counters(summary) == {
        **documented("execute-captures"),
        "executed_runs": 5 + tries,
        **({"retry_attempts": tries} if tries else {}),
    }
    said = payloads(tmp_path)
    assert not said["080-run-what-it-takes-is-missing"]["run_audit"]["executed"]
    sold = said["060-run-what-takes-both"]["run_audit"]["stdout"]
    assert sold.startswith("sold: a pot; of tea (")
    log = (tmp_path / "channel-store/custom-command/uptime/log.jsonl").read_text()
    hundredths = [
        int(line["payload"]["run_audit"]["stdout"].split()[0].partition(".")[2])
        for line in map(json.loads, log.splitlines())
        if "run_audit" in line["payload"]
    ]
    assert len(hundredths) == 1 + tries
    assert [value < 30 for value in hundredths] == [False] * tries + [True]


def smoke(folder: Path, served: Service) -> Path:
    """Return the smoke test of a service that listens at this address."""
    fixture = folder / "smoke.toml"
    fixture.write_text(SMOKE.read_text().replace(STATED, served.address))
    return fixture


def approve(state_dir: Path, served: Service) -> None:
    """Approve that the smoke test fetches pages of this service, and of no other."""
    pin = PIN.format(served.address)
    approving = ("approve", "fetch", "--by", "alice", "--pin", pin, "--state-dir", state_dir)
    assert start(*approving).exit_code == 0


@needs_curl
def test_the_smoke_test_of_a_service(tmp_path: Path) -> None:
    """It asks for an approval, waits for the service, is good, and tells another release."""
    state_dir, site = tmp_path / "state", tmp_path / "site"
    write_site(site, "1.4.0")
    with service(site) as served:
        fixture = smoke(tmp_path, served)
        ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute")
        assert (ended.exit_code, summary["failed_cases"]) == (3, 4)
        assert summary["executed_runs"] == 0
        approve(state_dir, served)

        threading.Timer(1.0, served.start).start()
        began = time.monotonic()
        ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute")
        assert (ended.exit_code, summary["failed_cases"]) == (0, 0), ended
        assert summary["retry_attempts"] > 0
        assert time.monotonic() - began > 1.0

        write_site(site, "1.5.0")
        ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute", "--fresh")
        assert (ended.exit_code, summary["failed_cases"]) == (3, 1)
        assert 'expected "1.4.0" at /version, observed "1.5.0"' in ended.stderr

        accepting = ("accept", fixture, "--yes", "--state-dir", state_dir)
        assert start(*accepting).exit_code == 0
        assert fixture.read_text() == SMOKE.read_text().replace(STATED, served.address).replace(
            "1.4.0", "1.5.0"
        )
        ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute", "--fresh")
        assert counters(summary) == documented("execute-smoke-http")


@needs_curl
def test_the_smoke_test_fails_where_the_service_does(tmp_path: Path) -> None:
    """A page that is an error, or no service at all: each case that is not as expected is told."""
    state_dir, site = tmp_path / "state", tmp_path / "site"
    write_site(site, "1.4.0")
    with service(site) as served:
        served.start()
        fixture = smoke(tmp_path, served)
        fixture.write_text(fixture.read_text().replace("attempts = 20", "attempts = 2"))
        run_fixture(fixture, state_dir, "--run-mode=execute")
        approve(state_dir, served)
        (site / "health.json").unlink()
        ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute")
        assert (ended.exit_code, summary["failed_cases"]) == (3, 2)
        assert "The requested URL returned error: 404" in ended.stderr
    ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute", "--fresh")
    assert (ended.exit_code, summary["failed_cases"]) == (3, 4)


@needs_curl
def test_an_approval_of_the_smoke_test_is_of_one_service(tmp_path: Path) -> None:
    """A fixture that fetches from somewhere else does not run."""
    state_dir, site = tmp_path / "state", tmp_path / "site"
    write_site(site, "1.4.0")
    with service(site) as served, service(site) as other:
        served.start()
        other.start()
        fixture = smoke(tmp_path, served)
        run_fixture(fixture, state_dir, "--run-mode=execute")
        approve(state_dir, served)
        path = 'path = "health.json"'
        there = f'{path}, url = "http://{other.address}"'
        fixture.write_text(fixture.read_text().replace(path, there))
        _, summary = run_fixture(fixture, state_dir, "--run-mode=execute")
        assert (summary["executed_runs"], summary["failed_cases"]) == (2, 2)


@needs_curl
def test_no_path_leads_the_smoke_test_to_another_host(tmp_path: Path) -> None:
    """A path that begins with `@` is one of the service that is pinned, and not there."""
    state_dir, site = tmp_path / "state", tmp_path / "site"
    write_site(site, "1.4.0")
    with service(site) as served, service(site) as other:
        served.start()
        other.start()
        fixture = smoke(tmp_path, served)
        run_fixture(fixture, state_dir, "--run-mode=execute")
        approve(state_dir, served)
        stated = fixture.read_text().replace("attempts = 20", "attempts = 1")
        path = f'path = "@{other.address}/health.json"'
        fixture.write_text(stated.replace('path = "health.json"', path))
        ended, summary = run_fixture(fixture, state_dir, "--run-mode=execute")
        assert (summary["executed_runs"], summary["failed_cases"]) == (4, 2)
        assert ended.stderr.count("The requested URL returned error: 404") >= 1
