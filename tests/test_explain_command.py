"""``pbxrules explain``, as a person or a script uses it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pbxrules import config
from pbxrules.cli import main
from tests.pasts import keep, ring
from tests.rulefiles import ruleset
from tests.test_docs import keys_of_explain_and_replay

THEN = """\
rules:
- id: lamp
  triggers: {event: ring, extension: 101}
  actions: [{log: a}]
- id: door
  triggers: {event: ring, caller: 200}
  cooldown: 5m
  actions: [{log: b}]
- id: slow
  triggers: {event: ring, extension: 102, for: 20s}
  actions: [{log: c}]
- id: old
  triggers: {event: ring, extension: 101}
  actions: [{log: d}]
"""
TODAY = """\
times: {night: {after: 22:30, before: 07:00}}
state: {armed: {mqtt: home/armed}}
rules:
- id: lamp
  triggers: {event: ring, extension: 101}
  conditions: {time: night}
  actions: [{log: a}]
- id: door
  triggers: {event: ring, caller: 200}
  cooldown: 5m
  actions: [{log: b}]
- id: slow
  triggers: {event: ring, extension: 102, for: 20s}
  actions: [{log: c}]
"""


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.yaml")
    monkeypatch.setenv("PBXRULES_TIMEZONE", "Europe/Berlin")
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        if name != "PBXRULES_TIMEZONE":
            monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``rules`` of today, and a ``state`` with what others decided at noon."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(TODAY)
    reports = [
        ring(extension="101", caller="0301"),
        ring(60, extension="105", caller="200"),
        ring(120, extension="105", caller="200"),
        ring(180, extension="102", caller="1"),
    ]
    keep(tmp_path / "state", ruleset(THEN), reports)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pbxrules(*args: object, **how: Any) -> Result:
    argv = ["explain", *map(str, args), "--rules", "rules", "--state", "state"]
    return CliRunner().invoke(main, argv, **how)


def explained(*args: object, **how: Any) -> str:
    result = pbxrules(*args, **how)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def told(*args: object, **how: Any) -> dict[str, Any]:
    """What ``--json`` prints, with its rules by their ids."""
    found: dict[str, Any] = json.loads(explained(*args, "--json", **how))
    found["rules"] = {rule["rule"]: rule for rule in found["rules"]}
    return found


FIRST = """\
event 1, Tue 2026-11-24 12:00:00: ring extension=101 caller=0301 callee=101 direction=internal \
call_id=1795518000.10
memory: none, for no event is kept from before
memory: state.armed is unknown: nobody keeps the messages of home/armed

✗ lamp does not fire (2 of 3 hold): time is Tue 12:00, wanted night  rules/a.yaml:4
  ! then: it fired
    ✓ trigger 1
        ✓ event ring
        ✓ extension 101
    ✗ time night: Tue 12:00

✗ door does not fire (1 of 2 hold): caller is 0301, wanted 200  rules/a.yaml:8
    then: it was not near, or did not exist
    ✗ trigger 1
        ✓ event ring
        ✗ caller 200: 0301

✗ slow does not fire (1 of 2 hold): extension is 101, wanted 102  rules/a.yaml:12
    then: it was not near, or did not exist
    ✗ trigger 1
        ✓ event ring
        ✗ extension 102: 101

! old is no rule today, or has enabled: false
  ! then: it fired
