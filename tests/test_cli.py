"""The commands, as a person or a script uses them."""

# Over 300 lines: each command, its exit codes and its words.

import asyncio
import errno
import json
import os
import pty
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from pbxrules import __version__, cli, config, shipped
from pbxrules.cli import main
from pbxrules.control import ControlServer
from pbxrules.pbx.body import parse
from pbxrules.pbx.compose import encode
from pbxrules.reportflags import KINDS
from pbxrules.store import SeenAgain
from tests.processes import PBXRULES, Child, free_port, wait_until
from tests.reports import event_of
from tests.rulefiles import rule
from tests.sockets import recording
from tests.stores import NOW, accepted, advanced, ended, refused, run, store_in, tried_again


@pytest.fixture(autouse=True)
def _no_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine's own configuration and state are none of these tests' business."""
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.yaml")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)


def pbxrules(*args: object, **how: Any) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], **how)


def works(*args: object, **how: Any) -> str:
    """What a command that works prints."""
    result = pbxrules(*args, **how)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def fails(code: int, *args: object, **how: Any) -> str:
    """What a command that fails says on stderr."""
    result = pbxrules(*args, **how)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    return result.stderr


# --- Help ------------------------------------------------------------------------------------


def test_help_lists_the_commands_of_a_day() -> None:
    text = works("--help")
    listed = re.findall(r"^  ([a-z]+) +\S", text.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(main.commands)
    assert {"serve", "check", "send", "demo", "schema", "events", "completion"} <= {*listed}
    assert works("-h") == text


@pytest.mark.parametrize("name", main.commands)
def test_each_command_has_an_example_that_its_own_options_understand(name: str) -> None:
    text = works(name, "--help")
    found = re.search(r"Example:\s+(.*)", " ".join(text.split()))
    assert found
    words = re.search(rf"pbxrules {name}([^|>&)]*)", found[1])
    assert words
    command = main.commands[name]
    command.make_context(name, words[1].split())
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_version() -> None:
    assert works("--version") == f"pbxrules, version {__version__}\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["chek"], "No such command 'chek'", id="no such command"),
        pytest.param(["check", "--rule", "x"], "No such option", id="no such option"),
        pytest.param(["send", "rong"], "'rong' is not one of 'ring', 'alert'", id="no such kind"),
        pytest.param(["events", "-n", "x"], "'x' is not a valid integer", id="no number"),
    ],
)
def test_a_slip_is_told_and_ends_with_2(args: list[str], said: str) -> None:
    assert said in fails(2, *args)


@pytest.mark.parametrize(
    "args", [["check"], ["serve"], ["send", "ring"], ["events"], ["reload"]], ids=" ".join
)
def test_every_command_says_what_is_wrong_with_the_configuration(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text("listn: h:1\n")
    expected = (
        f"{tmp_path}/c.yaml:1:1: unknown-key: 'listn' is no key of the configuration"
        " (did you mean 'listen'?)\n"
    )
    assert fails(2, *args, "--config", tmp_path / "c.yaml") == expected
    monkeypatch.setenv("PBXRULES_CONFIG", str(tmp_path / "c.yaml"))
    assert fails(2, *args) == expected
    assert "unreadable: No such file" in fails(2, *args, "--config", tmp_path / "none.yaml")


# --- check -----------------------------------------------------------------------------------


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder ``rules`` with one good rule."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(rule())
    return folder


def test_check_says_that_rules_are_good_and_ends_with_0(rules: Path) -> None:
    assert works("check", rules) == "1 rule in 1 file is good\n"
    (rules / "b.yaml").write_text(rule().replace("id: r", "enabled: false\n  id: s"))
    (rules / "c.yaml").write_text(rule("{event: bye}").replace("id: r", "id: t"))
    assert works("check", rules) == "2 rules in 3 files are good, 1 disabled\n"
    assert works("check", rules / "a.yaml", rules / "c.yaml") == "2 rules in 2 files are good\n"


def test_check_of_a_checkout_finds_the_example_rules_good() -> None:
    assert "are good" in pbxrules("check", shipped.folder("rules")).stdout


def test_messages_without_a_broker_are_warned_of(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rules / "a.yaml").write_text(rule(actions="[{mqtt: {topic: a}}]"))
    (rules / "b.yaml").write_text(
        rule("{event: bye}", "[{mqtt: {topic: b}}]").replace("r\n", "s\n")
    )
    assert works("check", rules) == (
        f"{rules}/a.yaml:2:7: warning: no-broker: mqtt actions fail, for no broker is configured"
        " (say where it is: mqtt.url in the configuration, or serve --mqtt URL)\n"
        "2 rules in 2 files are good, 1 warning\n"
    )
    monkeypatch.setenv("PBXRULES_MQTT_URL", "mqtt://127.0.0.1")
    assert works("check", "--rules", rules) == "2 rules in 2 files are good\n"


FORMATTED = {
    "json": [
        {
            "file": "a.yaml", "line": 3, "column": 14, "code": "unknown-field",
            "severity": "error", "message": "no event has a field 'evnt'",
            "hint": "did you mean 'event'?",
        },
        {
            "file": "b.yml", "line": None, "column": None, "code": "wrong-suffix",
            "severity": "error", "message": "rule files end in .yaml",
            "hint": "rename it to b.yaml",
        },
    ],
    "github": [
        (
            "::error file=a.yaml,line=3,col=14,title=unknown-field"
            "::no event has a field 'evnt' (did you mean 'event'?)"
        ),
        (
            "::error file=b.yml,title=wrong-suffix"
            "::rule files end in .yaml (rename it to b.yaml)"
        ),
    ],
}  # fmt: skip


def test_check_prints_for_programs_and_for_github_too(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(rules)
    (rules / "a.yaml").write_text(rule("{evnt: ring}"))
    (rules / "b.yml").touch()
    result = pbxrules("check", "--format", "json", "a.yaml", "b.yml")
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout) == FORMATTED["json"]
    result = pbxrules("check", "--format", "github", "a.yaml", "b.yml")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines() == FORMATTED["github"]


def test_what_is_good_is_an_empty_array_and_warnings_change_no_exit_code(rules: Path) -> None:
    assert json.loads(works("check", "--format", "json", rules)) == []
    assert works("check", "--format", "github", rules) == "1 rule in 1 file is good\n"
    (rules / "a.yaml").write_text("groups: {spare: [1]}\n" + rule())
    (warning,) = json.loads(works("check", "--format", "json", rules))
    assert (warning["code"], warning["severity"]) == ("unused-group", "warning")
    assert works("check", "--format", "github", rules) == (
        f"::warning file={rules}/a.yaml,line=1,col=10,title=unused-group"
        "::no rule uses the group 'spare' (take it away)\n"
        "1 rule in 1 file is good, 1 warning\n"
    )


def test_a_wrong_configuration_is_told_in_the_same_form(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("listn: h:1\n")
    result = pbxrules("check", "--config", tmp_path / "c.yaml", "--format", "json")
    assert (result.exit_code, result.stderr) == (2, "")
    assert [problem["code"] for problem in json.loads(result.stdout)] == ["unknown-key"]


def test_check_reads_the_tests_of_rules_too(rules: Path) -> None:
    test = "tests: [{name: t, events: [{event: ring}], expect: [{rule: RULE}]}]\n"
    (rules / "a.test.yaml").write_text(test.replace("RULE", "r"))
    both = "1 rule in 1 file is good, and 1 test in 1 file\n"
    assert works("check", rules) == both
    assert works("check", rules / "a.yaml", rules / "a.test.yaml") == both
    assert works("check", rules / "a.test.yaml") == "1 test in 1 file is good\n"
    (rules / "a.test.yaml").write_text(test.replace("RULE", "s"))
    result = pbxrules("check", rules)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.startswith(f"{rules}/a.test.yaml:1:60: unknown-rule: ")


def test_check_tells_mistakes_of_rules_and_of_their_tests_at_once(rules: Path) -> None:
    (rules / "b.yaml").write_text(rule("{evnt: ring}", "[{lgo: a}]").replace("id: r", "id: q"))
    (rules / "a.test.yaml").write_text("tests: [{nam: t, events: [{event: rang}]}]\n")
    lines = pbxrules("check", rules).stdout.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "unknown-key", "unknown-event", "unknown-field", "unknown-key",
    ]  # fmt: skip


def test_a_secret_that_is_not_configured_is_told_with_what_to_do(rules: Path) -> None:
    (rules / "a.yaml").write_text(rule(actions="[{log: '{{ secret.ntfy }}'}]"))
    said = pbxrules("check", rules).stdout
    assert "'secret' has no 'ntfy' (declare it under 'secrets:' in the configuration)" in said


def test_check_prints_each_problem_on_a_line_and_ends_with_1(rules: Path) -> None:
    (rules / "b.yaml").write_text(rule("{evnt: ring}", "[{lgo: a}]"))
    result = pbxrules("check", rules)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{rules}/b.yaml:2:7: duplicate-id: the id 'r' stands also at {rules}/a.yaml:2:7",
        f"{rules}/b.yaml:3:14: unknown-field: no event has a field 'evnt' (did you mean 'event'?)",
        f"{rules}/b.yaml:4:14: unknown-key: 'lgo' is no key of an action (did you mean 'log'?)",
    ]
    assert result.stderr == ""


def test_check_of_what_can_not_be_read_ends_with_2(rules: Path) -> None:
    result = pbxrules("check", rules, rules / "none.yaml")
    assert result.exit_code == 2
    assert result.stdout == f"{rules}/none.yaml:1:1: unreadable: No such file or directory\n"
    (rules / "b.yaml").write_bytes(b"\xff")
    (rules / "c.yaml").write_text(rule("{evnt: ring}"))
    result = pbxrules("check", rules)
    assert result.exit_code == 2, "what is wrong elsewhere is told too"
    assert "b.yaml:1:1: unreadable" in result.stdout
    assert "c.yaml:3:14: unknown-field" in result.stdout


def test_a_group_of_a_file_that_is_not_read_is_not_unknown(rules: Path) -> None:
    (rules / "a.yaml").write_text(rule("{caller: {in: family}}"))
    (rules / "groups.yml").write_text("groups: {family: [1]}\n")
    result = pbxrules("check", rules)
    assert result.exit_code == 1
    assert result.stdout == (
        f"{rules}/groups.yml: wrong-suffix: rule files end in .yaml (rename it to groups.yaml)\n"
    )


def test_check_without_paths_takes_the_rules_of_the_configuration(rules: Path) -> None:
    conf = rules.parent / "c.yaml"
    conf.write_text("variables: {site: hq}\nsecrets: {ntfy: {env: NOT_SET}}\n")
    (rules / "a.yaml").write_text(rule(actions="[{log: '{{ vars.site }} {{ secret.ntfy }}'}]"))
    assert works("check", "--config", conf) == "1 rule in 1 file is good\n"
    result = pbxrules("check", rules)
    assert result.exit_code == 1
    assert "'vars' has no 'site'" in result.stdout


def test_check_knows_events_of_the_users_own(rules: Path) -> None:
    schemas = rules.parent / "schemas"
    schemas.mkdir()
    (schemas / "dtmf.schema.json").write_text('{"properties": {"action": {"const": "DTMF"}}}')
    (rules / "a.yaml").write_text(rule("{event: dtmf}"))
    (rules.parent / "c.yaml").write_text("schemas: schemas\n")
    assert "is good" in works("check", "--config", rules.parent / "c.yaml")
    assert pbxrules("check", rules).exit_code == 1


SECRET_CONFIG = """\
state: state
secrets: {a: {credential: a}, b: {env: NOT_SET}, c: {file: nowhere}}
mqtt: {url: "mqtt://127.0.0.1", password: {credential: p}}
"""


def test_only_the_daemon_needs_the_secrets(rules: Path) -> None:
    """Root's `check` of /etc/pbxrules has none of systemd's credentials."""
    conf = rules.parent / "c.yaml"
    conf.write_text(SECRET_CONFIG)
    with store_in(rules.parent / "state") as kept:
        kept.write(accepted(1))
    assert "is good" in works("check", "--config", conf)
    assert works("events", "--config", conf)
    with recording() as server:
        assert "200" in works("send", "ring", "--config", conf, "--url", server.url)
    assert "no daemon runs" in fails(2, "reload", "--config", conf)
    said = fails(2, "serve", "--config", conf)
    assert [line.split(": ")[1] for line in said.splitlines()] == ["no-secret"] * 4
    assert "LoadCredential=a:" in said


# --- serve -----------------------------------------------------------------------------------


def test_serve_with_bad_rules_prints_them_and_ends_with_2(rules: Path, tmp_path: Path) -> None:
    (rules / "a.yaml").write_text(rule("{evnt: ring}"))
    said = fails(2, "serve", "--rules", rules, "--state", tmp_path / "s", "--listen", "127.0.0.1:0")
    assert said == (
        f"{rules}/a.yaml:3:14: unknown-field: no event has a field 'evnt' (did you mean 'event'?)\n"
    )
    assert not (tmp_path / "s").exists()


def test_serve_without_a_folder_of_rules_says_so(tmp_path: Path) -> None:
    said = fails(2, "serve", "--rules", tmp_path / "none")
    assert said == (
        f"{tmp_path}/none: unreadable: there is no such folder"
        " (say where the rules are: --rules DIR, or the key 'rules' of the configuration)\n"
    )
    result = pbxrules("check", "--rules", tmp_path / "none")
    assert (result.exit_code, result.stdout) == (2, said)


def test_serve_with_a_bad_flag_names_it(rules: Path) -> None:
    assert fails(2, "serve", "--rules", rules, "--listen", "8080") == (
        "--listen: wrong-value: '8080' is not HOST:PORT\n"
    )
    assert fails(2, "serve", "--rules", rules, "--mqtt", "broker").startswith(
        "--mqtt: wrong-value:"
    )


# --- send ------------------------------------------------------------------------------------

OPTIONS = {
    "ring": {"extension": "107", "caller": "+4930", "trunk": "t9", "dialled": "99", "pbx": "s"},
    "alert": {"caller": "107", "direction": "internal", "call-id": "1.5"},
    "answer": {"caller": "107", "callee": "030", "direction": "outbound", "trunk": "t"},
    "bye": {"extension": "107", "caller": "030", "direction": "inbound"},
    "call_failed": {"reason": "486", "caller": "107", "callee": "108"},
    "transfer": {"extension": "109", "direction": "internal"},
    "extension_status": {"extension": "107", "status": "Busy"},
    "cdr": {"caller": "030", "callee": "101", "status": "NO ANSWER", "direction": "inbound"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_send_sends_each_kind_in_the_pbxs_own_bytes(kind: str) -> None:
    told = OPTIONS[kind]
    args = [word for name, value in told.items() for word in (f"--{name}", value)]
    with recording() as server:
        shown = works("send", kind, *args, "--url", server.url)
    (request,) = server.came
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST HTTP/1.1",
        f"Host:127.0.0.1:{server.port}".encode(),
        f"Content-Length:{len(body)}".encode(),
        b"Accept: application/json",
        b"Content-Type:application/json",
        b"Connection:close",
    ]
    assert body == encode(parse(body)), "on one line, without spaces"
    assert shown.splitlines() == [body.decode(), '200 {"id": 7}']
    event = event_of(body)
    assert event.kind == kind
    fields = {name.replace("-", "_"): value for name, value in told.items()}
    if kind == "alert":
        del fields["direction"]  # such a report does not tell it
    assert {name: event.fields[name] for name in fields} == fields


def test_every_option_of_send_that_a_report_can_hold_was_tried() -> None:
    options = {str(param.name) for param in main.commands["send"].params}
    tried = {name.replace("-", "_") for told in OPTIONS.values() for name in told}
    assert options - tried == {"kind", "file", "url", "config"}


def test_send_alone_is_enough_and_goes_where_the_configuration_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with recording() as server:
        monkeypatch.setenv("PBXRULES_LISTEN", f"0.0.0.0:{server.port}")
        for kind in KINDS:
            works("send", kind)
    assert [event_of(one.partition(b"\r\n\r\n")[2]).kind for one in server.came] == [*KINDS]
    assert server.came[0].startswith(b"POST HTTP/1.1\r\n")


def test_send_sends_a_file_or_stdin_as_it_is(tmp_path: Path) -> None:
    body = b'{ "action":"RING" ,  "\xc3\xbc": 1e3}'
    (tmp_path / "ring.json").write_bytes(body + b"\n")
    with recording() as server:
        works("send", "--file", tmp_path / "ring.json", "--url", f"{server.url}/events")
        works("send", "--file", "-", "--url", server.url, input=body)
    assert [one.partition(b"\r\n\r\n")[2] for one in server.came] == [body, body]
    assert server.came[0].startswith(b"POST /events HTTP/1.1\r\n")


@pytest.mark.parametrize("args", [[], ["ring", "--file", "-"]], ids=["neither", "both"])
def test_send_takes_a_kind_or_a_file(args: list[str]) -> None:
    assert "give a KIND (ring, alert," in fails(2, "send", *args)


def test_send_of_a_file_takes_no_fields_beside_it() -> None:
    said = fails(2, "send", "--file", "-", "--caller", "1", "--call-id", "2", input=b"{}")
    assert "--file is the whole report: --caller, --call-id can't change it" in said


def test_send_says_what_does_not_fit_together() -> None:
    said = fails(2, "send", "ring", "--status", "Busy", "--url", "http://127.0.0.1:1")
    assert "the report of internal 'ring' has no place for status" in said


def test_send_says_that_nobody_is_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert fails(1, "send", "ring", "--url", url) == (
        f"pbxrules: {url}: Connection refused (does the daemon run there?)\n"
    )


def test_send_says_that_a_url_is_none() -> None:
    assert "'mqtt://h' is no http:// or https:// URL" in fails(
        2, "send", "ring", "--url", "mqtt://h"
    )


def test_send_ends_with_1_where_the_pbx_would_send_again() -> None:
    with recording(b"HTTP/1.1 503 Service Unavailable\r\n\r\nlater") as server:
        result = pbxrules("send", "ring", "--url", server.url)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "503 later"


# --- schema ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "file"),
    [
        pytest.param(["rules"], "rules", id="of rules"),
        pytest.param(["config"], "config", id="of the configuration"),
        pytest.param(["event", "ring"], "events/ring", id="of an event"),
        pytest.param(["event", "extension_status"], "events/extension_status", id="of another"),
    ],
)
def test_schema_prints_what_an_editor_takes(args: list[str], file: str) -> None:
    assert json.loads(works("schema", *args)) == shipped.schema(file)


def test_schema_of_an_event_that_there_is_not_says_which_there_are() -> None:
    assert "(did you mean 'ring'?)" in fails(2, "schema", "event", "rng")
    assert "alert, answer, bye, call_failed" in fails(2, "schema", "event")


# --- events ----------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with three events, the last of which owes an action."""
    folder = tmp_path / "state"
    one, two = run(1, 1), run(1, 2)
    with store_in(folder) as kept:
        kept.write(
            accepted(1, one, two),
            accepted(2),
            accepted(3, run(3)),
            SeenAgain(event_id=2, at=NOW),
            advanced(ended(one)),
            advanced(ended(two)),
            advanced(tried_again(tried_again(run(3), NOW), NOW)),
            refused(1),
            refused(1),
            refused(2),
        )
    return folder


