"""How an answer is printed: one module a format, each with `render(answer) -> str`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from tau_rollout_gate.decision.answer import Answer

Renderer = Callable[[Answer], str]


def _imported_when_called(module: str) -> Renderer:
    def render(answer: Answer) -> str:
        rendered: str = import_module(f"{__name__}.{module}").render(answer)
        return rendered

    return render


RENDERERS: Mapping[str, Renderer] = MappingProxyType(
    {
        "text": _imported_when_called("text"),
        "json": _imported_when_called("json_answer"),
        "junit": _imported_when_called("junit"),
        "github": _imported_when_called("github"),
        "markdown": _imported_when_called("markdown"),
        "openmetrics": _imported_when_called("openmetrics"),
    }
)
"""The formats by the name that `--format` takes (options.Format)."""
