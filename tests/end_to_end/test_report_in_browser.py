"""The pages of `report` in a real browser: they fit, follow light and dark, and ask nobody.

Each page is shown in a frame of the width wanted, since a window of Chromium's is no narrower than
500 pixels; they stand side by side, since starting the browser takes longest. A frame's own
document measures it; the screenshot shows that something is drawn.
"""

import html
import json
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tau_rollout_gate.formats.page.page import page
from tau_rollout_gate.services.report import templates
from tests.end_to_end.rolling_out import MINUTE, Release
from tests.rollout_gate.formats.drawn import drawn, many
from tests.rollout_gate.worlds import QUICK

INSPECTOR = Path(sys.executable).parent / "tau-transport-health"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here; ./scripts/setup.sh --system installs it"
)

NOW_UNIX_MS = 1_767_225_600_000
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
PATIENCE_SECONDS = 60.0
WIDTHS = (360, 1280)
HEIGHT = 700
FRAME = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>
  body {{ display: flex; margin: 0 }}
  iframe {{ border: 0; flex: none; height: {height}px }}
</style>{frames}<script>
const probeOf = frame => {{
  const page = frame.contentDocument, root = page.documentElement;
  const shown = [...page.querySelectorAll(".chart")].filter(chart => chart.checkVisibility());
  const texts = shown.flatMap(chart => [...chart.querySelectorAll("text")])
    .filter(text => text.checkVisibility());
  const cells = [...page.querySelectorAll(".cells i")].filter(cell => cell.checkVisibility());
  const signs = cells.map(cell => frame.contentWindow.getComputedStyle(cell, "::before").content);
  return {{
    overflow: root.scrollWidth - root.clientWidth,
    height: root.scrollHeight,
    background: getComputedStyle(page.body).backgroundColor,
    charts: shown.length,
    bars: shown.flatMap(chart => [...chart.querySelectorAll("rect")]).length,
    cells: cells.length,
    signs: new Set(signs).size,
    smallest_cell: Math.min(...cells.map(cell => cell.getBoundingClientRect().width)),
    smallest_text: Math.min(...texts.map(text => text.getBoundingClientRect().height)),
    outside: texts.filter(text => text.getBoundingClientRect().left < 0
      || text.getBoundingClientRect().right > root.clientWidth).length,
  }};
}};
onload = () => {{
  const probes = document.createElement("pre");
  probes.id = "probes";
  probes.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(probeOf));
  document.body.append(probes);
}};
</script>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the browser made of a page: measures, and the rows at the top of its picture."""

    probe: dict[str, Any]
    pixels: list[bytes]

    @property
    def brightness(self) -> float:
        """Return how bright the corner is, from 0 to 255."""
        return sum(self.pixels[0][:3]) / 3


def history(state_dir: Path, cycles: int, *, failing: int) -> None:
    """Write `cycles` cycles a minute apart, with some that failed, and the last `failing` too."""
    state_dir.mkdir(parents=True)
    line, streak, failed, time, number = b"", 0, 0, 0, 0
    with (state_dir / "runtime-events.jsonl").open("wb") as log:
        for number in range(1, cycles + 1):
            failed = 3 if number % 97 == 50 or number > cycles - failing else 0
            streak = streak + 1 if failed else 0
            time = NOW_UNIX_MS - (cycles - number) * 60_000
            event = {
                "timestamp_unix_ms": time,
                "cycle_id": f"{time}-{number:08}-9f86d081",
                "cycle_number": number,
                "previous_sha256": sha256(line).hexdigest() if line else None,
                "health_state": ("healthy", "degraded", "degraded", "failing")[min(streak, 3)],
                "reason_codes": ["case_processing_failed"] if failed else ["healthy_cycle"],
                "failed_cases": failed,
                "failure_streak": streak,
                "backlog_cases": number % 300,
                "malformed_cases": 0,
                "retry_attempts": 2 * failed,
            }
            line = json.dumps(event).encode()
            log.write(line + b"\n")
    health = {
        "updated_unix_ms": time,
        "cycle_duration_ms": 12,
        "queue_depth": number % 300,
        "active_runs": 0,
        "failure_streak": streak,
        "last_cycle_discovered": 5,
        "last_cycle_processed": 5,
        "last_cycle_completed": 5 - failed,
        "last_cycle_failed": failed,
        "last_cycle_duplicates": 0,
    }
    last = {"cycle_id": f"{time}-{number:08}-9f86d081", "cycle_number": number}
    state = {
        "schema_version": 1,
        "health": health,
        "last_cycle": last | {"event_sha256": sha256(line).hexdigest()},
    }
    (state_dir / "state.json").write_text(json.dumps(state))


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Path]:
    """Return what makes the page about so many cycles, of which the last so many failed."""
    folder = tmp_path_factory.mktemp("pages")

    def make(cycles: int, failing: int) -> Path:
        page, state_dir = folder / f"{cycles}-{failing}.html", folder / f"{cycles}-{failing}"
        if not page.exists():
            history(state_dir, cycles, failing=failing)
            options = ["--state-dir", state_dir, "--output", page, "--now-unix-ms", NOW_UNIX_MS]
            ran = subprocess.run(
                [INSPECTOR, "report", "custom-command", *map(str, options)],
                capture_output=True,
                check=False,
                timeout=PATIENCE_SECONDS,
            )
            assert ran.returncode == (3 if failing else 0), ran.stderr
        return page

    return make


def show(pages: Sequence[Path], folder: Path, *, dark: bool = False) -> tuple[list[Shown], str]:
    """Show pages in frames of each width, in light or dark; return them and the console's lines."""
    frames, picture = folder / "frames.html", folder / "shot.png"
    widths = WIDTHS * len(pages)
    texts = [html.escape(page.read_text("utf-8")) for page in pages for _ in WIDTHS]
    framed = "".join(
        f'<iframe style="width: {width}px" srcdoc="{text}"></iframe>'
        for width, text in zip(widths, texts, strict=True)
    )
    frames.write_text(FRAME.format(frames=framed, height=HEIGHT), "utf-8")
    ran = browse(
        frames,
        folder,
        f"--window-size={sum(widths)},{HEIGHT}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        f"--screenshot={picture}",
        "--dump-dom",
    )
    probes = re.search(r'<pre id="probes">(.*?)</pre>', ran.stdout)
    assert probes is not None, ran.stderr
    rows, size = top_rows(picture.read_bytes(), 160)
    shown = [
        Shown(probe=probe, pixels=[row[(end - width) * size : end * size] for row in rows])
        for probe, width, end in zip(
            json.loads(html.unescape(probes[1])), widths, accumulate(widths), strict=True
        )
    ]
    return shown, console(ran.stderr)


