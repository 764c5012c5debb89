"""The reports of OpenVox UC (and Yeastar S v1) → ``Event``, by the tables of ``tables.py``."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from pbxrules.errors import ReportError, ValueProblem
from pbxrules.model import Event, FieldValue
from pbxrules.pbx.body import parse
from pbxrules.pbx.spellings import Plain, is_plain, plain, unmarked
from pbxrules.pbx.tables import ACTIONS, EVENT_FIELDS, FIELDS, SOURCES, WAY_FIELDS, WAYS
from pbxrules.schema import EventSchema

__all__ = ["ACTIONS", "EVENT_FIELDS", "FIELDS", "SOURCES", "WAYS", "WAY_FIELDS", "as_sent", "read"]

# Longer is no duration, and int() of a long text is slow, of over 4,300 digits an error.
_MAX_SECONDS = 10**15
_MAX_ERRORS = 100


def read(
    report: Mapping[str, Any], *, schemas: Mapping[str, EventSchema], received_at: str
) -> Event:
    """The event that *report* is.

    Args:
        report: As ``body.parse`` gives it, with ``Repeated`` for a repeated ``ext``.
        schemas: By ``action``, as ``schema.event_schemas`` gives them.
        received_at: ISO 8601, UTC; it becomes the field of that name as it is.

    Returns:
        An action of no schema gives the event ``other``.  A schema whose event is none of
        ``ACTIONS`` (a user's own) is asked about the report as sent; its event, like
        ``other``, has what the parties tell where they are of the known shape.

    Raises:
        ReportError: 422, with everything that is wrong; the pointers are into the report
            as sent, where the values of a repeated ``ext`` stand in a list.
    """
    action = report.get("action")
    if type(action) is not str or not action:
        _refuse_action(report)
    known = schemas.get(action)
    if known is None or known.event not in ACTIONS:
        return _foreign(report, action, known, received_at)
    event = known.event
    payload = told = report
    form: Plain | None = None
    if not is_plain(report):
        payload = unmarked(report)
        form = plain(report) if (event, "internal") in SOURCES else _unmoved(payload)
        told = form.report
    if (form and form.problems) or not known.schema.is_valid(told):
        _refuse(form or _unmoved(report), known)
    return Event(_fields(event, event, action, told, received_at), payload)


def as_sent(body: bytes) -> Mapping[str, Any]:
    """``Event.payload`` of the report that *body* was, once it was accepted."""
    payload: Mapping[str, Any] = unmarked(parse(body))
    return payload


def _foreign(
    report: Mapping[str, Any], action: str, known: EventSchema | None, received_at: str
) -> Event:
    """The event of a report that only the user's schema knows, or none."""
    payload = report if is_plain(report) else unmarked(report)
    if known is not None and not known.schema.is_valid(payload):
        _refuse(_unmoved(payload), known)
    form = plain(report)
    # Parties of another shape than the known are the report's own affair.
    told = (
        {"callid": report.get("callid"), "sn": report.get("sn")} if form.problems else form.report
    )
    event = known.event if known else "other"
    return Event(fields=_fields(event, "other", action, told, received_at), payload=payload)


def _unmoved(report: Mapping[str, Any]) -> Plain:
    return Plain(report=report, origins={}, problems=())


def _refuse_action(report: Mapping[str, Any]) -> NoReturn:
    message = "is not a text, or empty" if "action" in report else "is missing"
    problem = ValueProblem("/action", f"'action', the kind of the report, {message}")
    raise ReportError(422, "the report does not say what it is", [problem])


def _refuse(form: Plain, known: EventSchema) -> NoReturn:
    errors = list(form.problems)
    # A body of 64 KiB has room for 30,000 errors, which take 0.8 s to explain.
    wrong = known.schema.mismatches(form.report, limit=_MAX_ERRORS)
    errors += [ValueProblem(form.pointer(found.path), found.message) for found in wrong]
    raise ReportError(422, f"the report is not a well-formed {known.event}", errors)


def _text(value: Any) -> str | None:
    """*value* as text: a number as its digits; None where it tells nothing."""
    kind = type(value)
    if kind is str:
        return value or None
    if kind is int:
        return str(value)
    if kind is float:
        return str(int(value)) if value.is_integer() and abs(value) < _MAX_SECONDS else repr(value)
    return None


def _seconds(value: Any) -> int | float | None:
    """A duration; None where it is not digits or no number."""
    if type(value) is str:
        digits = value.isascii() and value.isdigit() and len(value) < len(str(_MAX_SECONDS))
        return int(value) if digits else None
    if type(value) in (int, float) and 0 <= value < _MAX_SECONDS:
        whole = int(value)
        return whole if whole == value else value
    return None


def _direction(value: Any) -> str | None:
    """A cdr's ``type`` in our words; the twin's Callback and Transfer tell none."""
    word = value.lower() if type(value) is str else ""
    return word if word in ("internal", "inbound", "outbound") else None


def _listed(value: Any) -> tuple[str, ...] | None:
    """All of ``extid``, or the one extension of an ExtensionStatus."""
    if type(value) is tuple:
        return value
    text = _text(value)
    return None if text is None else (text,)


_CONVERTERS: Mapping[str, Callable[[Any], FieldValue | None]] = {
    "direction": _direction,
    "duration": _seconds,
    "talk_duration": _seconds,
    "extensions": _listed,
}

_Entry = tuple[str, int, str, Callable[[Any], FieldValue | None]]
_PLACES = {"inbound": 1, "outbound": 1, "ext": 2}


def _entries(row: Mapping[str, str]) -> Iterator[_Entry]:
    """*row* compiled: field, place (0 the report, 1 the trunk's party, 2 ext), key, converter."""
    for name, source in row.items():
        # The first alternative comes last, so that it overwrites the others.
        for alternative in reversed(source.split("|")):
            place, dot, key = alternative.partition(".")
            convert = _CONVERTERS.get(name, _text)
            if dot or alternative == "ext":
                yield name, _PLACES[place], key, convert
            elif not alternative.startswith("="):
                yield name, 0, alternative, convert


def _compiled(event: str, way: str) -> tuple[str, tuple[_Entry, ...]]:
    """The constant direction (or ``""``) and the entries of one row."""
    row = SOURCES.get((event, way)) or SOURCES.get((event, "none")) or SOURCES["other", "none"]
    direction = row.get("direction", "")
    return direction[1:] if direction.startswith("=") else "", tuple(_entries(row))


_ROWS = {(event, way): _compiled(event, way) for event in EVENT_FIELDS for way in WAYS}
_NOTHING: Mapping[str, Any] = {}


def _extids(ext: Any) -> Mapping[str, Any]:
    """The extensions under the names that the sources use; empty if there are none."""
    extid = ext.get("extid") if type(ext) is dict else None
    if type(extid) is str and extid:
        return {"": (extid,), "0": extid, "only": extid}
    if type(extid) is not list or not extid:
        return _NOTHING
    if not all(type(item) is str and item for item in extid):
        return _NOTHING
    named = {"": tuple(extid), "0": extid[0]}
    named["only" if len(extid) == 1 else "1"] = extid[-1 if len(extid) == 1 else 1]
    return named


def _fields(
    event: str, row: str, action: str, told: Mapping[str, Any], received_at: str
) -> dict[str, FieldValue]:
    extids = _extids(told.get("ext"))
    if type(party := told.get("inbound")) is dict:
        way = "inbound"
    elif type(party := told.get("outbound")) is dict:
        way = "outbound"
    else:
        way, party = ("internal" if extids else "none"), _NOTHING
    direction, entries = _ROWS[row, way]
    fields: dict[str, FieldValue] = {"event": event, "action": action}
    if direction:
        fields["direction"] = direction
    places = (told, party, extids)
    for name, place, key, convert in entries:
        value = convert(places[place].get(key))
        if value is not None:
            fields[name] = value
    fields["received_at"] = received_at
    return fields
