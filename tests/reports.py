"""Reports for the tests of the PBX's wire: the manufacturer's own, and how they are read."""

from collections.abc import Mapping
from typing import Any

import pytest

from pbxrules import shipped
from pbxrules.errors import ReportError
from pbxrules.model import Event
from pbxrules.pbx.body import parse
from pbxrules.pbx.openvox import read
from pbxrules.schema import event_schemas

DOCUMENTS = shipped.event_schemas()
SCHEMAS = event_schemas(DOCUMENTS)
NOW = "2026-11-23T06:46:00.123Z"
SN = "a09805021987"


def sample(name: str) -> bytes:
    """The body of one of the manufacturer's requests."""
    return (shipped.folder("openvox") / name).read_bytes().partition(b"\r\n\r\n")[2]


OTHER_EVENTS = (shipped.folder("openvox") / "other-events.jsonl").read_bytes().splitlines()


def event_of(report: bytes | Mapping[str, Any]) -> Event:
    parsed = parse(report) if isinstance(report, bytes) else report
    return read(parsed, schemas=SCHEMAS, received_at=NOW)


def fields_of(report: bytes | Mapping[str, Any]) -> dict[str, Any]:
    """The fields but those that are the same for each report."""
    fields = dict(event_of(report).fields)
    assert fields.pop("received_at") == NOW
    return fields


def refused(report: bytes | Mapping[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ReportError) as caught:
        event_of(report)
    assert caught.value.status == 422
    assert caught.value.title
    return [(error.pointer, error.message) for error in caught.value.errors]


# One call of each way, with parties that can't be mistaken for each other.
EXT_TWO: dict[str, Any] = {"ext": {"extid": ["11", "22"]}}
EXT_ONE: dict[str, Any] = {"ext": {"extid": "11"}}
INBOUND: dict[str, Any] = {
    "inbound": {"from": "0301", "to": "99", "trunk": "t", "inboundid": "i.1"}
}
OUTBOUND: dict[str, Any] = {
    "outbound": {"from": "11", "to": "0302", "trunk": "t", "outboundid": "o.1"}
}
PARTIES = {"internal": EXT_TWO, "inbound": EXT_ONE | INBOUND, "outbound": OUTBOUND | EXT_ONE}