def browse(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page in a browser that has never run before."""
    assert CHROMIUM is not None
    profile = f"--user-data-dir={folder / 'profile'}"
    return subprocess.run(
        [CHROMIUM, *FLAGS, profile, *options, page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )


def console(stderr: str) -> str:
    """Return what pages wrote to the console: errors, refusals and failed requests among it."""
    return "\n".join(line for line in stderr.splitlines() if "CONSOLE" in line)


def top_rows(png: bytes, count: int) -> tuple[list[bytes], int]:
    """Return the first rows of a picture, decoded, and the bytes of a pixel: three or four."""
    width, _, depth, kind = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[kind]
    assert depth == 8
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    stride = width * size
    raw = zlib.decompressobj().decompress(data, count * (stride + 1))
    rows, above = [], bytes(stride)
    for start in range(0, len(raw), stride + 1):
        row = bytearray(raw[start + 1 : start + 1 + stride])
        unfilter(raw[start], row, above, size)
        above = bytes(row)
        rows.append(above)
    return rows, size


def unfilter(kind: int, row: bytearray, above: bytes, size: int) -> None:
    """Undo one of the five filters of PNG (ISO/IEC 15948, 9.2) in place."""
    corners = bytes(size) + above
    for at, (value, up, corner) in enumerate(zip(row, above, corners, strict=False)):
        left = row[at - size] if at >= size else 0
        if kind == 1:
            row[at] = (value + left) & 0xFF
        elif kind == 2:
            row[at] = (value + up) & 0xFF
        elif kind == 3:
            row[at] = (value + (left + up) // 2) & 0xFF
        elif kind == 4:
            by_left, by_up = abs(up - corner), abs(left - corner)
            by_corner = abs(left + up - 2 * corner)
            near = up if by_up <= by_corner else corner
            row[at] = (value + (left if by_left <= min(by_up, by_corner) else near)) & 0xFF


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_fits(page_of: Callable[[int, int], Path], tmp_path: Path, *, dark: bool) -> None:
    """Drawn, no wider than the window, with charts that can be read, in both colour schemes."""
    of = [(1, 0), (3000, 20), (100_000, 0)]
    pages = [page_of(cycles, failing) for cycles, failing in of]
    found, said = show(pages, tmp_path, dark=dark)
    assert said == ""
    for shown, (cycles, _) in zip(found, [each for each in of for _ in WIDTHS], strict=True):
        assert shown.probe["overflow"] == 0
        assert shown.probe["outside"] == 0
        assert shown.probe["height"] > HEIGHT
        assert shown.probe["charts"] >= (2 if cycles == 1 else 4)
        assert shown.probe["bars"] >= (2 if cycles == 1 else 100)
        assert shown.probe["smallest_text"] >= 10
        assert len(set(shown.pixels)) > 20, "the top of the page is blank"
        assert shown.brightness < 60 if dark else shown.brightness > 200
    assert max(page.stat().st_size for page in pages) < 1_000_000


def test_the_page_of_a_rollout_fits_in_light_and_dark(tmp_path: Path) -> None:
    """Held, then rolled back: drawn, no wider than the window, silent, in both colour schemes."""
    folder = tmp_path / "release"
    folder.mkdir()
    release = Release(folder)
    release.enters_canary_1()
    for _ in range(3):
        release.cycle(after_ms=5 * MINUTE)
    release.gate("report", "--output", "held.html", code=3)
    release.gate("rollback", "--reason", "users see errors", code=0)
    release.gate("report", "--output", "back.html", code=4)
    pages = [folder / "held.html", folder / "back.html"]
    for dark in (False, True):
        found, said = show(pages, tmp_path, dark=dark)
        assert said == ""
        assert [shown.probe["charts"] for shown in found] == [1, 1, 0, 0]
        for shown in found:
            assert shown.probe["overflow"] == 0
            assert shown.probe["height"] > HEIGHT
            assert len(set(shown.pixels)) > 20, "the top of the page is blank"
            assert shown.brightness < 60 if dark else shown.brightness > 200
    assert max(page.stat().st_size for page in pages) < 100_000


def test_the_page_of_a_fleet_fits_and_shows_each_host(tmp_path: Path) -> None:
    """From 40 to 10,000 hosts, in both colour schemes: every cell is drawn, with its sign in it."""
    sizes = (40, 1_000, 10_000)
    pages = []
    for hosts in sizes:
        fleet = drawn(many(hosts, groups=max(hosts // 500, 2)))
        pages.append(tmp_path / f"{hosts}.html")
        parts: Any = (fleet.answer, fleet.where, QUICK, (), {}, fleet.hosts)
        pages[-1].write_text(page(*parts, templates=templates()), "utf-8")
    for dark in (False, True):
        found, said = show(pages, tmp_path, dark=dark)
        assert said == ""
        for shown, hosts in zip(found, [each for each in sizes for _ in WIDTHS], strict=True):
            assert shown.probe["overflow"] == 0
            assert shown.probe["cells"] == hosts
            assert shown.probe["signs"] == 9 if hosts > 40 else shown.probe["signs"] > 4
            assert shown.probe["smallest_cell"] >= 12
            assert len(set(shown.pixels)) > 20, "the top of the page is blank"
            assert shown.brightness < 60 if dark else shown.brightness > 200
    assert max(one.stat().st_size for one in pages) < 500_000


def test_the_page_opened_as_a_file_is_silent(
    page_of: Callable[[int, int], Path], tmp_path: Path
) -> None:
    """As an operator opens it: nothing on the console, no request, and it can be printed."""
    paper = tmp_path / "page.pdf"
    ran = browse(page_of(3000, 20), tmp_path, f"--print-to-pdf={paper}")
    assert console(ran.stderr) == ""
    assert paper.read_bytes().startswith(b"%PDF-")


def test_these_tests_would_notice(page_of: Callable[[int, int], Path], tmp_path: Path) -> None:
    """A page that is too wide and asks another host does not go unnoticed beside a good one."""
    bad = tmp_path / "bad.html"
    text = page_of(1, 0).read_text("utf-8")
    wide = '<svg style="display: block" width="2000" height="9"></svg>'
    bad.write_text(text.replace("</footer>", f'</footer>{wide}<img src="https://x.test/y.png">'))
    found, said = show([page_of(1, 0), bad], tmp_path)
    assert [shown.probe["overflow"] > 0 for shown in found] == [False, False, True, True]
    assert "x.test" in said
