"""A report as the PBX sends it, made from the fields that its event shall have.

The inverse of ``openvox.read``, by the same tables: an option goes where ``SOURCES`` says
that the field of its name comes from, and one that the report has no place for is refused.
So whatever is given is in the event that the daemon makes of the report.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from pbxrules.errors import did_you_mean
from pbxrules.pbx.tables import ACTIONS, FIELDS, SOURCES

_CDR = "callid timestart callfrom callto callduraction talkduraction status type recording sn"

LAYOUTS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("ring", "internal"): "callid ext[2] sn",
        ("ring", "inbound"): "callid ext inbound sn",
        ("ring", "outbound"): "callid outbound ext sn",
        ("alert", "internal"): "callid ext[1] sn",
        ("alert", "inbound"): "callid inbound sn",
        ("alert", "outbound"): "callid ext sn",
        ("answer", "internal"): "callid ext[2] sn",
        ("answer", "inbound"): "callid inbound ext sn",
        ("answer", "outbound"): "callid ext outbound sn",
        ("bye", "internal"): "callid ext[2] sn",
        ("bye", "inbound"): "callid ext inbound sn",
        ("bye", "outbound"): "callid ext outbound sn",
        ("call_failed", "internal"): "reason callid ext[2] sn",
        ("call_failed", "inbound"): "reason callid ext inbound sn",
        ("call_failed", "outbound"): "reason callid outbound ext sn",
        ("transfer", "internal"): "callid ext[2] sn",
        ("transfer", "inbound"): "callid ext inbound sn",
        ("transfer", "outbound"): "callid ext outbound sn",
        ("extension_status", ""): "extension status sn",
        ("cdr", "internal"): _CDR,
        ("cdr", "inbound"): _CDR,
        ("cdr", "outbound"): _CDR,
    }
)
"""The members behind ``action``, in the PBX's order; ``ext[n]``: ``extid`` is a list of n."""

_EXTIDS = {"ext": ("ext.0",), "ext[1]": ("ext.0",), "ext[2]": ("ext.0", "ext.1")}
_FOLLOWS = ("extensions", "call_id", "pbx")  # are no options: they come from others
_MAX_DIGITS = 15
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_INSIDE = ("101", "106", "102")
_OUTSIDE = "103"
_TRUNK = "to-18-16-2"
_DEFAULTS: Mapping[str, str] = {
    "inbound.from": _OUTSIDE, "inbound.trunk": _TRUNK,
    "outbound.to": _OUTSIDE, "outbound.trunk": _TRUNK,
    "reason": "480", "extension": "101", "callduraction": "10", "talkduraction": "5",
}  # fmt: skip
_CDR_PARTIES = {
    "internal": ("106", "101"), "inbound": (_OUTSIDE, "101"), "outbound": ("106", _OUTSIDE),
}  # fmt: skip


def compose(
    kind: str,
    *,
    call_id: str,
    pbx: str | None = None,
    other: str | None = None,
    **fields: str | int | None,
) -> dict[str, Any]:
    """The report of the event *kind*, its members in the order in which the PBX writes them.

    Args:
        kind: One of ``ACTIONS``.
        call_id: An ``extension_status`` has none.
        pbx: The PBX's serial; without it the report has no ``sn``.
        other: The second extension of an internal ``bye`` or ``transfer``, which no field names.
        fields: By the names of ``FIELDS``; None is as not given.  An empty text is what
            the PBX sends for a withheld number.  The rest is as in the manufacturer's
            examples; without ``direction`` it is inbound where a trunk is spoken of.  The
            ``direction`` of an ``alert`` by an extension only decides how it is written.

    Raises:
        ValueError: The fields don't fit together; the message is for the person who gave them.
    """
    if kind not in ACTIONS:
        hint = did_you_mean(kind, ACTIONS) or f"there are {', '.join(ACTIONS)}"
        raise ValueError(f"the PBX reports no '{kind}' ({hint})")
    given = {name: str(value) for name, value in fields.items() if value is not None}
    direction = _direction(kind, given)
    layout = LAYOUTS[kind, direction].split()
    slots = _slots(kind, direction, given)
    if other is not None:
        if "ext[2]" not in layout:
            raise ValueError(f"{_report(kind, direction)} names no other extension")
        slots = _put(slots, "ext.1", other, "other")
    if "callid" in layout and not call_id:
        raise ValueError(f"{_report(kind, direction)} needs a call_id")
    slots["callid"] = call_id
    if pbx is not None:
        slots["sn"] = pbx
    _fill_extensions(slots, kind, direction, layout)
    _fill(slots, kind, direction)
    members = ((name.partition("[")[0], _member(name, slots)) for name in layout)
    return {"action": ACTIONS[kind]} | {name: value for name, value in members if value is not None}


def _report(kind: str, direction: str) -> str:
    return f"the report of {direction and direction + ' '}'{kind}'"


def _direction(kind: str, given: Mapping[str, str]) -> str:
    possible = [direction for (event, direction) in LAYOUTS if event == kind]
    if (wanted := given.get("direction")) is not None:
        if wanted not in possible:
            choice = ", ".join(filter(None, possible)) or "none"
            raise ValueError(f"the directions of '{kind}' are {choice}; not '{wanted}'")
        return wanted
    spoken_of = any(name in given for name in ("trunk", "trunk_call_id", "dialled"))
    return "inbound" if spoken_of and "inbound" in possible else possible[0]


