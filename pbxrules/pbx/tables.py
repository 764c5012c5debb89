"""What the reports of OpenVox UC (and Yeastar S v1) tell: wire.md's tables as data.

``SOURCES`` says for each event, and each way a call can go, where every field comes from.
The reader, ``compose``, the linter and the docs read it.
"""

from collections.abc import Mapping
from types import MappingProxyType

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "event": "what happened, in our word: ring, alert, answer, …",
        "action": "the PBX's own word for it: RING, ALERT, …",
        "direction": "the call's way: internal, inbound, outbound; an extension's alert has none",
        "caller": "who calls",
        "callee": "who is called",
        "dialled": "the number called from outside, as the report gives it",
        "extension": "the extension that this report is about",
        "extensions": "list: every extension named in the report",
        "trunk": "the trunk's name",
        "trunk_call_id": "the trunk's own id of the call",
        "call_id": "the id of the call, or of this leg of it",
        "pbx": "the PBX's serial number",
        "reason": "why the call failed, as text: 480",
        "status": "of an extension: Ringing, Busy, Idle, …; of a cdr: ANSWERED, NO ANSWER, …",
        "recording": "the name of the recording's file",
        "started_at": "when the call began, in the PBX's own local time, zone unknown",
        "duration": "seconds from the call's start to its end, a number",
        "talk_duration": "seconds of talk, a number",
        "received_at": "when the daemon read the report, UTC",
    }
)
"""Every field of an event but ``payload``, in the order of ``Event.fields`` and the docs."""

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "ring": "RING",
        "alert": "ALERT",
        "answer": "ANSWER",
        "bye": "BYE",
        "call_failed": "CallFailed",
        "transfer": "Tranfer",  # spelt so
        "extension_status": "ExtensionStatus",
        "cdr": "NewCdr",
    }
)
"""The eight events, and the PBX's word for each."""

WAYS = ("internal", "inbound", "outbound", "none")
"""``inbound``/``outbound`` if the report has that member (both: a call passed on to the
outside, so it came in); ``internal`` if it has ``ext`` alone; ``none`` without parties."""

# A source is `=constant`, `ext.0` (first of extid), `ext` (all of it), `ext.only` (if it is
# the only one), `inbound.x`, `outbound.x`, or a member of the report; after `|`, what
# counts where the source before it tells nothing.
_ALWAYS = {"call_id": "callid", "pbx": "sn"}
_IN = {
    "direction": "=inbound", "dialled": "inbound.to",
    "trunk": "inbound.trunk", "trunk_call_id": "inbound.inboundid",
}  # fmt: skip
_OUT = {
    "direction": "=outbound",
    "trunk": "outbound.trunk", "trunk_call_id": "outbound.outboundid",
}  # fmt: skip
_INTERNAL = {"direction": "=internal"}
_RING_IN = {**_IN, "caller": "inbound.from", "callee": "ext.0"}
_RING_OUT = {**_OUT, "caller": "ext.0|outbound.from", "callee": "outbound.to"}
_REASON = {"reason": "reason"}

_TOLD: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("ring", "internal"): {**_INTERNAL, "caller": "ext.1", "callee": "ext.0", "extension": "ext.0"},
    ("ring", "inbound"): {**_RING_IN, "extension": "ext.0"},
    ("ring", "outbound"): _RING_OUT,
    # The extension hears the ringback; whom it calls is not told.
    ("alert", "internal"): {"caller": "ext.0", "extension": "ext.0"},
    ("alert", "inbound"): {**_IN, "caller": "inbound.from", "callee": "inbound.to"},
    ("alert", "outbound"): {**_RING_OUT, "extension": "ext.0"},
    ("answer", "internal"): {
        **_INTERNAL, "caller": "ext.0", "callee": "ext.1", "extension": "ext.1",
    },
    ("answer", "inbound"): {**_RING_IN, "extension": "ext.0"},
    ("answer", "outbound"): _RING_OUT,
    # The order tells who hung up, not who called.
    ("bye", "internal"): {**_INTERNAL, "extension": "ext.0"},
    ("bye", "inbound"): {**_RING_IN, "extension": "ext.0"},
    ("bye", "outbound"): {**_RING_OUT, "extension": "ext.0"},
    ("call_failed", "internal"): {
        **_INTERNAL, **_REASON, "caller": "ext.1", "callee": "ext.0", "extension": "ext.0",
    },
    ("call_failed", "inbound"): {**_RING_IN, **_REASON, "extension": "ext.0"},
    ("call_failed", "outbound"): {**_RING_OUT, **_REASON},
    ("call_failed", "none"): _REASON,
    ("transfer", "internal"): {**_INTERNAL, "extension": "ext.0"},
    ("transfer", "inbound"): {**_IN, "caller": "inbound.from", "extension": "ext.0"},
    ("transfer", "outbound"): {**_OUT, "extension": "ext.0"},
    ("extension_status", "none"): {
        "extension": "extension", "extensions": "extension", "status": "status",
    },
    ("cdr", "none"): {
        "direction": "type", "caller": "callfrom", "callee": "callto", "status": "status",
        "recording": "recording", "started_at": "timestart",
        "duration": "callduraction", "talk_duration": "talkduraction",
    },
    # A report of which only the parties are known, so the order of extid is not.
    ("other", "internal"): {"extension": "ext.only"},
    ("other", "inbound"): {**_IN, "caller": "inbound.from", "extension": "ext.only"},
    ("other", "outbound"): {
        **_OUT, "caller": "outbound.from", "callee": "outbound.to", "extension": "ext.only",
    },
    ("other", "none"): {},
}  # fmt: skip

SOURCES: Mapping[tuple[str, str], Mapping[str, str]] = MappingProxyType(
    {
        (event, way): MappingProxyType({name: row[name] for name in FIELDS if name in row})
        for (event, way), told in _TOLD.items()
        for row in [{**_ALWAYS, **({} if way == "none" else {"extensions": "ext"}), **told}]
    }
)
"""For an event (or ``other``) and a way: its fields, in the order of ``FIELDS``, with sources."""

_ALL = frozenset({"event", "action", "received_at"})

WAY_FIELDS: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {place: _ALL | row.keys() for place, row in SOURCES.items()}
)
"""The fields that an event can have when its call goes that way."""

EVENT_FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        event: frozenset().union(*(names for (e, _), names in WAY_FIELDS.items() if e == event))
        for event in (*ACTIONS, "other")
    }
)
"""The fields that an event can ever have; those of ``other`` for an event of the user's own."""
