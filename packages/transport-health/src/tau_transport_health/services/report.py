"""Makes the page of `report`: diagnoses, reads the log over time, puts the page in place."""

from importlib.resources import files
from pathlib import Path

from tau_transport_health.files.output import write_output
from tau_transport_health.formats.page.page import page
from tau_transport_health.health.assessment import Inspection
from tau_transport_health.log.timeline import Timeline
from tau_transport_health.services.diagnose import diagnosis_of


def write_report(inspection: Inspection, output: Path) -> None:
    """Write the page about one look at a target where `--output` says.

    Raises:
        OutputError: if the file cannot be written; what was there is as it was.
    """
    timeline = Timeline()
    diagnosis = diagnosis_of(inspection, with_runs=True, timeline=timeline)
    timeline.close()
    text = page(diagnosis, timeline, template=template())
    write_output(output, text.encode())


def template() -> str:
    """The template of the page, wherever the package is installed."""
    return files("tau_transport_health.formats.page").joinpath("report.html").read_text("utf-8")
