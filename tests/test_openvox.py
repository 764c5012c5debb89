"""Every report of wire.md becomes the event of its tables, field for field."""

import json
from typing import Any

import pytest

from pbxrules import shipped
from pbxrules.errors import ReportError
from pbxrules.pbx.openvox import ACTIONS, EVENT_FIELDS, FIELDS, SOURCES, WAY_FIELDS, read
from pbxrules.schema import event_schemas
from tests.reports import (
    DOCUMENTS,
    EXT_ONE,
    EXT_TWO,
    INBOUND,
    NOW,
    OTHER_EVENTS,
    OUTBOUND,
    PARTIES,
    SCHEMAS,
    SN,
    event_of,
    fields_of,
    sample,
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            sample("1-alert-internal.http"),
            {
                "event": "alert", "action": "ALERT", "caller": "101", "extension": "101",
                "extensions": ("101",), "call_id": "1589947952.1670", "pbx": SN,
            },
            id="101 hears the ringback",
        ),
        pytest.param(
            sample("2-ring-internal.http"),
            {
                "event": "ring", "action": "RING", "direction": "internal", "caller": "101",
                "callee": "106", "extension": "106", "extensions": ("106", "101"),
                "call_id": "1589947952.1670", "pbx": SN,
            },
            id="101 rings 106",
        ),
        pytest.param(
            sample("3-alert-outbound.http"),
            {
                "event": "alert", "action": "ALERT", "caller": "106", "extension": "106",
                "extensions": ("106",), "call_id": "1589948179.1692",
            },
            id="106 hears the ringback from outside",
        ),
        pytest.param(
            sample("4-ring-outbound.http"),
            {
                "event": "ring", "action": "RING", "direction": "outbound", "caller": "106",
                "callee": "103", "extensions": ("106",), "trunk": "to-18-16-2",
                "trunk_call_id": "1589948178.1690", "call_id": "1589948178.1690",
            },
            id="106 rings 103, outside, and so nobody's extension",
        ),
        pytest.param(
            sample("5-alert-inbound.http"),
            {
                "event": "alert", "action": "ALERT", "direction": "inbound", "caller": "103",
                "callee": "101", "dialled": "101", "trunk": "to-18-16-2",
                "trunk_call_id": "1589948512.1707", "call_id": "1589948512.1709", "pbx": SN,
            },
            id="103, outside, hears the ringback",
        ),
        pytest.param(
            sample("6-ring-inbound.http"),
            {
                "event": "ring", "action": "RING", "direction": "inbound", "caller": "103",
                "callee": "101", "dialled": "101", "extension": "101", "extensions": ("101",),
                "trunk": "to-18-16-2", "trunk_call_id": "1589948512.1707",
                "call_id": "1589948512.1709", "pbx": SN,
            },
            id="103, outside, rings 101",
        ),
        pytest.param(
            OTHER_EVENTS[0],
            {
                "event": "answer", "action": "ANSWER", "direction": "internal", "caller": "101",
                "callee": "106", "extension": "106", "extensions": ("101", "106"),
                "call_id": "1589953310.1724", "pbx": SN,
            },
            id="106 answers 101",
        ),
        pytest.param(
            OTHER_EVENTS[1],
            {
                "event": "bye", "action": "BYE", "direction": "internal", "extension": "106",
                "extensions": ("106", "101"), "call_id": "1589953914.1775", "pbx": SN,
            },
            id="106 hangs up",
        ),
        pytest.param(
            OTHER_EVENTS[2],
            {
                "event": "bye", "action": "BYE", "direction": "internal", "extension": "101",
                "extensions": ("101", "106"), "call_id": "1589953914.1777", "pbx": SN,
            },
            id="the same, told from 101's side",
        ),
        pytest.param(
            OTHER_EVENTS[3],
            {
                "event": "call_failed", "action": "CallFailed", "direction": "internal",
                "caller": "106", "callee": "102", "extension": "102",
                "extensions": ("102", "106"), "call_id": "1589958470.2092", "pbx": SN,
                "reason": "480",
            },
            id="102 does not take the call of 106",
        ),
        pytest.param(
            OTHER_EVENTS[4],
            {
                "event": "transfer", "action": "Tranfer", "direction": "internal",
                "extension": "102", "extensions": ("102", "101"), "call_id": "1589957670.2001",
                "pbx": SN,
            },
            id="101 transfers to 102",
        ),
        pytest.param(
            OTHER_EVENTS[5],
            {
                "event": "extension_status", "action": "ExtensionStatus", "extension": "101",
                "extensions": ("101",), "pbx": SN, "status": "InUse",
            },
            id="101 is in use",
        ),
        pytest.param(
            OTHER_EVENTS[6],
            {
                "event": "cdr", "action": "NewCdr", "direction": "internal", "caller": "106",
                "callee": "102", "call_id": "1589958682.2101", "pbx": SN, "status": "ANSWERED",
                "started_at": "2020-05-20 10:11:22", "duration": 10, "talk_duration": 5,
            },
            id="the record of a call",
        ),
    ],
)  # fmt: skip
def test_the_manufacturers_reports(body: bytes, expected: dict[str, Any]) -> None:
    event = event_of(body)
    assert event.fields == expected | {"received_at": NOW}
    assert event.payload == json.loads(body)
    assert [name for name in FIELDS if name in event.fields] == list(event.fields)