def test_events_shows_what_came_what_fired_and_what_became_of_it(state: Path) -> None:
    shown = works("events", "--state", state).splitlines()
    came = "2026-11-18T12:26:40.000+00:00 ring caller=☎ 030\\n"
    miss = (
        "       - other: trunk is absent, wanted t; caller is ☎ 030\\n, wanted ü;"
        " one of these would do: time is Tue 14:05, wanted night; {{ a }} fails; {{ b }} is false"
    )
    assert shown == [
        f"     1 {came}",
        miss,
        "       → rule-1 log done ü",
        "       → rule-2 log done ü",
        f"     2 {came}  (sent 2 times)",
        miss,
        f"     3 {came}",
        miss,
        "       → rule-1 log owed next try at 2026-11-18T11:06:40.000+00:00 (2 tries)",
    ]


def test_events_as_json_has_one_object_a_line_with_these_keys_and_no_others(state: Path) -> None:
    lines = [json.loads(line) for line in works("events", "--json", "--state", state).splitlines()]
    for line in lines:
        assert list(line) == ["id", "received_at", "fields", "rules", "actions"]
    first, second, third = lines
    assert first["received_at"] == "2026-11-18T12:26:40.000+00:00"
    assert first["fields"] == {
        "event": "ring", "action": "RING", "received_at": "2026-11-18T12:26:40.000+00:00",
        "caller": "☎ 030\n", "extensions": ["101", "102"], "duration": 7,
        "payload": {"action": "RING", "callid": "1"},
    }  # fmt: skip
    assert (first["rules"], second["rules"], second["actions"]) == (["rule-1", "rule-2"], [], [])
    assert first["actions"][1] == {
        "rule": "rule-2", "run": "1.2", "position": "actions/0", "action": "log",
        "state": "done", "reason": "ü", "attempts": 1,
    }  # fmt: skip
    assert third["actions"] == [
        {
            "rule": "rule-1", "run": "3.1", "position": "actions/0", "action": "log",
            "state": "owed", "reason": "next try at 2026-11-18T11:06:40.000+00:00", "attempts": 2,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param([], [1, 2, 3], id="all"),
        pytest.param(["-n", "2"], [2, 3], id="the last two"),
        pytest.param(["--last", "9"], [1, 2, 3], id="more than there are"),
        pytest.param(["-n", "0"], [], id="none"),
    ],
)
def test_how_many_events_are_shown(args: list[str], expected: list[int], state: Path) -> None:
    shown = works("events", "--json", "--state", state, *args)
    assert [json.loads(line)["id"] for line in shown.splitlines()] == expected


