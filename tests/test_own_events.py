"""A user's own event: from its schema in his folder to the message that its rule sends."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pbxrules import app, config
from pbxrules.errors import ProblemsError
from pbxrules.language import Language
from pbxrules.model import Delivery
from tests.daemon import Answer, Daemon

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "a FAX report",
    "type": "object",
    "required": ["action", "pages"],
    "properties": {
        "action": {"const": "FAX"},
        "callid": {"type": "string"},
        "pages": {"type": "integer", "minimum": 1},
        "sender": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}
RULES = """
rules:
  - id: long-fax
    triggers: {event: fax, payload.pages: [3, 4]}
    conditions: ["{{ payload.pages > 2 and payload.sender.name != 'test' }}"]
    actions:
      - mqtt:
          topic: "fax/{{ payload.sender.name }}"
          payload: {pages: "{{ payload.pages }}", call: "{{ call_id }}", all: "{{ payload }}"}
"""


def settings(folder: Path) -> config.Config:
    """The configuration of a folder with its schemas, its rules, and a file that names them."""
    for name in ("schemas", "rules"):
        (folder / name).mkdir()
    (folder / "schemas" / "fax.schema.json").write_text(json.dumps(SCHEMA), "utf-8")
    (folder / "rules" / "fax.yaml").write_text(RULES, "utf-8")
    file = folder / "pbxrules.yaml"
    file.write_text("schemas: schemas\nrules: rules\n", "utf-8")
    return config.load(file, {})


def language(folder: Path) -> Language:
    return app.load_snapshot(settings(folder)).language


def fax(**members: Any) -> bytes:
    told = {"action": "FAX", "callid": "1.1", "pages": 3, "sender": {"name": "a/b"}}
    return json.dumps({**told, **members}).encode()


def posted(folder: Path, *bodies: bytes) -> tuple[list[Answer], list[Delivery], list[Any]]:
    """What the daemon answers to reports, does about them, and shows of them."""

    async def scenario() -> tuple[list[Answer], list[Delivery], list[Any]]:
        async with Daemon(folder, rules=RULES, language=language(folder)) as daemon:
            answers = [await daemon.post(body) for body in bodies]
            await daemon.written()
            return answers, await daemon.performed(), daemon.events()

    return asyncio.run(scenario())


def test_a_report_of_it_fires_its_rule_and_fills_the_message(tmp_path: Path) -> None:
    answers, deliveries, events = posted(tmp_path, fax(extra=1))
    assert [answer.status for answer in answers] == [200]
    assert [delivery.args for delivery in deliveries] == [
        {
            "topic": "fax/a%2Fb",
            "payload": {
                "pages": 3,
                "call": "1.1",
                "all": json.loads(fax(extra=1)),
            },
        }
    ]
    (event,) = events
    assert event["fields"]["event"] == "fax"
    assert event["fields"]["action"] == "FAX"
    assert event["rules"] == ["long-fax"]


def test_its_tests_and_conditions_decide(tmp_path: Path) -> None:
    short, own, bare = fax(pages=2), fax(sender={"name": "test"}), fax(sender={})
    answers, deliveries, events = posted(tmp_path, short, own, bare)
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [event["rules"] for event in events] == [[], [], ["long-fax"]]
    assert deliveries == [], "the topic needs a name"


def test_a_report_that_is_not_as_its_schema_asks_is_refused(tmp_path: Path) -> None:
    answers, deliveries, events = posted(tmp_path, fax(pages=0), fax(pages="3"))
    assert [answer.status for answer in answers] == [422, 422]
    assert answers[0].json["errors"] == [{"pointer": "/pages", "message": "0 is less than 1"}]
    assert (deliveries, events) == ([], [])


def test_a_rule_that_misspells_its_members_is_told_where(tmp_path: Path) -> None:
    told = settings(tmp_path)
    text = RULES.replace("payload.pages: [3", "payload.pagse: [3").replace(
        "sender.name }}", "sendr }}"
    )
    (tmp_path / "rules" / "fax.yaml").write_text(text, "utf-8")
    with pytest.raises(ProblemsError) as caught:
        app.load_snapshot(told)
    assert [str(problem).rpartition("/")[2] for problem in caught.value.problems] == [
        "fax.yaml:4:28: unknown-member: 'payload' has no 'pagse' (did you mean 'pages'?)",
        "fax.yaml:8:34: unknown-member: 'payload' has no 'sendr' (did you mean 'sender'?)",
    ]


@pytest.mark.parametrize(
    "trigger",
    [
        "{action: {prefix: FAX}}",
        "{action: {glob: FAX*}}",
        "{action: {not: RING}}",
        "{action: {in: [fax], ignore_case: true}}",
        "{action: [FAX, FAX2]}",
        "{event: other}",
        "{event: [fax, other]}",
        "{payload.pages: 3}",
    ],
)
def test_a_rule_for_reports_that_no_schema_describes_may_ask_for_any_member(
    tmp_path: Path, trigger: str
) -> None:
    told = settings(tmp_path)
    text = RULES.replace("{event: fax, payload.pages: [3, 4]}", trigger)
    (tmp_path / "rules" / "fax.yaml").write_text(text.replace("sender.name", "station"), "utf-8")
    assert app.load_snapshot(told).ruleset.rules


@pytest.mark.parametrize(
    "trigger",
    [
        "{event: fax}",
        "{action: FAX}",
        "{event: fax, action: {prefix: F}}",
        "{event: {prefix: fa}}",
        "{action: {in: [FAX]}}",
    ],
)
def test_a_rule_for_its_reports_alone_may_ask_for_its_members_only(
    tmp_path: Path, trigger: str
) -> None:
    told = settings(tmp_path)
    text = RULES.replace("{event: fax, payload.pages: [3, 4]}", trigger)
    (tmp_path / "rules" / "fax.yaml").write_text(text.replace("sender.name", "station"), "utf-8")
    with pytest.raises(ProblemsError) as caught:
        app.load_snapshot(told)
    assert {problem.code for problem in caught.value.problems} == {"unknown-member"}
