"""The page of `report`: a judgement and a timeline as one HTML file that needs nothing else.

The template decides how it looks; this module gives it words, figures and charts. Whatever stands
in the files reaches the page through `written`, and is escaped after that.
"""

from collections.abc import Iterator
from functools import lru_cache

from jinja2 import Environment, StrictUndefined, Template

from tau_transport_health import __version__
from tau_transport_health.contract.event import KNOWN_REASON_CODES
from tau_transport_health.contract.state import HealthState
from tau_transport_health.durations import age
from tau_transport_health.formats.page.charts import charts_of, code_rows
from tau_transport_health.formats.page.figures import figure, pixels, span, utc, written
from tau_transport_health.health.assessment import Assessment
from tau_transport_health.health.diagnosis import Diagnosis
from tau_transport_health.log.codes import warnings_of as code_warnings
from tau_transport_health.log.timeline import Timeline


def page(diagnosis: Diagnosis, timeline: Timeline, *, template: str) -> str:
    """The page about one look at a target and its whole event log.

    Args:
        diagnosis: The look, with its judgement and its symptoms.
        timeline: What the event log adds up to over time.
        template: The text of the page's template.
    """
    inspection = diagnosis.inspection
    assessment = inspection.assessment
    return _compiled(template).render(
        accent=assessment.health_state if assessment.is_reliable else HealthState.UNKNOWN,
        assessment=assessment,
        charts=tuple(charts_of(timeline)),
        codes=tuple(code_rows(timeline)),
        diagnosis=diagnosis,
        cycles=tuple(reversed(timeline.recent)),
        headline=_headline(assessment),
        inspection=inspection,
        known_codes=KNOWN_REASON_CODES,
        slots=[(start, held) for start, held in timeline.slots() if held is not None],
        snapshot=tuple(_snapshot(assessment)),
        timeline=timeline,
        version=__version__,
        warnings=(*assessment.warnings, *_warnings(timeline)),
    )


@lru_cache(maxsize=1)  # compiling takes many times as long as a page
def _compiled(template: str) -> Template:
    environment = Environment(
        autoescape=True,
        finalize=written,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(px=pixels, span=span, utc=utc)
    return environment.from_string(template)


def _headline(assessment: Assessment) -> str:
    word = assessment.health_state.capitalize()
    if assessment.snapshot is not None and not assessment.is_reliable:
        return f"{word} on record, not to be relied on"
    return word


def _snapshot(assessment: Assessment) -> Iterator[tuple[str, str, str]]:
    """Each figure of the health snapshot: its name, its value, its key in the file."""
    health = assessment.snapshot
    if health is None or assessment.age_ms is None:
        return
    yield "Written", age(assessment.age_ms), "updated_unix_ms"
    for name, key in (
        ("Failure streak", "failure_streak"),
        ("Queue depth", "queue_depth"),
        ("Active runs", "active_runs"),
        ("Cycle took", "cycle_duration_ms"),
        ("Discovered", "last_cycle_discovered"),
        ("Processed", "last_cycle_processed"),
        ("Completed", "last_cycle_completed"),
        ("Failed", "last_cycle_failed"),
        ("Duplicates", "last_cycle_duplicates"),
    ):
        unit = " ms" if key.endswith("_ms") else ""
        yield name, f"{figure(getattr(health, key))}{unit}", key


def _warnings(timeline: Timeline) -> Iterator[str]:
    if total := timeline.invalid.total:
        lines = "1 line is" if total == 1 else f"{figure(total)} lines are"
        yield f"{lines} invalid in the event log, and counted nowhere else on this page"
    if timeline.steps_back:
        events = "1 event is" if timeline.steps_back == 1 else f"{figure(timeline.steps_back)} are"
        yield (
            f"times run backwards in the event log: {events} dated before the one above; "
            f"the first is line {timeline.first_step_back}"
        )
    yield from code_warnings(timeline.total.reason_code_counts.keys())