def test_many_events_are_read_page_by_page_and_all_of_them(tmp_path: Path) -> None:
    with store_in(tmp_path) as kept:
        kept.write(*(accepted(number) for number in range(1, 1002)))
    shown = works("events", "--json", "--state", tmp_path)
    assert [json.loads(line)["id"] for line in shown.splitlines()] == list(range(1, 1002))


def test_refused_reports_are_shown_with_why_and_how_often(state: Path) -> None:
    shown = works("events", "--refused", "--state", state)
    assert shown.splitlines() == [
        "2026-11-18T11:06:40.000+00:00 422 not as its schema (2 times)",
        "    /ext no 1",
        "    \ufffd1",
        "2026-11-18T11:06:40.000+00:00 422 not as its schema",
        "    /ext no 2",
        "    \ufffd2",
    ]
    first, second = map(
        json.loads, works("events", "--refused", "--json", "--state", state).splitlines()
    )
    assert first == {
        "first_at": "2026-11-18T11:06:40.000+00:00", "last_at": "2026-11-18T11:06:40.000+00:00",
        "count": 2, "status": 422, "title": "not as its schema",
        "errors": [{"pointer": "/ext", "message": "no 1"}], "body": "\ufffd1",
    }  # fmt: skip
    assert second["count"] == 1


