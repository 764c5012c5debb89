"""``pbxrules replay``, as a person or a script uses it."""

import csv
import io
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
from tests.test_docs import EXPLAIN, keys_of_explain_and_replay

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
NEW = """\
state: {armed: {mqtt: home/armed}}
rules:
- id: lamp
  triggers: {event: ring, extension: 101}
  conditions: [{not: {caller: 9}}]
  actions: [{log: a}]
- id: door
  triggers: {event: ring, caller: 200}
  actions: [{log: b}]
- id: slow
  triggers: {event: ring, extension: 102, for: 40s}
  actions: [{log: c}]
"""
REPORTS = [
    ring(extension="101", caller="0301"),
    ring(60, extension="105", caller="200"),
    ring(120, extension="105", caller="200"),
    ring(180, extension="102", caller="1"),
    (210.0, {"kind": "bye", "extension": "102", "call_id": "1795518180.190"}),
    ring(300, extension="101", caller="9"),
]


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.yaml")
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PBXRULES_TIMEZONE", "Europe/Berlin")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``same`` and ``new`` rules, and a ``state`` of what the same ones decided."""
    for name, text in (("same", THEN), ("new", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(text)
    keep(tmp_path / "state", ruleset(THEN), REPORTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pbxrules(*args: object, **how: Any) -> Result:
    argv = ["replay", "--state", "state", *map(str, args)]
    return CliRunner().invoke(main, argv, **how)


def replayed(*args: object, **how: Any) -> str:
    result = pbxrules(*args, **how)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def told(*args: object, **how: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(replayed(*args, "--json", **how))
    return found


@pytest.mark.usefixtures("folder")
def test_the_same_rules_would_have_done_the_same() -> None:
    assert replayed("--rules", "same") == (
        "6 events, Tue 2026-11-24 12:00:00 to Tue 2026-11-24 12:05:00:"
        " rules fired 6 times, and would 6 times; nothing differs\n"
        "note: nothing was sent: each action is taken to succeed at once\n"
        "note: what was remembered is known from Tue 2026-11-24 12:00:00 on\n"
        "\n"
        "4 rules fire as before: lamp, door, slow, old\n"
    )


DIFFERENT = """\
6 events, Tue 2026-11-24 12:00:00 to Tue 2026-11-24 12:05:00: rules fired 6 times, and would \
3 times; 5 differ
note: nothing was sent: each action is taken to succeed at once
note: what was remembered is known from Tue 2026-11-24 12:00:00 on
note: state.armed is null: nobody keeps the messages of home/armed

rule     then      now
lamp        2        1  -1
door        1        2  +1
slow        1        0  -1
old         2        0  -2  (there is no such rule any more)

lamp
  - 6 Tue 2026-11-24 12:05:00 ring extension=101 caller=9 callee=101 direction=internal \
call_id=1795518300.310
      now: caller is 9, wanted not 9

door
  + 3 Tue 2026-11-24 12:02:00 ring extension=105 caller=200 callee=105 direction=internal \
call_id=1795518120.130
      then: cooldown is on for another 240.0 s

slow
  - 4 Tue 2026-11-24 12:03:00 ring extension=102 caller=1 callee=102 direction=internal \
call_id=1795518180.190
      now: bye came in time

old
  - 1 Tue 2026-11-24 12:00:00 ring extension=101 caller=0301 callee=101 direction=internal \
call_id=1795518000.10
      now: there is no such rule any more, or it has enabled: false
  and 1 more (-n 2 shows them)
"""


@pytest.mark.usefixtures("folder")
def test_other_rules_are_told_by_what_differs_and_why() -> None:
    assert replayed("--rules", "new", "-n", 1) == DIFFERENT
    assert "and 1 more" not in replayed("--rules", "new", "-n", 2)


@pytest.mark.usefixtures("folder")
def test_from_and_to_say_which_events_count() -> None:
    found = told("--rules", "same", "--from", "2026-11-24T12:01", "--to", "2026-11-24T12:03")
    assert (found["events"], found["differences"]) == (2, [])
    assert found["first"] == "2026-11-24T11:01:00.000+00:00"
    assert [one["then"] for one in found["rules"]] == [0, 1, 0, 0]
    assert replayed("--rules", "same", "--from", "2099-01-01").startswith("no events\n")


@pytest.mark.usefixtures("folder")
def test_json_is_one_object() -> None:
    found = told("--rules", "new")
    assert {*found} == {"differences", "events", "known", "first", "last", "rules", "notes"}
    assert {*found} == keys_of_explain_and_replay("As CSV and JSON"), "the document names each"
    assert (found["events"], found["known"], len(found["notes"])) == (6, 6, 3)
    assert found["rules"][0] == {
        "rule": "lamp", "exists": True, "then": 2, "now": 1, "more": 0, "less": 1,
    }  # fmt: skip
    (door,) = (one for one in found["differences"] if one["rule"] == "door")
    fields = door.pop("fields")
    assert (fields["event"], fields["caller"]) == ("ring", "200")
    assert door == {
        "event": 3, "at": "2026-11-24T11:02:00.000+00:00", "rule": "door", "then": False,
        "now": True, "fired_at": "2026-11-24T11:02:00.000+00:00",
        "why": "cooldown is on for another 240.0 s",
    }  # fmt: skip
    assert told("--rules", "same")["differences"] == []


@pytest.mark.usefixtures("folder")
def test_csv_has_a_row_for_each_difference() -> None:
    rows = list(csv.DictReader(io.StringIO(replayed("--rules", "new", "--csv"))))
    found = [(row["event"], row["rule"], row["then"], row["now"]) for row in rows]
    assert found == [
        ("1", "old", "fired", ""),
        ("3", "door", "", "fired"),
        ("4", "slow", "fired", ""),
        ("6", "lamp", "fired", ""),
        ("6", "old", "fired", ""),
    ]
    assert rows[1]["fired_at"] == rows[1]["at"] == "2026-11-24T11:02:00.000+00:00"
    assert (rows[1]["kind"], rows[1]["caller"], rows[1]["extension"]) == ("ring", "200", "105")
    head = replayed("--rules", "same", "--csv")
    assert f"`{head.strip()}`" in EXPLAIN, "the document has the columns"


def test_why_a_for_did_not_fire_then_is_told(folder: Path) -> None:
    (folder / "new" / "a.yaml").write_text(THEN.replace("for: 20s", "for: 5s"))
    reports = [ring(extension="102", caller="1"), (10.0, {"kind": "bye", "extension": "102",
               "call_id": "1795518000.10"})]  # fmt: skip
    keep(folder / "waited", ruleset(THEN), reports)
    args = ("--rules", "new", "--state", "waited")
    *_, which, why = replayed(*args).splitlines()
    assert which.startswith("  + 1 Tue 2026-11-24 12:00:00 ring extension=102 caller=1 ")
    assert why == "      then: bye came in time; it would fire at Tue 2026-11-24 12:00:05"
    printed = CliRunner().invoke(main, ["events", "--json", "--state", "waited"]).stdout
    (told_of_file,) = told("--rules", "new", "--file", "-", input=printed)["differences"]
    assert told_of_file["why"] == "bye came in time"


# --- Files -----------------------------------------------------------------------------------


def line(at: str, **more: Any) -> str:
    report = {"action": "RING", "callid": "1.1", "ext": {"extid": ["101", "5"]}} | more
    return json.dumps({"at": at, "report": report}) + "\n"


def test_a_file_of_reports_shows_what_would_fire(folder: Path) -> None:
    (folder / "f").write_text(
        line("2026-11-24T12:00:00+01:00")
        + "\n"
        + line("2026-11-24T12:00:05")  # the same again: a resend
        + line("2026-11-24T12:00:30", callid="2.2", ext={"extid": ["102", "5"]})
    )
    assert replayed("--rules", "same", "--file", "f") == (
        "2 events, Tue 2026-11-24 12:00:00 to Tue 2026-11-24 12:00:30:"
        " what fired then is not known\n"
        "note: nothing was sent: each action is taken to succeed at once\n"
        "note: what was remembered is known from Tue 2026-11-24 12:00:00 on\n"
        "note: 1 report was sent again, which starts nothing twice\n"
        "\n"
        "rule      now\n"
        "lamp        1\n"
        "door        0\n"
        "slow        1\n"
        "old         1\n"
    )


def test_what_events_prints_can_be_replayed_elsewhere(folder: Path) -> None:
    printed = CliRunner().invoke(main, ["events", "--json", "--state", "state"]).stdout
    assert printed.count("\n") == 6
    same = told("--rules", "same", "--file", "-", input=printed)
    assert (same["known"], same["differences"]) == (6, [])
    (folder / "events.jsonl").write_text(printed)
    from_store = told("--rules", "new")["differences"]
    from_file = told("--rules", "new", "--file", "events.jsonl")["differences"]
    keys = ("event", "rule", "then", "now", "fired_at", "fields")
    assert [[one[k] for k in keys] for one in from_file] == [
        [one[k] for k in keys] for one in from_store
    ]


def test_all_lines_that_hold_no_event_are_told_with_their_places(folder: Path) -> None:
    fields = {"event": "ring", "action": "RING", "received_at": "2026-11-24T12:00:00+00:00"}
    (folder / "f").write_text(
        "no json\n[1]\n{}\n"
        '{"action": "RING"}\n'
        + line("soon")
        + line("2026-11-24T12:00:00", ext="x")
        + json.dumps({"fields": {"event": "ring"}})
        + "\n"
        + json.dumps({"fields": fields | {"extensions": [1]}})
        + "\n"
        + json.dumps({"fields": fields})
        + "\n"
        + line("2026-11-24T11:00:00")
        + '{"report": {}}\n'
        + '{"fields": 1}\n'
        + json.dumps({"fields": fields | {"payload": 1}})
        + "\n"
    )
    result = pbxrules("--rules", "same", "--file", "f")
    assert (result.exit_code, result.stdout) == (2, "")
    form = '(write {"at": "2026-11-24T12:00:00+01:00", "report": {"action": "RING"}})'
    assert result.stderr.splitlines() == [
        f"f:1: it is no JSON {form}",
        f"f:2: it is no JSON object {form}",
        f"f:3: it holds no report {form}",
        f"f:4: when the report came is not told {form}",
        f"f:5: 'soon' is no moment {form}",
        "f:6: the report is not a well-formed ring; /ext 'x' is not a mapping",
        "f:7: 'action' is missing from its fields, or no text",
        "f:8: the field 'extensions' is no text, number or list of texts",
        "f:10: '2026-11-24T11:00:00' is before the line above it: put them in order",
        f"f:11: 'at', when it came, is missing or no text {form}",
        "f:12: 'fields' is no map",
        "f:13: 'payload' is no map",
    ]


def test_some_other_file_is_not_read_to_its_end(folder: Path) -> None:
    (folder / "f").write_text("x\n" * 1000)
    assert pbxrules("--rules", "same", "--file", "f").stderr.count("\n") == 100


def test_a_status_that_is_told_again_starts_nothing(folder: Path) -> None:
    def status(at: str, what: str) -> str:
        report = {"action": "ExtensionStatus", "extension": "101", "status": what}
        return json.dumps({"at": at, "report": report}) + "\n"

    (folder / "f").write_text(
        status("2026-11-24T12:00", "Registered")
        + status("2026-11-24T13:00", "Registered")
        + status("2026-11-24T14:00", "Unavailable")
        + status("2026-11-24T15:00", "Registered")
    )
    result = pbxrules("--rules", "same", "--file", "f")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("3 events, ")


# --- Strangers' texts ------------------------------------------------------------------------


@pytest.fixture
def hostile(folder: Path) -> Path:
    """A file of events with what a stranger might call himself."""
    callers = ["=1+1", "+49301", "-5", "@a", "\x1b[31m\u202e\n", "-1+2"]
    fields = {"event": "ring", "action": "RING", "extension": "101"}
    (folder / "f").write_text(
        "".join(
            json.dumps(
                {
                    "fields": fields
                    | {"received_at": f"2026-11-24T12:0{n}:00+00:00", "caller": caller},
                    "rules": [],
                }
            )
            + "\n"
            for n, caller in enumerate(callers)
        )
    )
    return folder / "f"


def test_no_character_of_a_call_moves_the_cursor(hostile: Path) -> None:
    text = replayed("--rules", "same", "--file", hostile, "-n", 10)
    assert all(line.isprintable() for line in text.splitlines())
    assert "caller=\\x1b[31m\\u202e\\n" in text


def test_no_spreadsheet_takes_a_caller_for_a_formula(hostile: Path) -> None:
    text = replayed("--rules", "same", "--file", hostile, "--csv")
    callers = [row["caller"] for row in csv.DictReader(io.StringIO(text)) if row["rule"] == "lamp"]
    assert callers == ["'=1+1", "+49301", "-5", "'@a", "\\x1b[31m\\u202e\\n", "'-1+2"]


# --- What goes wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["--csv", "--json"], "take one of --csv and --json", id="two forms"),
        pytest.param(["--from", "soon"], "--from: 'soon' is no moment", id="no moment"),
        pytest.param(["--from", "1d", "--to", "2d"], "nothing is between --from 1d and --to 2d",
                     id="a span that is none"),
        pytest.param(["--rules", "none"], "none: unreadable: there is no such folder",
                     id="no rules"),
        pytest.param(["--state", "none"], "no daemon has kept its state in none", id="no store"),
        pytest.param(["--file", "none"], "'none': No such file", id="no file"),
        pytest.param(["-n", "-1"], "-1 is not in the range", id="less than none"),
        pytest.param(["--config", "no.yaml"], "no.yaml:1:1: unreadable", id="no configuration"),
    ],
)  # fmt: skip
def test_what_can_not_be_replayed_is_told_and_ends_with_2(
    folder: Path, args: list[str], said: str
) -> None:
    result = pbxrules("--rules", "same", *args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert said in result.stderr
    assert folder.exists()


def test_bad_rules_are_told_as_check_tells_them(folder: Path) -> None:
    (folder / "same" / "a.yaml").write_text("rules: [{id: a, triggers: any}]")
    result = pbxrules("--rules", "same")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "missing-key" in result.stderr


def test_rules_that_would_never_end_are_told(folder: Path) -> None:
    (folder / "same" / "a.yaml").write_text(
        "rules: [{id: mill, triggers: any, actions: [{repeat: {while: '{{ true }}',"
        " do: [{log: a}]}}]}]"
    )
    result = pbxrules("--rules", "same")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the rules can't be replayed: 'mill' would go on for ever" in result.stderr


def test_a_store_that_can_not_be_read_is_told(folder: Path) -> None:
    (folder / "state" / "pbxrules.db").write_bytes(b"no database" * 100)
    result = pbxrules("--rules", "same")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "file is not a database" in result.stderr


def test_what_simulate_writes_is_replayed(folder: Path) -> None:
    argv = ["simulate", "--seed", "1", "--duration", "30m", "--file", "sim.jsonl"]
    assert CliRunner().invoke(main, argv).exit_code == 0
    reports = (folder / "sim.jsonl").read_text().count("\n")
    found = told("--rules", "same", "--file", "sim.jsonl")
    assert (found["known"], found["differences"]) == (0, [])
    again = [int(note.split()[0]) for note in found["notes"] if "sent again" in note]
    assert found["events"] + sum(again) == reports > 50
    assert sum(rule["now"] for rule in found["rules"]) > 0
