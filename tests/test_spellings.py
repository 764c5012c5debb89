"""The spellings of a report mean the same, and errors point into the report as it was sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.pbx.openvox import as_sent
from tests.reports import EXT_ONE, event_of, fields_of, refused


def same_report(action: str, callid: str, parties: str) -> bytes:
    return f'{{"action":"{action}","callid":"{callid}",{parties},"sn":"x"}}'.encode()


PLAIN_TWO = '"ext":{"extid":["11","22"]}'
EXT = '"ext":{"extid":"11"}'
TRUNK = '"inbound":{"from":"0301","to":"99","trunk":"t","inboundid":"i.1"}'


@pytest.mark.parametrize("action", ["RING", "ANSWER", "BYE", "CallFailed", "Tranfer", "ALERT"])
@pytest.mark.parametrize(
    ("spelling", "plain"),
    [
        pytest.param('"call":{"ext":{"extid":["11","22"]}}', PLAIN_TWO, id="an object call"),
        pytest.param(
            '"call":[{"ext":{"extid":"11"}},{"ext":{"extid":"22"}}]', PLAIN_TWO, id="a list call"
        ),
        pytest.param('"ext":{"extid":"11"},"ext":{"extid":"22"}', PLAIN_TWO, id="ext repeated"),
        pytest.param(
            '"call":{"ext":{"extid":"11"},"ext":{"extid":"22"}}',
            PLAIN_TWO,
            id="ext repeated in call",
        ),
        pytest.param(
            '"call":[{"ext":{"extid":"11"},"ext":{"extid":"22"}}]',
            PLAIN_TWO,
            id="ext repeated in an element of call",
        ),
        pytest.param('"call":[{"ext":{"extid":["11","22"]}}]', PLAIN_TWO, id="a list of one"),
        pytest.param(
            '"ext":{"extid":["11"]},"ext":{"extid":["22"]}', PLAIN_TWO, id="lists repeated"
        ),
        pytest.param(
            '"ext":{"extid":"11"},"ext":{"extid":["22","33"]}',
            '"ext":{"extid":["11","22","33"]}',
            id="all in the order written",
        ),
        pytest.param(
            f'"call":{{{EXT},{TRUNK}}}',
            f"{EXT},{TRUNK}",
            id="an object call with a trunk",
        ),
        pytest.param(
            f'"call":[{{{TRUNK}}},{{{EXT}}}]',
            f"{TRUNK},{EXT}",
            id="a list call with a trunk",
        ),
        pytest.param(
            f'"call":{{{TRUNK}}},{EXT}',
            f"{EXT},{TRUNK}",
            id="half of it in call",
        ),
    ],
)
def test_the_other_spellings_mean_the_same(action: str, spelling: str, plain: str) -> None:
    assert fields_of(same_report(action, "1.1", spelling)) == fields_of(
        same_report(action, "1.1", plain)
    )


def test_the_payload_is_the_report_as_sent() -> None:
    body = b'{"action":"BYE","callid":"1","call":{"ext":{"extid":"1"},"ext":{"extid":"2"}},"x":[7]}'
    payload = event_of(body).payload
    assert payload == {
        "action": "BYE", "callid": "1", "call": {"ext": [{"extid": "1"}, {"extid": "2"}]}, "x": [7],
    }  # fmt: skip
    assert type(payload["call"]["ext"]) is list
    assert as_sent(body) == payload


@pytest.mark.parametrize(
    ("report", "problems"),
    [
        pytest.param({}, [("/action", "'action', the kind of the report, is missing")], id="empty"),
        pytest.param(
            {"action": 5},
            [("/action", "'action', the kind of the report, is not a text, or empty")],
            id="an action that is a number",
        ),
        pytest.param(
            {"action": ""},
            [("/action", "'action', the kind of the report, is not a text, or empty")],
            id="an empty action",
        ),
        pytest.param(
            {"action": "RING"},
            [
                ("", "'callid' is missing from a RING report"),
                ("", "'ext' is missing from a RING report without inbound or outbound"),
            ],
            id="all that is missing",
        ),
        pytest.param(
            {"action": "RING", "callid": "", "ext": {"extid": []}, "sn": {}},
            [
                ("/callid", "this text is empty"),
                ("/ext/extid", "this list is empty"),
                ("/sn", "a mapping is not text or a whole number or null"),
            ],
            id="all that is wrong",
        ),
        pytest.param(
            {"action": "RING", "callid": 1589947952.1670, "ext": {"extid": "1"}},
            [("/callid", "1589947952.167 is not text")],
            id="a callid that is a number has lost its last digit",
        ),
        pytest.param(
            {"action": "RING", "callid": "1", "ext": {"extid": 101}},
            [("/ext/extid", "101 is not text or a list")],
            id="an extid that is a number",
        ),
        pytest.param(
            {"action": "RING", "callid": "1", "ext": {"extid": ["1", None]}},
            [("/ext/extid/1", "null is not text")],
            id="an extension that is null",
        ),
        pytest.param(
            {"action": "RING", "callid": "1", "ext": "101"},
            [("/ext", "'101' is not a mapping")],
            id="an ext that is no object",
        ),
        pytest.param(
            {"action": "RING", "callid": "1", "ext": [{"extid": "1"}]},
            [("/ext", "a list is not a mapping")],
            id="an ext that is a list, but not repeated",
        ),
        pytest.param(
            {"action": "RING", "callid": "1", "ext": {}},
            [("/ext", "'extid' is missing from ext")],
            id="an ext that names nobody",
        ),
        pytest.param(
            {"action": "RING", "callid": "1", **EXT_ONE, "inbound": {"from": 1, "to": ["2"]}},
            [
                ("/inbound/from", "1 is not text"),
                ("/inbound/to", "a list is not text"),
            ],
            id="numbers dialled that are no text",
        ),
        pytest.param(
            {"action": "CallFailed", "callid": "1", "reason": [480]},
            [("/reason", "a list is not text or a number or null")],
            id="a reason that is a list",
        ),
        pytest.param(
            {"action": "ExtensionStatus", "extension": -1},
            [
                ("", "'status' is missing from an ExtensionStatus report"),
                ("/extension", "-1 is less than 0"),
            ],
            id="an extension's state without the state",
        ),
        pytest.param(
            {"action": "NewCdr", "callid": "1", "status": 5},
            [
                ("", "'type' is missing from a NewCdr report"),
                ("/status", "5 is not text"),
            ],
            id="a record without its type",
        ),
    ],
)
def test_a_malformed_report_is_refused(
    report: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert refused(report) == problems


@pytest.mark.parametrize(
    ("parties", "problems"),
    [
        pytest.param(
            b'"call":{"ext":{"extid":7}}',
            [("/call/ext/extid", "7 is not text or a list")],
            id="in an object call",
        ),
        pytest.param(
            b'"call":[{"ext":{"extid":""}}]',
            [("/call/0/ext/extid", "this text is empty")],
            id="in a list call of one",
        ),
        pytest.param(
            b'"call":[{"ext":{"extid":"1"}},{"ext":{"extid":["2",3]}},{"ext":{"extid":4}}]',
            [
                ("/call/1/ext/extid/1", "3 is not text"),
                ("/call/2/ext/extid", "4 is not text"),
            ],
            id="in several elements of call",
        ),
        pytest.param(
            b'"ext":{"extid":"1"},"ext":{"extid":null}',
            [("/ext/1/extid", "null is not text")],
            id="in the second ext",
        ),
        pytest.param(
            b'"call":{"ext":{"extid":[]},"ext":{"extid":"1"}}',
            [("/call/ext/0/extid", "a list is not text")],
            id="an empty list in the first of two",
        ),
        pytest.param(
            b'"ext":{},"ext":5',
            [("/ext/0", "'extid' is missing from ext"), ("/ext/1", "5 is not a mapping")],
            id="neither ext names anybody",
        ),
        pytest.param(
            b'"ext":{"extid":"1"},"call":[{"inbound":{"to":1}},{"inbound":{}},7]',
            [
                ("/call/2", "7 is not a mapping"),
                ("/call/1/inbound", "'inbound' is given already"),
                ("/call/0/inbound/to", "1 is not text"),
            ],
            id="a trunk given twice, and what is no party",
        ),
        pytest.param(
            b'"call":"x","ext":{"extid":"1"}', [("/call", "'x' is not a mapping")], id="no call"
        ),
        pytest.param(
            b'"call":[]',
            [("", "'ext' is missing from a RING report without inbound or outbound")],
            id="an empty call",
        ),
    ],
)
def test_errors_point_into_the_report_as_sent(
    parties: bytes, problems: list[tuple[str, str]]
) -> None:
    assert refused(b'{"action":"RING","callid":"1",%s}' % parties) == problems


def test_a_report_without_parties_is_looked_at_as_sent() -> None:
    body = b'{"action":"ExtensionStatus","extension":[],"status":"Idle","ext":1,"ext":2,"call":3}'
    assert refused(body) == [("/extension", "a list is not text or a whole number")]
    assert event_of(body.replace(b"[]", b'"7"')).payload["ext"] == [1, 2]


def test_a_report_full_of_errors_is_explained_in_bounded_time() -> None:
    many = [1] * 30_000
    assert len(refused({"action": "RING", "callid": "1", "ext": {"extid": many}})) == 100


@given(st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=3), min_size=2, max_size=4))
def test_however_extensions_are_spelt_they_are_all_there_in_order(groups: list[list[str]]) -> None:
    head = '{"action":"RING","callid":"1",'
    exts = [f'"ext":{json.dumps({"extid": group})}' for group in groups]
    merged = [number for group in groups for number in group]
    plain = fields_of(f'{head}"ext":{json.dumps({"extid": merged})}}}'.encode())
    assert plain["extensions"] == tuple(merged)
    for spelling in [
        ",".join(exts),
        f'"call":{{{",".join(exts)}}}',
        f'"call":[{",".join(f"{{{ext}}}" for ext in exts)}]',
    ]:
        assert fields_of(f"{head}{spelling}}}".encode()) == plain