def test_events_where_no_daemon_was_says_so(tmp_path: Path) -> None:
    for args in ([], ["--follow"], ["--json"], ["--refused"]):
        said = fails(2, "events", "--state", tmp_path / "none", *args)
        assert said == f"pbxrules: no daemon has kept its state in {tmp_path}/none\n"
    assert str(tmp_path / "home" / "pbxrules") in fails(2, "events")


def test_events_of_a_broken_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "pbxrules.db").write_bytes(b"no database, however it is called " * 40)
    for args in ([], ["--json"], ["--refused"], ["-n", "5"]):
        said = fails(2, "events", "--state", tmp_path, *args)
        assert said == f"pbxrules: {tmp_path}/pbxrules.db: file is not a database\n"


@contextmanager
def following(folder: Path, log: Path, *args: str) -> Iterator[Callable[[int], list[Any]]]:
    """``events --follow --json``; gives what it printed once that is so many lines."""
    command = [PBXRULES, "events", "--follow", "--json", "--state", str(folder), *args]
    with Child(command, log) as child:

        def whole() -> list[str]:
            # What is written at once is seen page by page: a line may end at 4,096 bytes.
            return child.text.split("\n")[:-1]

        def lines(count: int) -> list[Any]:
            printed = wait_until(
                lambda: found if len(found := whole()) >= count else [],
                f"{count} lines, after {child.text!r}",
            )
            return [json.loads(line) for line in printed]

        yield lines
        child.kill()


