"""Makes one value of the options of a change by hand: about what, who asks, and why."""

from typing import Annotated

from tau_rollout_gate.cli import options
from tau_rollout_gate.cli.question import Dated, Engined, From, asks
from tau_rollout_gate.services.intervene import Asked, who
from tau_rollout_gate.services.recorded import as_text


def _by(*, by: options.By = None) -> str:
    return who(by)


By = Annotated[str, From(_by)]
"""Who asks, for the record."""


@asks
def _asked(reason: options.Reason, *, question: Dated, by: By) -> Asked:
    return Asked(question=question, by=by, reason=as_text("--reason", reason))


Request = Annotated[Asked, From(_asked)]
"""About what, who and why: what a change by hand takes."""


@asks
def _judging(reason: options.Reason, *, question: Engined, by: By) -> Asked:
    return Asked(question=question, by=by, reason=as_text("--reason", reason))


Judging = Annotated[Asked, From(_judging)]
"""The same of a change that looks at the evidence, which of a fleet an engine does."""
