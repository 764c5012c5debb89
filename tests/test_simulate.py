"""``pbxrules simulate``, as a person or a script uses it."""

import json
import os
import pty
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pbxrules import config, loading
from pbxrules.cli import main
from pbxrules.pbx.tables import ACTIONS
from pbxrules.store import reading
from tests.processes import PBXRULES, Child, Daemon, Home, environment, free_port, wait_until
from tests.reports import event_of
from tests.sockets import recording

RULES = """\
rules:
- id: lamp
  triggers: {event: ring, extension: 101}
  actions: [{log: it rings}]
- id: never
  triggers: {event: ring, extension: 999}
  actions: [{log: nobody has that}]
- id: missed
  triggers: {event: cdr, direction: inbound, status: {not: ANSWERED}}
  expires: never
  actions: [{log: somebody called}]
"""
BUSY = ("--calls-per-hour", "200", "--seed", "5")
START = ("--start", "2026-11-24T08:00:00+01:00")


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.yaml")
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, RULES)


@pytest.fixture
def daemon(home: Home) -> Iterator[Daemon]:
    with home.serving() as daemon:
        yield daemon


def pbxrules(*args: object) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, args)])


def lines(*args: object) -> list[dict[str, Any]]:
    """The reports that are written to stdout."""
    result = pbxrules("--file", "-", *args)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- To a daemon ------------------------------------------------------------------------------


def test_a_daemon_takes_all_eight_reports_and_refuses_none(home: Home, daemon: Daemon) -> None:
    result = pbxrules("--url", daemon.url, "--speed", "max", "--json", *BUSY)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["refused"], told["errors"], told["given_up"], told["unfinished"]) == (0, 0, 0, 0)
    assert told["accepted"] == told["sent"] == told["reports"] > 1_000
    assert told["statuses"] == {"200": told["sent"]}
    assert {event["fields"]["event"] for event in home.events()} == set(ACTIONS)
    with reading.opened(home.state / "pbxrules.db") as db:
        assert reading.refused(db) == []


def test_each_report_counts_once_and_what_was_sent_twice_as_a_resend(
    home: Home, daemon: Daemon
) -> None:
    wished = (*BUSY, *START, "--resends", "20")
    made = [line["report"] for line in lines(*wished)]
    once = {json.dumps(report) for report in made if report["action"] != "ExtensionStatus"}
    pbxrules("--url", daemon.url, "--speed", "max", "--connections", "1", *wished)
    with reading.opened(home.state / "pbxrules.db") as db:
        records = [one for one in reading.events(db) if one.event.kind != "extension_status"]
    assert len(records) == len(once)
    calls = [report for report in made if report["action"] != "ExtensionStatus"]
    assert sum(one.repeats for one in records) == len(calls) - len(once) > 100


def test_what_it_sends_is_what_it_writes() -> None:
    wished = ("--calls-per-hour", "30", "--seed", "3", *START)
    with recording() as server:
        result = pbxrules("--url", server.url, "--speed", "max", "--connections", "1", *wished)
        assert result.exit_code == 0, result.output
    bodies = [request.partition(b"\r\n\r\n")[2] for request in server.came]
    assert [json.loads(body) for body in bodies if body] == [
        line["report"] for line in lines(*wished)
    ]