def test_follow_goes_on_with_what_comes(state: Path, tmp_path: Path) -> None:
    with store_in(state) as kept, following(state, tmp_path / "log", "-n", "2") as lines:
        kept.write(advanced(ended(run(3))))
        assert [line["id"] for line in lines(2)] == [2, 3]
        kept.write(accepted(4), accepted(5, ended(run(5))))
        assert [line["id"] for line in lines(4)] == [2, 3, 4, 5]
        kept.write(accepted(6))
        assert [line["id"] for line in lines(5)][4:] == [6]


def test_follow_from_now_on_shows_nothing_of_before(state: Path, tmp_path: Path) -> None:
    with store_in(state) as kept, following(state, tmp_path / "log", "-n", "0") as lines:
        # When it began to look is not to be seen; so one comes after the other until it does.
        number = 4
        while not (tmp_path / "log").read_text():
            kept.write(accepted(number))
            number += 1
        ids = [line["id"] for line in lines(1)]
    assert ids[0] >= 4
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_follow_shows_an_event_with_what_became_of_its_actions(state: Path, tmp_path: Path) -> None:
    with store_in(state) as kept:
        kept.write(advanced(ended(run(3))))
        with following(state, tmp_path / "log") as lines:
            lines(3)
            kept.write(accepted(4, run(4)))
            kept.write(advanced(ended(run(4))), accepted(5))
            assert [action["state"] for action in lines(5)[3]["actions"]] == ["done"]


