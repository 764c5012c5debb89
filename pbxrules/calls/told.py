"""What a report tells of its call: the ids of legs, the parties, the way it goes.

These are made for each report, and so are tuples: a frozen dataclass costs four times as much.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pbxrules.model import Event, FieldValue

MAX_TEXT = 128
"""An id or a number that is longer is none, and is not kept."""
MAX_LISTED = 32
"""Of a call's ids, extensions and so on so many are kept."""
_MAX_DIGITS = 15

Point = tuple[int, int]
"""Epoch and counter of a leg's id."""

_ABOUT: Mapping[str, str] = {
    "alert": "caller",
    "ring": "callee",
    "answer": "callee",
    "call_failed": "callee",
    "bye": "extension",
    "cdr": "callee",
}
"""For each event the field that says which of a call's several such reports it is."""


class Mark(NamedTuple):
    """That a call was told this of one of its legs."""

    event: str
    about: str
    leg: str
    pbx: str | None


class Told(NamedTuple):
    """One report, as far as calls are concerned."""

    mark: Mark
    ids: tuple[str, ...]
    """The trunk's id first: it is the first leg's, whichever leg the report is of."""
    first_leg: str | None
    """Which of *ids* is surely the first leg's."""
    pbx: str | None
    direction: str | None
    caller: str | None
    callee: str | None
    extensions: tuple[str, ...]
    answers: bool
    """It says that somebody talked."""

    @property
    def event(self) -> str:
        """``ring``, ``alert``, … or ``other``."""
        return self.mark.event


def tell(event: Event) -> Told | None:
    """What *event* tells of its call; None if it has no call's id, and so belongs to none."""
    fields = event.fields
    trunk_id, call_id = _text(fields.get("trunk_call_id")), _text(fields.get("call_id"))
    kind, leg = event.kind, call_id or trunk_id
    if leg is None or kind == "extension_status":
        return None
    pbx, direction = _text(fields.get("pbx")), _text(fields.get("direction"))
    extensions = fields.get("extensions")
    return Told(
        mark=Mark(kind, _text(fields.get(_ABOUT.get(kind, ""))) or "", leg, pbx),
        ids=(leg,) if trunk_id is None or trunk_id == leg else (trunk_id, leg),
        # The BYEs of an outbound call give the leg they are of as the trunk's.
        first_leg=trunk_id if direction == "inbound" or kind in ("ring", "answer") else None,
        pbx=pbx,
        direction=direction,
        caller=_text(fields.get("caller")),
        callee=_text(fields.get("callee")),
        extensions=_listed(extensions) if isinstance(extensions, tuple) else (),
        answers=kind == "answer" or (kind == "cdr" and fields.get("status") == "ANSWERED"),
    )


def _text(value: FieldValue | None) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT else None


def _listed(extensions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in extensions[:MAX_LISTED] if 0 < len(name) <= MAX_TEXT)


def point(leg: str) -> Point | None:
    """Epoch and counter of an id such as 1589948512.1709; None for another kind of id."""
    epoch, _, counter = leg.partition(".")
    if not (epoch.isdigit() and counter.isdigit() and leg.isascii()):
        return None
    return (int(epoch), int(counter)) if len(leg) <= 2 * _MAX_DIGITS else None


def points(legs: tuple[str, ...]) -> list[Point]:
    """Those of *legs* that have an epoch and a counter."""
    return [found for found in map(point, legs) if found is not None]
