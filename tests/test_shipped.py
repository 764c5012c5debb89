"""The files that travel along."""

import json
from pathlib import Path

import pytest

from pbxrules import loading, shipped
from pbxrules.pbx.body import parse
from pbxrules.pbx.tables import ACTIONS


def test_the_folders_are_there() -> None:
    assert {path.suffix for path in shipped.folder("rules").iterdir()} >= {".yaml"}
    assert (shipped.folder("schemas") / "rules.schema.json").is_file()
    assert len(list(shipped.folder("openvox").glob("*.http"))) == 6


def test_the_six_reports_are_whole_requests() -> None:
    for path in shipped.folder("openvox").glob("*.http"):
        head, end, body = path.read_bytes().partition(b"\r\n\r\n")
        assert end
        assert head.startswith(b"POST ")
        lengths = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        assert [int(line.partition(b":")[2]) for line in lengths] == [len(body)]
        assert parse(body)["action"] in {"RING", "ALERT"}


@pytest.mark.parametrize("name", ["rules", "config", "events/ring"])
def test_a_schema_is_read_by_its_name(name: str) -> None:
    assert shipped.schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_there_is_a_schema_for_each_of_the_eight_events() -> None:
    assert shipped.event_schemas().keys() == ACTIONS.keys()


def test_schemas_of_another_folder_come_after_ours(tmp_path: Path) -> None:
    (tmp_path / "aaa.schema.json").write_text('{"title": "mine"}')
    (tmp_path / "aaa.json").write_text("{")
    found = shipped.event_schemas(tmp_path)
    assert list(found) == [*shipped.event_schemas(), "aaa"]
    assert found["aaa"] == {"title": "mine"}


def test_a_schema_that_is_no_json_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "aaa.schema.json").write_text("{")
    with pytest.raises(ValueError, match=rf"^{tmp_path}/aaa\.schema\.json: "):
        shipped.event_schemas(tmp_path)
    (tmp_path / "aaa.schema.json").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=rf"^{tmp_path}/aaa\.schema\.json: "):
        shipped.event_schemas(tmp_path)


def test_each_example_rule_shows_its_events_and_topics_of_its_own() -> None:
    rules = loading.load(loading.rule_files(shipped.folder("rules")), loading.language()).ruleset
    assert len({rule.id for rule in rules.rules}) == len(rules.rules)
    assert rules.disabled == 0


def test_the_schemas_are_written_to_be_read() -> None:
    for path in shipped.folder("schemas").rglob("*.json"):
        text = path.read_text("utf-8")
        assert text.endswith("}\n")
        assert "\\u" not in text
        assert json.loads(text)
