"""`targets list`, `targets add`, `targets remove`: the transports that commands know by name."""

from typing import Annotated

import typer

from tau_transport_health.cli.options import AsJson, Root, TargetsFile
from tau_transport_health.cli.output import answer, say, say_written
from tau_transport_health.cli.question import either_format
from tau_transport_health.files.targets import add_target, begins_with_mark, remove_target
from tau_transport_health.formats.text import targets_text
from tau_transport_health.services.inspect import DEFAULT_ROOT, Question, known_targets

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="What it is called.")]


@either_format
def list_targets(
    *, root: Root = DEFAULT_ROOT, targets: TargetsFile = None, as_json: AsJson = False
) -> None:
    """List the built-in targets and those of the targets file.

    Example: tau-transport-health targets list --root /srv/tau
    """
    question = Question(name=None, root=root, targets_file=targets)
    rows = known_targets(question)
    answer(rows if as_json else targets_text(rows))
    if begins_with_mark(question.targets_path):
        say(f"{question.targets_path} begins with a byte order mark, which is passed over")


def add(
    name: Name,
    *,
    state_dir: Annotated[
        str, typer.Option(metavar="DIR", show_default=False, help="Where its state files are.")
    ],
    label: Annotated[
        str | None,
        typer.Option(metavar="LABEL", show_default=False, help="Its label; the name otherwise."),
    ] = None,
    root: Root = DEFAULT_ROOT,
    targets: TargetsFile = None,
) -> None:
    """Add a target to the targets file, or change it there.

    The rest of the file stays as it is, its comments too.

    Example: tau-transport-health targets add billing --state-dir .tau/billing
    """
    path = Question(name=None, root=root, targets_file=targets).targets_path
    add_target(path, name, state_dir=state_dir, label=label)
    say_written(path)


def remove(name: Name, *, root: Root = DEFAULT_ROOT, targets: TargetsFile = None) -> None:
    """Take a target out of the targets file.

    The rest of the file stays as it is, and so do the target's own files.

    Example: tau-transport-health targets remove billing
    """
    path = Question(name=None, root=root, targets_file=targets).targets_path
    remove_target(path, name)
    say_written(path)
