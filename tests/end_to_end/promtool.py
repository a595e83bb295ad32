"""Asks promtool, as an engine for queries: of series that were exported, nothing is served."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is not installed (Debian: prometheus)"
)
MINUTES = 120
"""How long each series is: a sample a minute."""

_GOT = re.compile(r'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\} (\S+?)(?:, |$)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ASKED = re.compile(
    r'^ +expr: "((?:[^"\\]|\\.)*)", time: .*\n +exp: nil\n +got: (.*)$', re.MULTILINE
)


class Found(NamedTuple):
    """A sample that a query gave."""

    labels: Mapping[str, str]
    value: float


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    return subprocess.run(
        [PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def samples_of(exposition: str) -> list[Sample]:
    """Return the samples of what was exported."""
    families = text_string_to_metric_families(exposition)  # type: ignore[no-untyped-call] # it has none
    return [sample for family in families for sample in family.samples]


def series(host: str, samples: Iterable[Sample]) -> list[dict[str, str]]:
    """Return what a host exports each minute, as promtool takes it, its clock begun at 0.

    Each answer is as the first one, but for the time that it was given at.
    """
    samples = list(samples)
    judged = {
        sample.name.partition("_evaluated_")[0]: sample.value
        for sample in samples
        if sample.name.endswith("_evaluated_timestamp_seconds")
    }
    return [_series(host, sample, judged) for sample in samples]


def _series(host: str, sample: Sample, judged: Mapping[str, float]) -> dict[str, str]:
    labels = {"job": "node", "instance": host, **sample.labels}
    written = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
    value, more = sample.value, 0
    if sample.name.endswith("_timestamp_seconds"):
        (begin,) = (at for prefix, at in judged.items() if sample.name.startswith(f"{prefix}_"))
        value -= begin
        more = 60 if "_evaluated_" in sample.name else 0
    return {"series": f"{sample.name}{{{written}}}", "values": f"{value}+{more}x{MINUTES}"}


def query(
    folder: Path,
    exported: list[dict[str, str]],
    expressions: Iterable[str],
    *,
    minutes: int,
    rules: Path | None = None,
) -> dict[str, list[Found]]:
    """Return what each expression gives, so many minutes after the beginning.

    promtool tells what it got where something else was expected; here nothing always is.
    """
    found: dict[str, list[Found]] = {expression: [] for expression in expressions}
    asked = [{"expr": each, "eval_time": f"{minutes}m", "exp_samples": []} for each in found]
    test: dict[str, Any] = {
        "rule_files": [] if rules is None else [str(rules)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": exported, "promql_expr_test": asked}],
    }
    path = folder / "query.yml"
    path.write_text(json.dumps(test))  # which is YAML too
    done = run("test", "rules", path)
    told = done.stdout + done.stderr
    for expression, got in _ASKED.findall(told):
        found[json.loads(f'"{expression}"')] = [
            Found(
                {name: json.loads(f'"{text}"') for name, text in _LABEL.findall(labels)},
                float(value),
            )
            for labels, value in _GOT.findall(got)
        ]
    assert any(found.values()) == (done.returncode != 0), told
    return found
