"""The events of a test: in our fields, as the PBX sends them, or the broker's."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pbxrules.conditions.reading import event_faults
from pbxrules.errors import Fault, ReportError
from pbxrules.language import Language, duration_text
from pbxrules.model import NOTHING, Event, FieldValue
from pbxrules.pbx import openvox
from pbxrules.pbx.tables import ACTIONS
from pbxrules.schema import Path
from pbxrules.testing.cases import Broker, Happening, Report
from pbxrules.testing.moments import received_at, seconds

FORMS = ("event", "report", "broker")
"""What an event of a test is told by: one of these."""
NO_FIELDS = frozenset({"at", "payload", "report", "broker"})
NUMBERS = frozenset({"duration", "talk_duration"})
"""Fields that are numbers, where they are."""


def happenings(
    events: Sequence[Any],
    path: Path,
    language: Language,
    began_s: float,
    found: list[Fault],
) -> Iterator[Happening]:
    """What happens, in order; what is wrong with it goes to *found*."""
    at_s = 0.0
    for place, told in enumerate(events):
        if not isinstance(told, Mapping):
            continue  # something is wrong with it, and was told
        at = (*path, place)
        when = seconds(told.get("at"), (*at, "at"), found)
        if when is not None and when < at_s:
            message = f"{told['at']} is before the event above it, at {duration_text(at_s)}"
            hint = "events stand in the order in which they happen"
            found.append(Fault((*at, "at"), "wrong-value", message, hint))
        at_s = at_s if when is None else max(at_s, when)
        wrong = _form_fault(told, at)
        if wrong is not None:
            found.append(wrong)
        elif "broker" in told:
            yield Broker(at_s=at_s, up=told["broker"] == "up")
        else:
            event = _event(told, at, language, received_at(began_s, at_s), found)
            if event is not None:
                yield Report(at_s=at_s, event=event)


def _form_fault(told: Mapping[str, Any], path: Path) -> Fault | None:
    forms = [form for form in FORMS if told.get(form) is not None]
    if not forms:
        hint = "such as event: ring; or say report, or broker"
        return Fault(path, "missing-key", "'event' is missing from an event", hint)
    beside = forms[1:] if forms[0] == "event" else [k for k in told if k not in (forms[0], "at")]
    if not beside:
        return None
    message = f"'{forms[0]}' and '{beside[0]}' can't both stand in an event"
    return Fault((*path, beside[0]), "two-keys", message, "make two events of it", at_key=True)


def _event(
    told: Mapping[str, Any], path: Path, language: Language, at: str, found: list[Fault]
) -> Event | None:
    if "report" not in told:
        wrong = list(event_faults(told["event"], (*path, "event"), language))
        found += wrong
        return None if wrong else _of_fields(told, language, at)
    try:
        return openvox.read(told["report"], schemas=language.event_schemas, received_at=at)
    except ReportError as exc:
        for error in exc.errors:
            inner = tuple(_step(step) for step in error.pointer.split("/")[1:])
            where = (*path, "report", *inner)
            message = f"the PBX sends no such report: {error.message}"
            found.append(Fault(where, "bad-report", message))
        return None


def _step(text: str) -> str | int:
    return int(text) if text.isdigit() else text.replace("~1", "/").replace("~0", "~")


def _of_fields(told: Mapping[str, Any], language: Language, at: str) -> Event:
    """The event, with what every event has; a field that is null is absent."""
    kind = told["event"]
    fields: dict[str, FieldValue] = {"event": kind, "action": _action(kind, language)}
    fields |= {
        name: _value(name, value)
        for name, value in told.items()
        if name not in NO_FIELDS and value is not None
    }
    fields.setdefault("received_at", at)
    return Event(fields=fields, payload=told.get("payload") or NOTHING)


def _action(kind: str, language: Language) -> str:
    """The PBX's word for an event."""
    own = (action for action, known in language.event_schemas.items() if known.event == kind)
    return ACTIONS.get(kind) or next(own, kind)


def _value(name: str, value: Any) -> FieldValue:
    if isinstance(value, list | tuple):
        return tuple(_text(item) for item in value)
    text = _text(value)
    if name in NUMBERS and text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text) if "." in text else int(text)
    return (text,) if name == "extensions" else text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
