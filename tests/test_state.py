"""What the rules remember, and a hand in it: as the daemon answers and a person sees it."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pbxrules import statebook
from pbxrules.cli import main
from pbxrules.live import NOT_WRITTEN, Live
from pbxrules.rules import RuleSet
from tests.daemon import MemoryStore
from tests.houses import Hands, House, house, snapshot
from tests.processes import Home, Mosquitto, retain, wait_until
from tests.stores import accepted, store_in, value
from tests.test_cli import on_terminal

RULES = """
state:
  missed: 0
  word: ""
  armed: {mqtt: home/alarm/armed}
rules:
  - id: r
    triggers: {event: ring}
    actions: [{log: "{{ state.missed }} {{ state.word }} {{ state.armed }}"}]
"""


def pbxrules(*args: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(arg) for arg in args])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text(RULES)
    return folder


# --- shown -----------------------------------------------------------------------------------


def test_without_a_daemon_the_values_are_those_on_disk_and_topics_are_unknown(
    rules: Path, tmp_path: Path
) -> None:
    with store_in(tmp_path / "state") as kept:
        kept.write(accepted(1, kept=(value("missed", 3), value("gone", 7))))
    where = ("--rules", rules, "--state", tmp_path / "state")
    assert pbxrules("state", *where) == (
        0,
        'armed   unknown  of home/alarm/armed\nmissed  3\nword    ""\n',
        "",
    )
    code, out, err = pbxrules("state", *where, "--json")
    assert (code, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"name": "armed", "value": None, "topic": "home/alarm/armed", "known": False},
        {"name": "missed", "value": 3, "topic": None, "known": True},
        {"name": "word", "value": "", "topic": None, "known": True},
    ]


def test_before_the_first_start_each_name_has_its_first_value(rules: Path, tmp_path: Path) -> None:
    code, out, _ = pbxrules("state", "--rules", rules, "--state", tmp_path / "none")
    assert (code, out.splitlines()[1]) == (0, "missed  0")


def test_a_value_of_another_type_than_the_first_is_not_shown(rules: Path, tmp_path: Path) -> None:
    with store_in(tmp_path / "state") as kept:
        kept.write(accepted(1, kept=(value("missed", "many"),)))
    out = pbxrules("state", "--rules", rules, "--state", tmp_path / "state")[1]
    assert out.splitlines()[1] == "missed  0"


def test_where_nothing_is_declared_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rules: []\n")
    out = pbxrules("state", "--rules", tmp_path, "--state", tmp_path)[1]
    assert out == "no rule file declares anything under 'state:'\n"


def test_rules_or_a_store_that_can_not_be_read_are_told_and_end_with_2(
    rules: Path, tmp_path: Path
) -> None:
    (tmp_path / "pbxrules.db").write_bytes(b"no database" * 100)
    code, out, err = pbxrules("state", "--rules", rules, "--state", tmp_path)
    assert (code, out) == (2, "")
    assert "not a database" in err
    (rules / "a.yaml").write_text("ruls: []\n")
    code, out, err = pbxrules("state", "--rules", rules, "--state", tmp_path)
    assert (code, out) == (2, "")
    assert "did you mean 'rules'?" in err


def test_hostile_and_long_values_stay_on_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [
        {"name": "a", "value": "\x1b[2J\n", "topic": None, "known": True},
        {"name": "b", "value": "x" * 10_000, "topic": "t\n", "known": True},
        {"name": "c", "value": ["\u202e", 1, True], "topic": None, "known": True},
    ]
    statebook.show(rows, as_json=False)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "a  \\x1b[2J\\n"
    assert second == f"b  {'x' * 200}…  of t\\n"
    assert third == 'c  ["\\u202e", 1, true]'


def test_on_a_terminal_names_are_bold_unless_nothing_is_to_be(rules: Path, tmp_path: Path) -> None:
    args = ("state", "--rules", str(rules), "--state", str(tmp_path))
    assert re.search(rb"\x1b\[1mmissed", on_terminal(*args))


@pytest.mark.parametrize("args", [["set"], ["set", "missed"], ["set", "a", "b", "c"], ["fly"]])
def test_a_slip_is_told_and_ends_with_2(args: list[str]) -> None:
    assert pbxrules("state", *args)[0] == 2


def test_set_has_an_example_in_its_help() -> None:
    code, out, _ = pbxrules("state", "set", "--help")
    assert code == 0
    assert "Example: pbxrules state set missed 0" in out


def test_without_a_daemon_nothing_can_be_set(tmp_path: Path) -> None:
    assert pbxrules("state", "set", "missed", "1", "--state", tmp_path) == (
        2,
        "",
        f"pbxrules: no daemon runs on {tmp_path}: No such file or directory\n",
    )


# --- the daemon's answers --------------------------------------------------------------------


def live_of(here: House, ruleset: RuleSet, **how: Any) -> Live:
    return Live(here.dispatcher, here.memory, now=here.clock.now, ruleset=lambda: ruleset, **how)


def test_a_disk_that_can_not_be_written_is_told_and_written_later(tmp_path: Path) -> None:
    async def main() -> None:
        store = MemoryStore()
        async with house(tmp_path, RULES, {"log": Hands(is_ready=False)}, store=store) as here:
            taking = asyncio.ensure_future(here.take("a"))
            await store.arrived.wait()
            store.commit()
            await taking
            live = live_of(here, snapshot(tmp_path, RULES).ruleset, written_s=0.05)
            store.writable = False
            for request in (
                {"do": "set", "name": "missed", "value": "4"},
                {"do": "drop", "run": "1.1"},
            ):
                answer = live.commands[request["do"]](request)
                assert await answer == {"error": NOT_WRITTEN}
            store.writable = True
            store.commit()
            assert [kept.value for kept in store.kept.values()] == [4]
            assert [run.outcome for run in store.runs.values()] == ["stopped"]

    asyncio.run(main())


def test_what_it_answers_says_whether_the_action_can_be_tried(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, RULES, {"log": hands}) as here:
            await here.take("a")
            live = live_of(here, snapshot(tmp_path, RULES).ruleset)
            assert live.commands["queue"]({}) == {"trying": [], "not_ready": ["log"]}
            answer = await live.commands["retry"]({"run": "1.1"})
            assert answer == {
                "run": "1.1", "rule": "r", "position": "actions/0", "action": "log",
                "outcome": "", "ready": False,
            }  # fmt: skip
            assert "is no run" in (await live.commands["retry"]({}))["error"]

    hands = Hands(is_ready=False)
    asyncio.run(main())


# --- a daemon that runs ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


def told(home: Home, *args: str) -> tuple[int, str, str]:
    done = home.command("state", *args)
    return done.returncode, done.stdout, done.stderr


def test_what_was_set_is_seen_by_the_next_run_and_lasts_over_kill_9(
    tmp_path: Path, broker: Mosquitto
) -> None:
    retain(broker, "home/alarm/armed", "away")
    home = Home(tmp_path, RULES, mqtt={"url": broker.url})
    with home.serving() as daemon:
        wait_until(lambda: "away" in told(home)[1], "the topic's message")
        assert told(home)[1].splitlines()[0] == "armed   away  of home/alarm/armed"
        assert told(home, "set", "missed", "-3") == (0, "missed is -3\n", "")
        assert told(home, "set", "word", "a b") == (0, "word is a b\n", "")
        daemon.kill()
    assert told(home) == (
        0,
        "armed   unknown  of home/alarm/armed\nmissed  -3\nword    a b\n",
        "",
    )
    with home.serving() as daemon:
        wait_until(lambda: "away" in told(home)[1], "the topic's message")
        daemon.ring()
        (action,) = home.wait_settled(1)
        assert action["state"] == "done"
        assert daemon.entries("-3 a b away")


def test_what_can_not_be_set_is_told_and_ends_with_1(tmp_path: Path) -> None:
    home = Home(tmp_path, RULES)
    with home.serving():
        for name, text, why in (
            ("mised", "3", "no rule file declares 'mised' under 'state:' (did you mean 'missed'?)"),
            ("missed", "x", "'missed' is a number, such as 3 or -1.5, and 'x' is not"),
            (
                "armed",
                "x",
                "'armed' is the message of home/alarm/armed, and read-only: publish it there",
            ),
            ("word", os.fsdecode(b"\xff"), "the value of 'word' is no UTF-8"),
        ):
            assert told(home, "set", name, text) == (1, "", f"pbxrules: {why}\n")
        assert told(home)[1].splitlines()[1:] == ["missed  0", 'word    ""']