def test_follow_waits_for_an_action_only_so_long(state: Path, tmp_path: Path) -> None:
    with following(state, tmp_path / "log") as lines:
        assert [action["state"] for action in lines(3)[2]["actions"]] == ["owed"]


# --- reload ----------------------------------------------------------------------------------


@contextmanager
def daemon_that_answers(folder: Path, answer: dict[str, Any]) -> Iterator[None]:
    """A control socket of a daemon that answers a reload so."""
    loop = asyncio.new_event_loop()
    folder.mkdir(exist_ok=True)
    server = ControlServer(folder, {"reload": lambda _: answer})
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_reload_says_what_is_in_force(tmp_path: Path) -> None:
    with daemon_that_answers(tmp_path / "s", {"reloaded": True, "rules": 2, "needs_restart": []}):
        assert works("reload", "--state", tmp_path / "s") == "2 rules are in force\n"
    answer = {"reloaded": True, "rules": 1, "needs_restart": ["listen", "mqtt"]}
    with daemon_that_answers(tmp_path / "s", answer):
        result = pbxrules("reload", "--state", tmp_path / "s")
        assert (result.exit_code, result.stdout) == (0, "1 rule is in force\n")
        assert result.stderr == "needs a restart: listen, mqtt\n"


def test_a_bad_reload_says_why_and_ends_with_1(tmp_path: Path) -> None:
    answer = {"reloaded": False, "problems": ["a.yaml:1:1: x: y"]}
    with daemon_that_answers(tmp_path / "s", answer):
        said = fails(1, "reload", "--state", tmp_path / "s")
    assert said == "a.yaml:1:1: x: y\nthe old rules stay in force\n"


