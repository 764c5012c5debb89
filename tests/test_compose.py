"""Reports made from fields: as the PBX sends them, and read back as what was asked for."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules import shipped
from pbxrules.pbx.body import parse
from pbxrules.pbx.compose import LAYOUTS, compose, encode, request
from pbxrules.pbx.tables import ACTIONS
from tests.reports import OTHER_EVENTS, SCHEMAS, SN, event_of, fields_of


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(
            "1-alert-internal.http",
            {"kind": "alert", "call_id": "1589947952.1670", "pbx": SN, "extension": "101"},
            id="the internal alert",
        ),
        pytest.param(
            "2-ring-internal.http",
            {"kind": "ring", "call_id": "1589947952.1670", "pbx": SN, "extension": "106"},
            id="the internal ring",
        ),
        pytest.param(
            "3-alert-outbound.http",
            {"kind": "alert", "call_id": "1589948179.1692", "direction": "outbound"},
            id="the alert of a call that goes out",
        ),
        pytest.param(
            "4-ring-outbound.http",
            {"kind": "ring", "call_id": "1589948178.1690", "direction": "outbound"},
            id="the ring of a call that goes out",
        ),
        pytest.param(
            "5-alert-inbound.http",
            {"kind": "alert", "call_id": "1589948512.1709", "pbx": SN, "trunk": "to-18-16-2"},
            id="the alert of a call that comes in",
        ),
        pytest.param(
            "6-ring-inbound.http",
            {"kind": "ring", "call_id": "1589948512.1709", "pbx": SN, "direction": "inbound"},
            id="the ring of a call that comes in",
        ),
    ],
)
def test_the_manufacturers_requests_byte_for_byte(name: str, options: dict[str, Any]) -> None:
    body = encode(compose(**options))
    assert request(body, "172.16.6.150") == (shipped.folder("openvox") / name).read_bytes()


@pytest.mark.parametrize(
    ("line", "options"),
    [
        pytest.param(0, {"kind": "answer", "caller": "101", "callee": "106"}, id="answer"),
        pytest.param(1, {"kind": "bye", "extension": "106"}, id="bye"),
        pytest.param(2, {"kind": "bye", "extension": "101", "other": "106"}, id="the other bye"),
        pytest.param(3, {"kind": "call_failed", "extension": "102"}, id="call_failed"),
        pytest.param(4, {"kind": "transfer", "extension": "102", "other": "101"}, id="transfer"),
        pytest.param(5, {"kind": "extension_status", "status": "InUse"}, id="extension_status"),
        pytest.param(
            6, {"kind": "cdr", "callee": "102", "started_at": "2020-05-20 10:11:22"}, id="cdr"
        ),
    ],
)
def test_the_other_reports_byte_for_byte(line: int, options: dict[str, Any]) -> None:
    printed = OTHER_EVENTS[line]
    call_id = json.loads(printed).get("callid", "")
    assert encode(compose(**options, call_id=call_id, pbx=SN)) == printed


@pytest.mark.parametrize(
    ("options", "report"),
    [
        pytest.param(
            {"kind": "ring"},
            {"action": "RING", "callid": "c", "ext": {"extid": ["101", "106"]}},
            id="with nothing said, 106 rings 101",
        ),
        pytest.param(
            {"kind": "ring", "caller": "101"},
            {"action": "RING", "callid": "c", "ext": {"extid": ["106", "101"]}},
            id="nobody rings himself",
        ),
        pytest.param(
            {"kind": "ring", "extension": "0112", "trunk": "t", "caller": ""},
            {
                "action": "RING",
                "callid": "c",
                "ext": {"extid": "0112"},
                "inbound": {"from": "", "to": "0112", "trunk": "t", "inboundid": "c"},
            },
            id="a withheld number over a trunk",
        ),
        pytest.param(
            {"kind": "answer", "direction": "outbound", "caller": "11", "callee": "0302"},
            {
                "action": "ANSWER",
                "callid": "c",
                "ext": {"extid": "11"},
                "outbound": {"from": "11", "to": "0302", "trunk": "to-18-16-2", "outboundid": "c"},
            },
            id="an answer outside",
        ),
        pytest.param(
            {"kind": "call_failed", "reason": "0480"},
            {
                "action": "CallFailed",
                "reason": "0480",
                "callid": "c",
                "ext": {"extid": ["101", "106"]},
            },
            id="a reason that is no number as written",
        ),
        pytest.param(
            {"kind": "cdr", "direction": "inbound", "duration": 7, "recording": "a.wav"},
            {
                "action": "NewCdr",
                "callid": "c",
                "timestart": "1970-01-01 00:00:00",
                "callfrom": "103",
                "callto": "101",
                "callduraction": "7",
                "talkduraction": "5",
                "status": "ANSWERED",
                "type": "Inbound",
                "recording": "a.wav",
            },
            id="the record of a call that came in",
        ),
    ],
)
def test_what_is_not_said_follows_from_the_rest(
    options: dict[str, Any], report: dict[str, Any]
) -> None:
    made = compose(**options, call_id="c")
    assert made == report
    assert list(made) == list(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"kind": "rnig"},
            "the PBX reports no 'rnig' (did you mean 'ring'?)",
            id="a misspelt kind",
        ),
        pytest.param(
            {"kind": "zzz"},
            "the PBX reports no 'zzz' (there are ring, alert, answer, bye, call_failed, transfer, "
            "extension_status, cdr)",
            id="a kind like no other",
        ),
        pytest.param(
            {"kind": "ring", "exten": "1"},
            "no field is called 'exten' (did you mean 'extension'?)",
            id="a misspelt field",
        ),
        pytest.param(
            {"kind": "ring", "direction": "out"},
            "the directions of 'ring' are internal, inbound, outbound; not 'out'",
            id="a direction that is none",
        ),
        pytest.param(
            {"kind": "extension_status", "direction": "inbound"},
            "the directions of 'extension_status' are none; not 'inbound'",
            id="a direction where there is none",
        ),
        pytest.param(
            {"kind": "ring", "direction": "outbound", "extension": "101"},
            "the report of outbound 'ring' has no place for extension; 'ring' has it when it is "
            "internal or inbound",
            id="a field of another direction",
        ),
        pytest.param(
            {"kind": "ring", "status": "Idle"},
            "the report of internal 'ring' has no place for status",
            id="a field of another report",
        ),
        pytest.param(
            {"kind": "ring", "extensions": "1,2"},
            "the report of internal 'ring' has no place for extensions",
            id="a field that follows from others",
        ),
        pytest.param(
            {"kind": "ring", "extension": "1", "callee": "2"},
            "callee '2' does not fit: in its place stands '1' already",
            id="two that are one and the same",
        ),
        pytest.param(
            {"kind": "ring", "caller": "2", "other": "3"},
            "other '3' does not fit: in its place stands '2' already",
            id="the other is the caller here",
        ),
        pytest.param(
            {"kind": "bye", "direction": "inbound", "other": "3"},
            "the report of inbound 'bye' names no other extension",
            id="no place for another",
        ),
        pytest.param(
            {"kind": "ring", "extension": ""}, "extension can't be empty", id="an empty extension"
        ),
        pytest.param(
            {"kind": "cdr", "duration": "long"},
            "duration is a whole number of seconds; not 'long'",
            id="a duration that is no number",
        ),
        pytest.param(
            {"kind": "ring", "call_id": ""},
            "the report of internal 'ring' needs a call_id",
            id="no call_id",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        compose(**{"call_id": "1.1", **options})


TEXT = st.text(min_size=1).filter(lambda text: text.isprintable())
NAMED = [
    "caller", "callee", "dialled", "extension", "trunk", "trunk_call_id", "reason", "status",
    "recording", "started_at",
]  # fmt: skip
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(NAMED, TEXT),
        "duration": st.integers(0, 10**14),
        "talk_duration": st.integers(0, 10**14),
        "direction": st.sampled_from(["internal", "inbound", "outbound"]),
        "other": TEXT,
    },
)


@given(st.sampled_from(list(ACTIONS)), TEXT, st.none() | TEXT, OPTIONS)
def test_what_is_given_is_in_the_event_or_refused(
    kind: str, call_id: str, pbx: str | None, options: dict[str, Any]
) -> None:
    try:
        report = compose(kind, call_id=call_id, pbx=pbx, **options)
    except ValueError as error:
        refusal = str(error)
    else:
        body = encode(report)
        assert parse(body) == report
        read_back(kind, call_id, pbx, options, fields_of(body))
        return
    assert refusal


def read_back(
    kind: str, call_id: str, pbx: str | None, options: dict[str, Any], fields: dict[str, Any]
) -> None:
    """Ask that *fields* have all the options."""
    wanted = dict(options)
    if (other := wanted.pop("other", None)) is not None:
        assert other in fields["extensions"]
    if kind == "alert" and "inbound" not in wanted.values():
        wanted.pop("direction", None)  # an alert by an extension does not tell
    if kind != "extension_status":
        wanted["call_id"] = call_id
    if pbx is not None:
        wanted["pbx"] = pbx
    assert fields["event"] == kind
    assert fields.items() >= wanted.items()


@pytest.mark.parametrize(
    ("kind", "direction"), LAYOUTS, ids=[f"{kind} {way}".strip() for kind, way in LAYOUTS]
)
def test_each_layout_is_a_well_formed_report(kind: str, direction: str) -> None:
    report = compose(kind, call_id="1.7", direction=direction or None)
    event = event_of(report)
    assert event.kind == kind
    assert SCHEMAS[report["action"]].event == kind
    told = "" if kind == "alert" and direction != "inbound" else direction
    assert event.fields.get("direction", "") == told


def test_a_path_stands_in_the_request_line() -> None:
    lines = request(b"{}", "pbx.lan:8080", "/events?x=1").split(b"\r\n")
    assert lines == [
        b"POST /events?x=1 HTTP/1.1",
        b"Host:pbx.lan:8080",
        b"Content-Length:2",
        b"Accept: application/json",
        b"Content-Type:application/json",
        b"Connection:close",
        b"",
        b"{}",
    ]


@pytest.mark.parametrize("path", [None, ""], ids=["no path", "an empty path"])
def test_without_a_path_the_request_line_names_none(path: str | None) -> None:
    assert request(b"{}", "h", path).startswith(b"POST HTTP/1.1\r\nHost:h\r\n")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        pytest.param("h\r\nX: y", None, id="a header line in the host"),
        pytest.param("h", "/ HTTP/1.1\r\nX: y\r\n\r\n", id="header lines in the path"),
        pytest.param("h", "/a b", id="a space in the path"),
        pytest.param("h", "/ü", id="what is not ASCII"),
    ],
)
def test_nothing_breaks_the_header_lines(host: str, path: str | None) -> None:
    with pytest.raises(ValueError, match="can't hold"):
        request(b"{}", host, path)
