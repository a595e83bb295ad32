"""The targets file: more targets than the built-in ones, in TOML."""

from pathlib import Path

from tau_transport_health.errors import OutputError, TargetError, UnreadableError
from tau_transport_health.health.targets import Target, checked_name, parse_targets

DEFAULT_TARGETS_FILE = Path(".tau/targets.toml")
"""Where more targets are named, unless the operator says where."""


def read_targets(path: Path | None) -> dict[str, Target]:
    """The targets of a file that was named; of the default one if none was, and there is one.

    Raises:
        UnreadableError: if it cannot be read, or was named and is not there.
        TargetError: if it is not a targets file; the text names it and what is wrong.
    """
    try:
        raw = (path or DEFAULT_TARGETS_FILE).read_bytes()
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return {}
        file = path or DEFAULT_TARGETS_FILE
        raise UnreadableError(f"{file}: cannot be read: {error.strerror or error}") from None
    import tomllib  # noqa: PLC0415 - start-up counts, and few have a targets file

    try:
        return parse_targets(tomllib.loads(raw.decode("utf-8")))
    except (ValueError, RecursionError) as error:  # not UTF-8, or not TOML
        raise TargetError(f"{path}: not TOML: {error}") from None
    except TargetError as error:
        raise TargetError(f"{path}: {error}") from None


def add_target(path: Path, name: str, *, state_dir: str, label: str | None) -> None:
    """Add a target to the file, or change it; the rest of the file keeps its values.

    Raises:
        TargetError: if the name may not be used, or the file is not a targets file.
        OutputError: if the file cannot be written.
    """
    import tomli_w  # noqa: PLC0415 - as above

    from tau_transport_health.files.output import replace_file  # noqa: PLC0415 - as above

    targets = read_targets(path) if path.exists() else {}
    targets[checked_name(name)] = Target(name=name, label=label or name, state_dir=state_dir)
    tables = {
        target.name: {"state_dir": target.state_dir, "label": target.label}
        for target in targets.values()
    }
    parse_targets({"targets": tables})  # what could not be read back is not written
    try:
        replace_file(path, tomli_w.dumps({"targets": tables}).encode())
    except UnicodeEncodeError:
        raise OutputError(f"{path}: a name that is not text cannot be written") from None