def test_reload_where_no_daemon_runs_says_so(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert fails(2, "reload", "--state", folder) == (
            f"pbxrules: no daemon runs on {folder}: No such file or directory\n"
        )


# --- completion ------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_the_shell_takes(shell: str) -> None:
    script = works("completion", shell)
    assert "_PBXRULES_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_bash_completes_commands_kinds_and_options(tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(works("completion", "bash"))
    subprocess.run(["bash", "-n", script], check=True)
    for words, expected in (
        ("pbxrules che", {"check"}),
        ("pbxrules send r", {"ring"}),
        ("pbxrules events --re", {"--refused"}),
    ):
        environment = {
            **os.environ, "_PBXRULES_COMPLETE": "bash_complete",
            "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1),
        }  # fmt: skip
        done = subprocess.run(
            [PBXRULES], capture_output=True, text=True, env=environment, check=False
        )
        assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected


# --- In a pipe -------------------------------------------------------------------------------


PLAIN = {
    name: text
    for name, text in os.environ.items()
    if name not in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "TTY_COMPATIBLE")
}


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True, check=False, timeout=30,
        env={**PLAIN, "PATH": f"{Path(PBXRULES).parent}:{os.environ['PATH']}", **environment},
    )  # fmt: skip


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A state folder that shows more than a pipe holds."""
    with store_in(tmp_path / "large") as kept:
        kept.write(*(accepted(number, size=1000) for number in range(1, 301)))
    return tmp_path / "large"


@pytest.mark.parametrize("option", ["", "--json"])
def test_who_stops_reading_gets_no_traceback(option: str, large: Path) -> None:
    done = shell(f"pbxrules events {option} --state {large} | head -n 1")
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


READERS = [
    "events", "events --json", "state", "replay --json",
    "replay --csv", "explain 1",
]  # fmt: skip


@pytest.mark.parametrize("command", READERS)
def test_what_can_not_be_printed_is_told_in_a_line(command: str, large: Path, rules: Path) -> None:
    (rules / "a.yaml").write_text("state: {missed: 0}\n" + rule("{event: ring}"))
    where = f"--state {large} --config c.yaml"
    line = f"echo 'rules: {rules}' > c.yaml; pbxrules {command} {where}"
    done = shell(f"cd {large}; {line} > /dev/full")
    assert (done.returncode, done.stderr) == (2, b"pbxrules: No space left on device\n")
    assert b"Traceback" not in shell(f"cd {large}; {line} >&-").stderr


def test_a_folder_that_can_not_be_looked_at_is_told_in_a_line(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 300)  # no folder can be called so: asking for it fails, too
    done = shell(f"pbxrules events --state {folder}")
    assert done.returncode == 2
    assert done.stderr.endswith(b"File name too long\n")
    assert done.stderr.count(b"\n") == 1


def test_an_event_of_a_number_without_end_is_not_kept(state: Path, rules: Path) -> None:
    told = fails(2, "explain", "9" * 30, "--state", state, "--rules", rules)
    assert f"no event {'9' * 30} is kept" in told


def test_problems_are_not_coloured_where_that_is_not_wanted(rules: Path) -> None:
    (rules / "a.yaml").write_text("state: {missed: 0}\n" + rule("{event: ring}"))
    assert b"\x1b[33munused-state" in on_terminal("check", str(rules))
    plain = on_terminal("check", str(rules), NO_COLOR="1")
    assert b"unused-state" in plain
    assert b"\x1b" not in plain


def test_in_a_pipe_nothing_is_coloured_nor_cut(state: Path, rules: Path) -> None:
    (rules / "a.yaml").write_text(rule("{evnt: ring}"))
    lines = [f"pbxrules events --state {state}", f"pbxrules check {rules}"]
    for line in lines:
        plain = shell(f"{line} | cat", COLUMNS="20", NO_COLOR="")
        assert b"\x1b" not in plain.stdout
        assert len(plain.stdout.splitlines()[0]) > 50
        assert plain.stderr == b""


def test_on_a_terminal_there_are_colours_unless_they_are_not_wanted(state: Path) -> None:
    colour = re.compile(rb"\x1b\[(?:\d+;)*3\d(?:;\d+)*m")
    assert colour.search(on_terminal("events", "--state", str(state)))
    assert not colour.search(on_terminal("events", "--state", str(state), NO_COLOR="1"))


def on_terminal(*args: str, **environment: str) -> bytes:
    """What a command prints where its output is a terminal."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [PBXRULES, *args], stdout=theirs, check=True, timeout=30,
            env={**PLAIN, "TERM": "xterm-256color", **environment},
        )  # fmt: skip
        return os.read(ours, 65_536)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("name", "code"), [("events", 2), ("serve", 1)])
def test_systemd_starts_a_daemon_again_that_the_system_refused_something(
    name: str, code: int
) -> None:
    @click.command(name)
    def refused() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    result = CliRunner().invoke(cli._Group(commands=[refused]), [name])
    assert result.exit_code == code
    assert isinstance(result.exception, OSError) is (name == "serve")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["queue", "--json", "drop", "4.1"], "--json says nothing to 'drop'"),
        (["queue", "--rule", "x", "retry", "4.1"], "--rule says nothing to 'retry'"),
        (["state", "--json", "set", "missed", "0"], "--json says nothing to 'set'"),
    ],
)
def test_an_option_that_would_say_nothing_is_refused(args: list[str], said: str) -> None:
    result = pbxrules(*args)
    assert result.exit_code == 2
    assert said in result.stderr