def test_without_a_url_it_goes_where_the_configuration_listens(tmp_path: Path) -> None:
    home = Home(tmp_path, RULES, listen=f"127.0.0.1:{free_port()}")
    with home.serving():
        done = home.command("simulate", "--speed", "max", "--calls-per-hour", "20", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert "refused    0\n" in done.stdout
    assert done.stderr == ""


def test_the_table_tells_what_came_of_it() -> None:
    with recording() as server:
        result = pbxrules("--url", server.url, "--speed", "max", "--seed", 7, *START)
    assert (result.exit_code, result.stderr) == (0, "")
    words = [line.split()[0] for line in result.stdout.splitlines()]
    assert words == [
        "calls", "sent", "accepted", "refused", "errors", "latency", "rate", "seed",
    ]  # fmt: skip
    assert "seed       7\n" in result.stdout
    assert "\x1b" not in result.stdout


JSON_KEYS = [
    "url", "seed", "start", "simulated_s", "calls", "calls_not_made", "reports", "sent",
    "accepted", "refused", "errors", "sent_again", "given_up", "unfinished", "statuses",
    "reasons", "latency_ms", "rate_per_s", "behind_s", "took_s",
]  # fmt: skip


def test_the_json_is_the_one_that_is_documented() -> None:
    with recording() as server:
        result = pbxrules("--url", server.url, "--speed", "max", "--json", *BUSY, *START)
    told = json.loads(result.stdout)
    assert list(told) == JSON_KEYS
    assert list(told["latency_ms"]) == ["p50", "p90", "p99", "max"]
    assert sorted(told["latency_ms"].values()) == list(told["latency_ms"].values())
    assert datetime.fromisoformat(told["start"]) == datetime.fromisoformat(START[1])
    documented = Path(__file__).parent.parent / "docs" / "simulate.md"
    assert not [key for key in JSON_KEYS if f"`{key}`" not in documented.read_text("utf-8")]


def test_what_is_refused_exits_with_1_and_tells_the_statuses() -> None:
    answer = b"HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\n{}"
    with recording(answer) as server:
        result = pbxrules("--url", server.url, "--speed", "10000", "--duration", "10m", *BUSY)
    assert result.exit_code == 1
    assert "(422: " in result.stdout
    assert "not accepted by the last try" in result.stdout


def test_where_nobody_listens_it_says_so_and_exits_with_1() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = pbxrules("--url", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"pbxrules: {url}: Connection refused (does the daemon run there?)\n"


def test_a_host_that_nobody_knows_is_told() -> None:
    result = pbxrules("--url", "http://no.such.host.invalid")
    assert result.exit_code == 1
    assert "(does the daemon run there?)" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_ended_it_tells_what_came_of_it_so_far(number: signal.Signals, tmp_path: Path) -> None:
    with recording() as server:
        argv = [PBXRULES, "simulate", "--url", server.url, "--json"]
        argv += ["--calls-per-hour", "9000", "--extensions", "9000"]
        with Child(argv, tmp_path / "log", env=environment()) as child:
            wait_until(lambda: len(server.came) > 4, "reports")
            child.signal(number)
            assert child.wait() == 0, child.text
    told = json.loads(child.text)
    assert told["sent"] == told["accepted"] >= 4
    assert told["unfinished"] == 0


def test_on_a_terminal_a_line_tells_how_far_it_is() -> None:
    ours, theirs = pty.openpty()
    with recording() as server:
        done = subprocess.run(
            [PBXRULES, "simulate", "--url", server.url, "--speed", "3600", "--seed", "1"],
            stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=30,
            env={**environment(), "TERM": "xterm-256color", "COLUMNS": "120"},
        )  # fmt: skip
    os.close(theirs)
    drawn = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "%  sent " in drawn
    assert "accepted" in drawn
    assert done.stdout.startswith(b"calls ")


# --- To a file --------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.jsonl" for name in "abc"]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        result = pbxrules("--file", file, "--seed", seed)
        assert result.exit_code == 0
        assert result.stderr.endswith(f"(seed {seed})\n")
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other


def test_without_a_seed_it_says_which_one_it_took(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    seed = pbxrules("--file", file).stderr.rpartition("seed ")[2].strip(")\n")
    again = tmp_path / "b.jsonl"
    pbxrules("--file", again, "--seed", seed)
    assert file.read_bytes() == again.read_bytes()


def test_each_line_has_a_moment_with_its_zone_and_the_report_as_sent(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("timezone: Asia/Kolkata\n")
    found = lines("--config", tmp_path / "c.yaml", "--start", "2026-11-24T08:00", *BUSY)
    assert {tuple(line) for line in found} == {("at", "report")}
    moments = [datetime.fromisoformat(line["at"]) for line in found]
    assert moments == sorted(moments)
    assert {line["at"][-6:] for line in found} == {"+05:30"}
    assert found[0]["at"].startswith("2026-11-24T08:0")
    kinds = Counter(event_of(line["report"]).kind for line in found)
    assert set(kinds) == set(ACTIONS)


def test_a_test_file_expects_what_the_rules_beside_it_do(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULES)
    file = tmp_path / "busy.test.yaml"
    result = pbxrules("--file", file, *BUSY, "--resends", "50")
    assert result.exit_code == 0, result.output
    assert '- {rule: "never"}' in file.read_text("utf-8")
    assert '- {rule: "missed", times: ' in file.read_text("utf-8")
    runner = CliRunner()
    assert runner.invoke(main, ["test", str(file)]).exit_code == 0
    (tmp_path / "a.yaml").write_text(RULES.replace("extension: 101", "extension: 102"))
    changed = runner.invoke(main, ["test", str(file)])
    assert changed.exit_code == 1
    assert "expected rule lamp starts" in changed.stdout


@pytest.mark.parametrize(
    ("rules", "args", "says"),
    [
        pytest.param("", (), "there are no rules beside it", id="no rules"),
        pytest.param("rules:\n- id: a\n", (), "a.yaml:2:3: missing-key", id="wrong rules"),
        pytest.param(RULES, ("--calls-per-hour", "9000", "--extensions", "9000"),
                     "reports are too many for one test, of 1 MiB (a shorter --duration",
                     id="too much"),
        pytest.param(RULES, ("--calls-per-hour", "0"), "there is no report", id="nothing"),
        pytest.param(RULES, ("--trunks", "{{ x }}"), "a test would read as a template",
                     id="a template"),
    ],
)  # fmt: skip
def test_where_no_test_can_be_made_it_says_why(
    rules: str, args: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    if rules:
        (tmp_path / "a.yaml").write_text(rules)
    file = tmp_path / "busy.test.yaml"
    result = pbxrules("--file", file, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert not file.exists()


def test_a_file_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    result = pbxrules("--file", tmp_path / "none" / "a.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("a.jsonl: No such file or directory\n")


def test_who_reads_no_further_ends_it_without_a_word_of_python() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PBXRULES} simulate --file - --duration 30d | head -n 1"],
        capture_output=True, text=True, check=True, timeout=30, env=environment(),
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


# --- Wishes -----------------------------------------------------------------------------------


def test_all_options_that_are_wrong_are_told_at_once_with_2() -> None:
    result = pbxrules("--extensions", "140..101", "--missed", "120", "--duration", "soon")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "--duration: wrong-value: soon is no duration (such as 90s, 30m or 1h)",
        "--extensions: wrong-value: 140..101 runs backwards (write 101..140)",
        "--missed: wrong-value: 120 is no percentage (0 to 100)",
    ]


def test_what_is_about_sending_can_not_stand_beside_a_file() -> None:
    result = pbxrules("--file", "-", "--speed", "5", "--json", "--url", "http://h")
    assert result.exit_code == 2
    assert "--file sends nothing: --url, --speed, --json can't stand beside it" in result.stderr


def test_what_is_no_url_is_told_with_2() -> None:
    result = pbxrules("--url", "pbx.lan:8080")
    assert result.exit_code == 2
    assert "'pbx.lan:8080' is no http:// or https:// URL" in result.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param(
            ("--extensions", "4", "--calls-per-hour", "3000"), "nobody was free", id="too few"
        ),
        pytest.param(("--calls-per-hour", "0"), "no call began", id="no calls"),
    ],
)
def test_what_is_doubtful_is_told(args: tuple[str, ...], says: str) -> None:
    result = pbxrules("--file", "-", *args)
    assert result.exit_code == 0
    assert says in result.stderr


def test_the_form_of_the_file_is_documented() -> None:
    text = (Path(__file__).parent.parent / "docs" / "simulate.md").read_text("utf-8")
    (shown,) = [line for line in text.splitlines() if line.startswith('{"at":')]
    line = json.loads(shown)
    assert list(line) == ["at", "report"]
    assert datetime.fromisoformat(line["at"]).tzinfo is not None
    assert event_of(line["report"]).kind in loading.language().events
