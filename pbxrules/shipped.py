"""The files that travel with pbxrules: schemas, example rules, the PBX's own reports."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder ``schemas``, ``rules`` or ``openvox``: of the wheel, else of the checkout."""
    installed = _PACKAGE / "data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def schema(name: str) -> Mapping[str, Any]:
    """The JSON Schema ``rules``, ``config`` or ``events/ring``."""
    text = (folder("schemas") / f"{name}.schema.json").read_text("utf-8")
    document: Mapping[str, Any] = json.loads(text)
    return document


def event_schemas(extra: Path | None = None) -> dict[str, Mapping[str, Any]]:
    """Every event's JSON Schema by the event's name; those of *extra* come after ours.

    Raises:
        OSError: A file can't be read.
        ValueError: A file is no JSON; the message names it.
    """
    found = {}
    for place in (folder("schemas") / "events", extra):
        for path in sorted(place.glob("*.schema.json")) if place else ():
            try:
                found[path.name.removesuffix(".schema.json")] = json.loads(path.read_text("utf-8"))
            except ValueError as exc:
                raise ValueError(f"{path}: {exc}") from exc
    return found
