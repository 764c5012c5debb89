"""The eight event schemas: two validators, one verdict; and whatever comes, an answer."""

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.errors import ReportError
from pbxrules.model import Event
from pbxrules.pbx.openvox import ACTIONS, EVENT_FIELDS
from tests.reports import DOCUMENTS, SCHEMAS, event_of


@pytest.mark.parametrize("event", DOCUMENTS)
def test_a_schema_explains_itself_and_its_examples_are_valid(event: str) -> None:
    document = DOCUMENTS[event]
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["title"]
    assert document["description"]
    for member in document["properties"].values():
        assert member["description"]
    for example in document["examples"]:
        assert event_of(example).kind == event


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**63), 10**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
EXAMPLES = [example for document in DOCUMENTS.values() for example in document["examples"]]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every member and element within *value*, as container and key."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, Any]] = []
    for key, member in pairs:
        found.append((value, key))
        if isinstance(member, dict | list):
            found += places(member)
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A report of the examples, with up to four members replaced, removed or added."""
    report: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    action = report["action"]
    words = ["ext", "extid", "inbound", "outbound", "call", "from", "to", "trunk", "reason", "sn"]
    for _ in range(draw(st.integers(0, 4))):
        container, key = draw(st.sampled_from(places(report)))
        match draw(st.sampled_from(["replace", "remove", "add", "swap"])):
            case "replace":
                container[key] = draw(JSON_VALUES)
            case "remove" if len(report) > 1:
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(st.sampled_from(words))] = draw(JSON_VALUES)
            case _:
                other, there = draw(st.sampled_from(places(report)))
                container[key] = copy.deepcopy(other[there])
    if draw(st.booleans()):
        report["action"] = action
    return report


@given(mutated())
def test_both_validators_give_the_same_verdict(report: dict[str, Any]) -> None:
    for event, document in DOCUMENTS.items():
        schema = SCHEMAS[ACTIONS[event]].schema
        explained = jsonschema.Draft202012Validator(document).is_valid(report)
        assert schema.is_valid(report) == explained == (not schema.mismatches(report))


def check_fields(event: Event) -> None:
    known = EVENT_FIELDS.get(event.kind, EVENT_FIELDS["other"])
    assert known >= event.fields.keys() >= {"event", "action", "received_at"}
    for name, value in event.fields.items():
        texts = value if name == "extensions" else (value,)
        assert isinstance(texts, tuple)
        assert texts
        numbers = int | float if name in ("duration", "talk_duration") else str
        assert all(isinstance(text, numbers) and text not in ("", None) for text in texts)


def event_or_refusal(report: dict[str, Any]) -> None:
    """Ask for the one or the other; any other exception fails the test."""
    before = copy.deepcopy(report)
    try:
        event = event_of(report)
    except ReportError as error:
        refusal = error
    else:
        check_fields(event)
        assert report == before == event.payload
        return
    assert refusal.status == 422
    assert refusal.errors
    for problem in refusal.errors:
        assert resolves(report, problem.pointer), problem


def resolves(report: Any, pointer: str) -> bool:
    """Whether *pointer* leads to something in *report*; of ``/action``, it may be missing."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(report, dict) and key in report:
            report = report[key]
        elif isinstance(report, list) and key.isdigit() and int(key) < len(report):
            report = report[int(key)]
        else:
            return pointer == "/action"
    return True


@given(mutated())
def test_any_mutated_report_is_an_event_or_refused(report: dict[str, Any]) -> None:
    event_or_refusal(report)


@given(
    st.sampled_from([*SCHEMAS, "DTMF"]),
    st.dictionaries(
        st.sampled_from(["callid", "ext", "inbound", "outbound", "call", "sn", "status", "type"])
        | st.text(max_size=8),
        JSON_VALUES
        | st.fixed_dictionaries({"extid": st.text() | st.lists(st.text(), max_size=3)})
        | st.lists(st.fixed_dictionaries({"ext": st.fixed_dictionaries({"extid": st.text()})})),
    ),
)
def test_any_object_is_an_event_or_refused(action: str, members: dict[str, Any]) -> None:
    event_or_refusal({**members, "action": action})
    event_or_refusal(members)