def _row(kind: str, direction: str) -> Mapping[str, str]:
    if (kind, direction) == ("alert", "outbound"):
        direction = "internal"  # it differs only in how extid is written
    return SOURCES.get((kind, direction)) or SOURCES[kind, "none"]


def _slots(kind: str, direction: str, given: Mapping[str, str]) -> dict[str, str]:
    """The given texts by the source of their field."""
    row = _row(kind, direction)
    slots: dict[str, str] = {}
    for name, value in given.items():
        if name == "direction":
            continue
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS)
            raise ValueError(f"no field is called '{name}'" + (f" ({hint})" if hint else ""))
        if name not in row or name in _FOLLOWS:
            raise ValueError(_no_place(kind, direction, name))
        if name in ("duration", "talk_duration") and not _is_digits(value):
            raise ValueError(f"{name} is a whole number of seconds; not '{value}'")
        slots = _put(slots, _first(row[name]), value, name)
    return slots


def _first(source: str) -> str:
    return source.partition("|")[0]


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def _no_place(kind: str, direction: str, name: str) -> str:
    ways = [way for event, way in LAYOUTS if event == kind and way and name in _row(event, way)]
    ways = [] if name in _FOLLOWS else ways
    hint = f"; '{kind}' has it when it is {' or '.join(ways)}" if ways else ""
    return f"{_report(kind, direction)} has no place for {name}{hint}"


def _put(slots: Mapping[str, str], source: str, value: str, name: str) -> dict[str, str]:
    if (there := slots.get(source, value)) != value:
        raise ValueError(f"{name} '{value}' does not fit: in its place stands '{there}' already")
    if not value and (source.startswith("ext") or source == "status"):
        raise ValueError(f"{name} can't be empty")
    return {**slots, source: value}


def _fill_extensions(slots: dict[str, str], kind: str, direction: str, layout: list[str]) -> None:
    """106 calls 101, unless one of them has another part in it."""
    caller = _first(_row(kind, direction).get("caller", ""))
    for slot in _EXTIDS.get(next((name for name in layout if name in _EXTIDS), ""), ()):
        taken = [slots.get("ext.0"), slots.get("ext.1")]
        preferred = ("106", *_INSIDE) if slot == caller else _INSIDE
        slots.setdefault(slot, next(number for number in preferred if number not in taken))


def _fill(slots: dict[str, str], kind: str, direction: str) -> None:
    """Put the examples' values, or what follows from the rest, where nothing was given."""
    inside = slots.get("ext.0", "101")
    defaults = {
        **_DEFAULTS,
        "inbound.to": inside,
        "inbound.inboundid": _leg_before(slots["callid"]),
        "outbound.from": inside,
        "outbound.outboundid": slots["callid"],
        "status": "ANSWERED" if kind == "cdr" else "Ringing",
    }
    if kind == "cdr":
        callfrom, callto = _CDR_PARTIES[direction]
        defaults |= {"callfrom": callfrom, "callto": callto, "type": direction.capitalize()}
        defaults["timestart"] = _started(slots["callid"])
    for slot, value in defaults.items():
        slots.setdefault(slot, value)


def _parts(call_id: str) -> tuple[int, int] | None:
    """Epoch and counter of an id such as 1589948512.1709."""
    epoch, _, counter = call_id.partition(".")
    both = _is_digits(epoch) and _is_digits(counter)
    return (int(epoch), int(counter)) if both else None


def _leg_before(call_id: str) -> str:
    """The inboundid: in the examples the callid's counter less 2."""
    parts = _parts(call_id)
    return f"{parts[0]}.{max(0, parts[1] - 2)}" if parts else call_id


def _started(call_id: str) -> str:
    """The epoch of *call_id* as ``timestart`` writes it, on a PBX that lives in UTC."""
    epoch, _ = _parts(call_id) or (0, 0)
    return datetime.fromtimestamp(min(epoch, 2**32), UTC).strftime("%Y-%m-%d %H:%M:%S")


def _member(name: str, slots: Mapping[str, str]) -> Any:
    match name:
        case "ext":
            return {"extid": slots["ext.0"]}
        case "ext[1]" | "ext[2]":
            return {"extid": [slots[slot] for slot in _EXTIDS[name]]}
        case "inbound" | "outbound":
            members = ("from", "to", "trunk", f"{name}id")
            return {member: slots[f"{name}.{member}"] for member in members}
        case "reason":
            # A number on the wire, where it is one.
            reason = slots[name]
            return int(reason) if reason in map(str, range(1000)) else reason
        case _:
            return slots.get(name)


def encode(report: Mapping[str, Any]) -> bytes:
    """*report* as the PBX writes it: on one line, without spaces."""
    return _ENCODER.encode(report).encode()


def request(body: bytes, host: str, path: str | None = None) -> bytes:
    """The HTTP request that the PBX sends; without *path* its request line names none.

    Raises:
        ValueError: *host* or *path* would break the header lines.
    """
    for name, text in (("host", host), ("path", path or "")):
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"the {name} can't hold spaces, control characters or non-ASCII")
    lines = [
        f"POST {path} HTTP/1.1" if path else "POST HTTP/1.1",
        f"Host:{host}",
        f"Content-Length:{len(body)}",
        "Accept: application/json",
        "Content-Type:application/json",
        "Connection:close",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
