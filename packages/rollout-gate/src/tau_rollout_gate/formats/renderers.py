"""The formats of an answer by the name that `--format` takes, each imported when it is called."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from tau_rollout_gate.decision.answer import Answer

Renderer = Callable[[Answer], str]


def _imported_when_called(module: str) -> Renderer:
    def render(answer: Answer) -> str:
        rendered: str = import_module(f"tau_rollout_gate.formats.{module}").render(answer)
        return rendered

    return render


RENDERERS: Mapping[str, Renderer] = MappingProxyType(
    {
        name: _imported_when_called("json_answer" if name == "json" else name)
        for name in ("text", "json", "junit", "github", "markdown", "openmetrics")
    }
)
