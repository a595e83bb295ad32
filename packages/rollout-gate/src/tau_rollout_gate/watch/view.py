"""What `watch` draws: the phases as a track, the soak as progress, the answer, the last decisions.

Text from the files enters the view as `Text`, made harmless before: neither markup nor escape
sequences in it act.
"""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.text import Text

from tau_rollout_gate.durations import utc
from tau_rollout_gate.formats import phrases, text
from tau_rollout_gate.formats.decisions import history_text
from tau_rollout_gate.formats.layout import Look
from tau_rollout_gate.formats.next_steps import next_steps
from tau_rollout_gate.formats.track import track_of
from tau_rollout_gate.services.report import Sight

MOST_DECISIONS = 4

_SIGNS = {"passed": "✓", "here": "▶", "stopped": "■", "ahead": "○"}
_STYLES = {"passed": "green", "here": "bold", "stopped": "bold red", "ahead": "dim"}


def view(sight: Sight, *, interval_seconds: float) -> RenderableType:
    """What the terminal shows of one look."""
    judged = f"judged at {utc(sight.answer.evaluated_unix_ms)}, "
    return Group(_head(interval_seconds, judged), *_parts(sight))


def problem(words: str, *, interval_seconds: float) -> RenderableType:
    """What it shows where a look failed, which may be over at the next one."""
    shown = "\n".join(map(phrases.shown, words.splitlines()))
    return Group(_head(interval_seconds), Text(shown, style="bold magenta"))


def _head(interval_seconds: float, judged: str = "") -> Text:
    return Text(f"{judged}looks every {interval_seconds:g} s; Ctrl-C ends\n", style="dim")


def _parts(sight: Sight) -> Iterator[RenderableType]:
    answer, around = sight.answer, sight.around
    track = Text()
    for step in track_of(around.rollout, sight.policy, sight.decisions):
        words = f"{_SIGNS[step.state]} {phrases.step(step.name, step.percent)}"
        unbroken = phrases.shown(words).replace(" ", "\N{NO-BREAK SPACE}")
        track.append(unbroken, style=_STYLES[step.state]).append("   ")
    yield track
    yield Text()
    if answer.soak.required_ms and not phrases.is_closed(answer):
        held = min(answer.soak.held_ms, answer.soak.required_ms)
        yield ProgressBar(total=answer.soak.required_ms, completed=held, width=60)
    yield _Answer(sight)
    yield Text()
    for typed in next_steps(answer, around):
        yield Text(phrases.shown(typed.command), style="bold", overflow="fold")
    yield Text()
    yield Text(history_text(sight.decisions[-MOST_DECISIONS:]), style="dim", no_wrap=True)


class _Answer:
    """The answer as `evaluate` prints it, as wide as the terminal is when it is drawn."""

    def __init__(self, sight: Sight) -> None:
        self._answer = sight.answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        look = Look(width=options.max_width, is_coloured=not console.no_color)
        yield Text.from_ansi(text.render(self._answer, look=look))