def test_every_example_is_looked_at() -> None:
    assert len(OTHER_EVENTS) == 7
    assert len(list(shipped.folder("openvox").glob("*.http"))) == 6


@pytest.mark.parametrize(
    ("event", "way", "caller", "callee", "extension"),
    [
        pytest.param("ring", "internal", "22", "11", "11", id="ring, internal"),
        pytest.param("ring", "outbound", "11", "0302", None, id="ring, outbound"),
        pytest.param("ring", "inbound", "0301", "11", "11", id="ring, inbound"),
        pytest.param("answer", "internal", "11", "22", "22", id="answer, internal"),
        pytest.param("answer", "outbound", "11", "0302", None, id="answer, outbound"),
        pytest.param("answer", "inbound", "0301", "11", "11", id="answer, inbound"),
        pytest.param("bye", "internal", None, None, "11", id="bye, internal"),
        pytest.param("bye", "outbound", "11", "0302", "11", id="bye, outbound"),
        pytest.param("bye", "inbound", "0301", "11", "11", id="bye, inbound"),
        pytest.param("call_failed", "internal", "22", "11", "11", id="call_failed, internal"),
        pytest.param("call_failed", "outbound", "11", "0302", None, id="call_failed, outbound"),
        pytest.param("call_failed", "inbound", "0301", "11", "11", id="call_failed, inbound"),
        pytest.param("transfer", "internal", None, None, "11", id="transfer, internal"),
        pytest.param("transfer", "outbound", None, None, "11", id="transfer, outbound"),
        pytest.param("transfer", "inbound", "0301", None, "11", id="transfer, inbound"),
    ],
)
def test_each_row_of_the_table(
    event: str, way: str, caller: str | None, callee: str | None, extension: str | None
) -> None:
    told: dict[str, dict[str, Any]] = {
        "internal": {"extensions": ("11", "22")},
        "inbound": {
            "extensions": ("11",), "dialled": "99", "trunk": "t", "trunk_call_id": "i.1",
        },
        "outbound": {"extensions": ("11",), "trunk": "t", "trunk_call_id": "o.1"},
    }  # fmt: skip
    named = {"caller": caller, "callee": callee, "extension": extension}
    expected = {
        "event": event, "action": ACTIONS[event], "direction": way, "call_id": "1.1", **told[way],
        **{name: value for name, value in named.items() if value is not None},
    }  # fmt: skip
    assert fields_of({"action": ACTIONS[event], "callid": "1.1", **PARTIES[way]}) == expected


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        pytest.param(
            {"action": "ALERT", "callid": "1.1", **EXT_TWO},
            {"event": "alert", "caller": "11", "extension": "11", "extensions": ("11", "22")},
            id="more extensions than the row names: the first counts, all are listed",
        ),
        pytest.param(
            {"action": "RING", "callid": "1.1", "ext": {"extid": ["11", "22", "33"]}, **INBOUND},
            {
                "event": "ring", "direction": "inbound", "caller": "0301", "callee": "11",
                "dialled": "99", "extension": "11", "extensions": ("11", "22", "33"),
                "trunk": "t", "trunk_call_id": "i.1",
            },
            id="a call from outside that rings a group",
        ),
        pytest.param(
            {"action": "RING", "callid": "1.1", **EXT_ONE},
            {
                "event": "ring", "direction": "internal", "callee": "11", "extension": "11",
                "extensions": ("11",),
            },
            id="an internal ring that names one extension only",
        ),
        pytest.param(
            {"action": "Transfer", "callid": "1.1", **EXT_TWO},
            {
                "event": "transfer", "direction": "internal", "extension": "11",
                "extensions": ("11", "22"),
            },
            id="the transfer spelt rightly",
        ),
        pytest.param(
            {"action": "ALERT", "callid": "1.1", **EXT_ONE, **OUTBOUND},
            {
                "event": "alert", "direction": "outbound", "caller": "11", "callee": "0302",
                "extension": "11", "extensions": ("11",), "trunk": "t", "trunk_call_id": "o.1",
            },
            id="an alert that says more than the manufacturer's do",
        ),
        pytest.param(
            {"action": "BYE", "callid": "1.1", **OUTBOUND},
            {
                "event": "bye", "direction": "outbound", "caller": "11", "callee": "0302",
                "trunk": "t", "trunk_call_id": "o.1",
            },
            id="a trunk's side alone",
        ),
        pytest.param(
            {"action": "RING", "callid": "1.1", **INBOUND, **OUTBOUND},
            {
                "event": "ring", "direction": "inbound", "caller": "0301", "dialled": "99",
                "trunk": "t", "trunk_call_id": "i.1",
            },
            id="a call that goes in and out again came in",
        ),
        pytest.param(
            {"action": "RING", "callid": "1.1", **EXT_ONE, "inbound": {"from": "", "trunk": ""}},
            {
                "event": "ring", "direction": "inbound", "callee": "11", "extension": "11",
                "extensions": ("11",),
            },
            id="a withheld number and an empty trunk are absent",
        ),
        pytest.param(
            {"action": "RING", "callid": "1.1", **EXT_ONE, "inbound": {}},
            {
                "event": "ring", "direction": "inbound", "callee": "11", "extension": "11",
                "extensions": ("11",),
            },
            id="a call from outside of which nothing is told",
        ),
        pytest.param(
            {"action": "CallFailed", "callid": "1.1", "reason": "486 Busy Here"},
            {"event": "call_failed", "reason": "486 Busy Here"},
            id="a failed call without parties, its reason a text",
        ),
        pytest.param(
            {"action": "CallFailed", "callid": "1.1", "reason": 603.0, **EXT_ONE},
            {
                "event": "call_failed", "direction": "internal", "callee": "11",
                "extension": "11", "extensions": ("11",), "reason": "603",
            },
            id="a reason with a decimal point",
        ),
        pytest.param(
            {"action": "CallFailed", "callid": "1.1", "reason": None, "sn": 369351034049},
            {"event": "call_failed", "pbx": "369351034049"},
            id="no reason, and a serial that is a number",
        ),
        pytest.param(
            {"action": "ExtensionStatus", "extension": 101, "status": "Idle", "callid": ""},
            {
                "event": "extension_status", "extension": "101", "extensions": ("101",),
                "status": "Idle",
            },
            id="an extension that is a number, as the manufacturer's table has it",
        ),
        pytest.param(
            {"action": "ExtensionStatus", "extension": "1", "status": "Idle", **EXT_TWO, "call": 5},
            {
                "event": "extension_status", "extension": "1", "extensions": ("1",),
                "status": "Idle",
            },
            id="parties in a report that has none are unknown members",
        ),
    ],
)  # fmt: skip
def test_reports_off_the_printed_forms(report: dict[str, Any], expected: dict[str, Any]) -> None:
    given_id = {"call_id": report["callid"]} if report.get("callid") else {}
    assert fields_of(report) == {"action": report["action"], **given_id, **expected}