"""


@pytest.mark.usefixtures("folder")
def test_a_stored_event_is_explained_beside_what_was_decided_then() -> None:
    assert explained(1) == FIRST


@pytest.mark.usefixtures("folder")
def test_memory_is_what_the_events_before_it_made_of_it() -> None:
    text = explained(3)
    since = "memory: known from Tue 2026-11-24 12:00:00 on, by 2 events that are kept"
    assert since in text.splitlines()
    assert "✗ door does not fire (2 of 3 hold): cooldown is on for another 240.0 s" in text
    assert "    then: cooldown is on for another 240.0 s\n" in text
    assert "    ✗ cooldown 5m: on for another 240.0 s\n" in text
    assert "    ✓ cooldown 5m: not on\n" in explained(2)


@pytest.mark.usefixtures("folder")
def test_what_waits_is_told_with_what_came_of_it_then() -> None:
    lines = explained(4, "--rule", "slow").splitlines()
    assert lines[-6:] == [
        "… slow waits for 20s  rules/a.yaml:12",
        "    then: it waited for 20s; then it fired",
        "    ✓ trigger 1",
        "        ✓ event ring",
        "        ✓ extension 102",
        "    … for 20s: begins to wait",
    ]


@pytest.mark.usefixtures("folder")
def test_at_moves_the_event_to_another_moment_with_its_memory() -> None:
    at_night = told(1, "--at", "2026-11-24T23:00")
    assert at_night["at"] == "2026-11-24T22:00:00.000+00:00"
    assert at_night["rules"]["lamp"]["fires"]
    assert not at_night["rules"]["lamp"]["changed"]
    assert at_night["memory"]["events"] == 3, "the event itself is none of its past"
    minute = told(3, "--at", "2026-11-24T12:01:30")
    assert minute["memory"]["events"] == 2
    assert minute["rules"]["door"]["why"] == "cooldown is on for another 270.0 s"
    assert told(3, "--at", "2026-11-24T11:00")["rules"]["door"]["fires"]


@pytest.mark.usefixtures("folder")
def test_a_report_of_flags_is_explained_now_or_then() -> None:
    report = ("ring", "--extension", 101, "--caller", "0301")
    found = told(*report, "--at", "2026-11-24T23:00")
    assert (found["id"], found["fields"]["caller"]) == (None, "0301")
    assert [name for name, rule in found["rules"].items() if rule["fires"]] == ["lamp"]
    assert {rule["then"] for rule in found["rules"].values()} == {None}
    assert found["memory"]["events"] == 4
    assert told(*report)["memory"]["known_from"] == "2026-11-24T11:00:00.000+00:00"


def test_a_report_of_a_file_is_explained(folder: Path) -> None:
    report = '{"action":"RING","callid":"1.1","ext":{"extid":["102","200"]}}'
    (folder / "ring.json").write_text(report)
    from_file = told("--file", folder / "ring.json")
    assert from_file["fields"]["payload"]["action"] == "RING"
    assert from_file["rules"]["slow"]["waits"]
    assert told("--file", "-", input=report)["rules"]["door"]["fires"]


def test_without_a_store_nothing_is_remembered(folder: Path) -> None:
    (folder / "state").rename(folder / "elsewhere")
    found = explained("ring")
    assert "memory: none, for no event is kept from before" in found


def test_rules_that_remember_nothing_need_no_past(folder: Path) -> None:
    (folder / "rules" / "a.yaml").write_text("rules: [{id: a, triggers: any, actions: [{log: a}]}]")
    assert "memory: these rules remember nothing\n" in explained(4)
    assert explained(4).splitlines()[3:] == [
        "✓ a fires  rules/a.yaml:1",
        "  ! then: it was not near, or did not exist",
        "    ✓ trigger: any event",
        "",
        "! slow is no rule today, or has enabled: false",
        "  ! then: it waited for 20s; then it fired",
    ]


def test_of_many_rules_the_nearest_are_shown_and_the_rest_named(folder: Path) -> None:
    listed = "".join(
        f"- {{id: r{n}, triggers: {{event: ring, extension: {n}}}, actions: [{{log: a}}]}}\n"
        for n in range(200, 215)
    )
    (folder / "rules" / "b.yaml").write_text(
        "rules:\n" + listed + "- {id: bye, triggers: {event: bye}, actions: [{log: a}]}\n"
    )
    report = ("ring", "--extension", "101", "--caller", "200", "--at", "23:00")
    text = explained(*report)
    marked = [line.split()[1] for line in text.splitlines() if line[:1] in "✓✗…" and line]
    assert marked == ["lamp", "door", "slow", "r200", "r201"]
    assert text.splitlines()[-1] == (
        "14 rules less near (--all shows them): r202, r203, r204, r205, r206, r207, r208, r209,"
        " r210, r211, and 4 more"
    )
    assert "✗ bye" in explained(*report, "--all")
    assert [*told(*report)["rules"]][-1] == "bye"
    assert "is no rule" not in explained(1, "--rule", "bye")
    assert told(1, "--rule", "bye")["gone"] == []
    one = explained(*report, "--rule", "bye", "--rule", "r214")
    assert [line.split()[1] for line in one.splitlines() if line[:1] == "✗"] == ["r214", "bye"]


@pytest.mark.usefixtures("folder")
def test_json_is_one_object() -> None:
    found = told(1)
    assert {*found} == {"id", "at", "fields", "memory", "rules", "gone"}
    keys = {*found, *found["rules"]["lamp"]}
    assert keys == keys_of_explain_and_replay("As JSON"), "the document names each"
    assert found["gone"] == ["old"]
    assert found["memory"] == {"events": 0, "known_from": None, "unknown": ["armed"]}
    assert found["rules"]["lamp"] == {
        "rule": "lamp", "file": "rules/a.yaml", "line": 4, "column": 7,
        "fires": False, "waits": False, "why": "time is Tue 12:00, wanted night",
        "held": 2, "asked": 3, "trigger": "1", "changed": True,
        "then": {"fired": True, "waited": False, "why": "", "came_of_it": ""},
        "triggers": [{
            "says": "1", "holds": True, "found": "", "values": {}, "parts": [
                {"says": "event ring", "holds": True, "found": "ring", "values": {}, "parts": []},
                {"says": "extension 101", "holds": True, "found": "101", "values": {}, "parts": []},
            ],
        }],
        "conditions": {
            "says": "time night", "holds": False, "found": "Tue 12:00", "values": {}, "parts": [],
        },
        "memory": [],
    }  # fmt: skip


def test_no_character_of_a_call_moves_the_cursor(folder: Path) -> None:
    text = "\"{{ caller == 'x' }}\""
    (folder / "rules" / "a.yaml").write_text(
        f"rules: [{{id: a, triggers: {{event: ring, caller: 5}}, conditions: [{text}],"
        " actions: [{log: a}]}]"
    )
    found = explained("ring", "--caller", "\x1b[31m\u202e\n", "--all")
    assert all(line.isprintable() for line in found.splitlines())
    assert "✗ caller 5: \\x1b[31m\\u202e\\n" in found
    assert "{{ caller == 'x' }}  (caller is \"\\u001b[31m\\u202e\\n\")" in found


@pytest.mark.usefixtures("folder")
def test_a_long_value_is_cut_for_people_and_whole_for_programs() -> None:
    long = "5" * 300
    assert f"        ✗ caller 200: {'5' * 79}…\n" in explained("ring", "--caller", long)
    (trigger,) = told("ring", "--caller", long)["rules"]["door"]["triggers"]
    assert trigger["parts"][1]["found"] == long


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param([], "give an event's ID, a KIND (ring, alert", id="nothing to explain"),
        pytest.param(["1", "--file", "rules/a.yaml"], "give an event's ID", id="two events"),
        pytest.param(["rong"], "neither an event's number nor a report (did you mean 'ring'?)",
                     id="no kind"),
        pytest.param(["99"], "no event 99 is kept (there are 1 to 4)", id="no such event"),
        pytest.param(["1", "--caller", "5"], "event 1 is stored: --caller can't change it",
                     id="a stored event with flags"),
        pytest.param(["ring", "--rule", "lampe"], "no rule is called 'lampe' (did you mean",
                     id="no such rule"),
        pytest.param(["ring", "--at", "soon"], "--at: 'soon' is no moment: write it such as 2026-",
                     id="no moment"),
        pytest.param(["bye", "--trunk", "t", "--direction", "internal"], "", id="no such report"),
        pytest.param(["--file", "rules/a.yaml"], "pbxrules: the body is not JSON", id="no report"),
        pytest.param(["1", "--rules", "none"], "none: unreadable: there is no such folder",
                     id="no rules"),
        pytest.param(["1", "--state", "none"], "no daemon has kept its state in none",
                     id="no store"),
        pytest.param(["ring", "--config", "no.yaml"], "no.yaml:1:1: unreadable",
                     id="no configuration"),
    ],
)  # fmt: skip
def test_what_can_not_be_explained_is_told_and_ends_with_2(
    folder: Path, args: list[str], said: str
) -> None:
    argv = ["explain", "--rules", "rules", "--state", "state", *args]
    result = CliRunner().invoke(main, argv)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert said in result.stderr
    assert folder.exists()


def test_a_report_that_would_be_refused_is_told_with_all_that_is_wrong(folder: Path) -> None:
    (folder / "bad.json").write_text('{"action":"RING","callid":7,"ext":"x"}')
    result = pbxrules("--file", "bad.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("pbxrules: the report is not a well-formed ring\n    /")


def test_a_store_that_can_not_be_read_is_told(folder: Path) -> None:
    (folder / "state" / "pbxrules.db").write_bytes(b"no database" * 100)
    result = pbxrules(1)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "file is not a database" in result.stderr


def test_rules_that_would_never_end_are_told(folder: Path) -> None:
    (folder / "rules" / "a.yaml").write_text(
        "rules: [{id: mill, triggers: any, mode: single, actions: [{repeat: {while:"
        " '{{ true }}', do: [{log: a}]}}]}]"
    )
    result = pbxrules(2)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'mill' would go on for ever: 10,000 things at one moment" in result.stderr