CDR = {"action": "NewCdr", "callid": "1.1", "status": "NO ANSWER", "type": "Inbound"}
CDR_FIELDS = {
    "event": "cdr", "action": "NewCdr", "call_id": "1.1", "status": "NO ANSWER",
    "direction": "inbound",
}  # fmt: skip


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        pytest.param({}, {}, id="what only informs may be missing"),
        pytest.param({"type": "Outbound"}, {"direction": "outbound"}, id="outbound"),
        pytest.param({"type": "Internal"}, {"direction": "internal"}, id="internal"),
        pytest.param(
            {"type": "Callback"}, {"direction": None}, id="a type that tells no direction"
        ),
        pytest.param({"status": "VOICEMAIL"}, {"status": "VOICEMAIL"}, id="a status of the twin"),
        pytest.param({"status": "MELTED"}, {"status": "MELTED"}, id="an unknown status is kept"),
        pytest.param({"recording": "a.wav"}, {"recording": "a.wav"}, id="a recording"),
        pytest.param({"recording": ""}, {}, id="an empty recording is none"),
        pytest.param({"recording": None}, {}, id="a null recording is none"),
        pytest.param({"callfrom": "", "callto": "16101"}, {"callee": "16101"}, id="withheld"),
        pytest.param({"callduration": "9"}, {}, id="the word spelt rightly is another member"),
        pytest.param({"callduraction": "0"}, {"duration": 0}, id="nought seconds are told"),
        pytest.param({"callduraction": "007"}, {"duration": 7}, id="leading noughts"),
        pytest.param({"talkduraction": 12}, {"talk_duration": 12}, id="a number of seconds"),
        pytest.param({"talkduraction": 1.5}, {"talk_duration": 1.5}, id="a broken number"),
        pytest.param({"talkduraction": 2.0}, {"talk_duration": 2}, id="a whole one, broken"),
        pytest.param({"talkduraction": -1}, {}, id="a negative number is no duration"),
        pytest.param({"talkduraction": "-1"}, {}, id="nor is its text"),
        pytest.param({"talkduraction": "00:01"}, {}, id="nor a time of day"),
        pytest.param({"talkduraction": "١٢"}, {}, id="nor digits of another script"),
        pytest.param({"talkduraction": ""}, {}, id="nor an empty text"),
        pytest.param({"talkduraction": "9" * 5000}, {}, id="nor what int() can't read"),
        pytest.param({"talkduraction": 10**60}, {}, id="nor what SQLite can't hold"),
        pytest.param({"talkduraction": 1e300}, {}, id="nor a number beyond all time"),
    ],
)
def test_the_record_of_a_call(members: dict[str, Any], fields: dict[str, Any]) -> None:
    merged = {**CDR_FIELDS, **fields}
    expected = {name: value for name, value in merged.items() if value is not None}
    assert fields_of(CDR | members) == expected


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        pytest.param({"action": "BootUp", "sn": "s"}, {"pbx": "s"}, id="a report without parties"),
        pytest.param(
            {"action": "Invite", "callid": "1.1", **INBOUND},
            {
                "direction": "inbound", "caller": "0301", "dialled": "99", "trunk": "t",
                "trunk_call_id": "i.1", "call_id": "1.1",
            },
            id="a call that comes in",
        ),
        pytest.param(
            {"action": "DTMF", "call": [OUTBOUND, EXT_ONE], "info": "#"},
            {
                "direction": "outbound", "caller": "11", "callee": "0302", "extension": "11",
                "extensions": ("11",), "trunk": "t", "trunk_call_id": "o.1",
            },
            id="a call that goes out, its parties in a list",
        ),
        pytest.param(
            {"action": "ring", **EXT_ONE},
            {"extension": "11", "extensions": ("11",)},
            id="another case is another action",
        ),
        pytest.param(
            {"action": "Conference", **EXT_TWO},
            {"extensions": ("11", "22")},
            id="of two extensions it is unknown whom it is about",
        ),
        pytest.param({"action": "X", "ext": {"extid": ["1", 2]}}, {}, id="a mixed extid"),
        pytest.param({"action": "X", "ext": [1], "inbound": "y"}, {}, id="other parties"),
        pytest.param({"action": "X", "call": "front", "callid": 7}, {"call_id": "7"}, id="own"),
        pytest.param({"action": "X", "callid": {}, "sn": ""}, {}, id="ids that are none"),
    ],
)  # fmt: skip
def test_an_unknown_action_is_kept_as_other(
    report: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert fields_of(report) == {"event": "other", "action": report["action"], **expected}
    assert event_of(report).payload == report


DOORBELL = {
    "doorbell": {
        "type": "object",
        "required": ["door", "call"],
        "properties": {
            "action": {"const": "DoorBell"},
            "door": {"type": "string"},
            "call": {"type": "array"},
        },
    }
}


def test_a_users_own_schema_makes_an_event_of_its_name() -> None:
    schemas = event_schemas({**DOCUMENTS, **DOORBELL})
    report = {"action": "DoorBell", "callid": "1.1", "door": "front", "call": [EXT_ONE], "sn": "s"}
    event = read(report, schemas=schemas, received_at=NOW)
    assert event.fields == {
        "event": "doorbell", "action": "DoorBell", "extension": "11", "extensions": ("11",),
        "call_id": "1.1", "pbx": "s", "received_at": NOW,
    }  # fmt: skip
    assert event.payload == report


def test_a_users_own_schema_sees_the_report_as_sent() -> None:
    schemas = event_schemas({**DOCUMENTS, **DOORBELL})
    report = {"action": "DoorBell", "door": 1, "call": {}}
    with pytest.raises(ReportError) as caught:
        read(report, schemas=schemas, received_at=NOW)
    assert [error.pointer for error in caught.value.errors] == ["/door", "/call"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$(touch /tmp/x); --help", id="a shell command"),
        pytest.param("{{ 7 * 7 }}", id="a template"),
        pytest.param("../+/#", id="a topic"),
        pytest.param("a\r\nX: y\0", id="control characters"),
        pytest.param("\ufffd", id="what was a lone surrogate"),
        pytest.param("9" * 10_000, id="a long number"),
        pytest.param(" 101 ", id="spaces around are the PBX's own"),
    ],
)
def test_hostile_texts_are_kept_as_they_are(text: str) -> None:
    inbound = {"from": text, "to": text, "trunk": text, "inboundid": text}
    fields = fields_of(
        {"action": "RING", "callid": text, "ext": {"extid": text}, "inbound": inbound}
    )
    assert fields == {
        "event": "ring", "action": "RING", "direction": "inbound", "caller": text, "callee": text,
        "dialled": text, "extension": text, "extensions": (text,), "trunk": text,
        "trunk_call_id": text, "call_id": text,
    }  # fmt: skip


def test_the_fields_are_those_of_the_design_in_its_order() -> None:
    assert " ".join(FIELDS) == (
        "event action direction caller callee dialled extension extensions trunk trunk_call_id "
        "call_id pbx reason status recording started_at duration talk_duration received_at"
    )


def test_the_tables_speak_of_the_same_events_and_fields() -> None:
    assert {entry.event: entry.schema.document for entry in SCHEMAS.values()} == DOCUMENTS
    assert set(ACTIONS) == set(DOCUMENTS) == set(EVENT_FIELDS) - {"other"}
    assert {event: SCHEMAS[action].event for event, action in ACTIONS.items()} == {
        event: event for event in ACTIONS
    }
    assert frozenset().union(*EVENT_FIELDS.values()) == set(FIELDS)
    assert WAY_FIELDS.keys() == SOURCES.keys()
    assert "extension" not in WAY_FIELDS["ring", "outbound"]
    assert "extension" not in EVENT_FIELDS["cdr"]
    assert "reason" not in EVENT_FIELDS["ring"]
