"""What is owed, waits and was given up, and a hand in it: as a daemon does and a person sees it."""

# Over 300 lines: the table, the dispatcher moved by hand, and a real daemon killed behind it.

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pbxrules import queuebook
from pbxrules.byhand import DROPPED, Refusal, id_of
from pbxrules.cli import main
from pbxrules.errors import StoreError
from pbxrules.model import Delivery, Done, GiveUp, Outcome, Run, Tried, TryAgain
from tests.daemon import HandClock, MemoryStore
from tests.houses import Hands, House, house, until
from tests.processes import Daemon, Home, wait_until
from tests.stores import NOW, accepted, run, store_in
from tests.test_cli import on_terminal

ONE = "rules:\n  - id: lamp\n    triggers: {event: ring}\n    actions: [{mqtt: {topic: lamp}}]\n"
OFF = ONE + "    finally: [{mqtt: {topic: 'off/{{ outcome }}'}}]\n"
PARALLEL = ONE.replace(
    "{mqtt: {topic: lamp}}", "{parallel: [{mqtt: {topic: a}}, {mqtt: {topic: b}}]}"
)


def number(name: str) -> int:
    run_id = id_of(name)
    assert run_id is not None
    return run_id


# --- the dispatcher --------------------------------------------------------------------------


def topics(hands: Hands) -> list[str]:
    return [str(delivery.args["topic"]) for delivery in hands.begun]


async def gone(here: House) -> None:
    await until(lambda: not here.dispatcher.waiting.total(), "all ended")


def test_what_waits_for_its_next_try_is_tried_at_once_and_is_on_disk(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, ONE, {"mqtt": broker}) as here:
            await here.take("a")
            await until(lambda: here.states() == {"a": "owed"} and broker.begun, "a try")
            await until(lambda: here.actions()[0]["attempts"] == 1, "it failed")
            answers.append(Done())
            moved = await here.dispatcher.retry(number("1.1"))
            assert isinstance(moved, Run)
            await gone(here)
            assert here.states() == {"a": "done"}

    answers: list[Outcome] = [TryAgain(reason="refused")]
    broker = Hands(lambda _: answers[-1])
    asyncio.run(main())
    assert len(broker.begun) == 2


def test_what_is_being_tried_can_not_be_retried_and_is_killed_when_it_is_dropped(
    tmp_path: Path,
) -> None:
    killed: list[str] = []

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.args["topic"] == "lamp":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                killed.append("lamp")
                raise
        return Done()

    async def main() -> None:
        async with house(tmp_path, OFF, {"mqtt": broker}) as here:
            await here.take("a")
            assert here.dispatcher.trying == [number("1.1")]
            refused = await here.dispatcher.retry(number("1.1"))
            assert refused == Refusal("1.1 is being tried at this moment")
            moved = await here.dispatcher.drop(number("1.1"))
            assert isinstance(moved, Run)
            assert (moved.position, moved.outcome) == ("finally/0", "stopped")
            await gone(here)
            told = [(a["state"], a["reason"]) for a in here.actions()]
            assert told == [("dropped", DROPPED), ("done", "")]

    broker = Hands(answer)
    asyncio.run(main())
    assert killed == ["lamp"]
    assert topics(broker) == ["lamp", "off/stopped"]


def test_what_is_not_in_memory_after_a_start_is_read_for_it(tmp_path: Path) -> None:
    async def before() -> None:
        async with house(tmp_path, ONE, {"mqtt": Hands(is_ready=False)}, clock=clock) as here:
            await here.take("a", "b")

    async def after() -> None:
        async with house(tmp_path, ONE, {"mqtt": broker}, clock=clock) as here:
            assert isinstance(await here.dispatcher.drop(number("1.1")), Run)
            assert isinstance(await here.dispatcher.retry(number("2.1")), Run)
            broker.is_ready = True
            here.dispatcher.pump("mqtt")
            await gone(here)
            assert here.states() == {"a": "dropped", "b": "done"}

    clock = HandClock()
    broker = Hands(is_ready=False)
    asyncio.run(before())
    asyncio.run(after())
    assert broker.callers == ["b"]


def test_what_was_given_up_begins_again_after_a_restart_and_without_its_rule(
    tmp_path: Path,
) -> None:
    async def before() -> None:
        async with house(tmp_path, ONE, {"mqtt": Hands(lambda _: GiveUp(reason="no"))}) as here:
            await here.take("a")
            await gone(here)

    async def after() -> None:
        async with house(tmp_path, "rules: []", {"mqtt": broker}) as here:
            assert isinstance(await here.dispatcher.retry(number("1.1")), Run)
            await gone(here)
            assert [action["state"] for action in here.actions()] == ["failed", "done"]

    broker = Hands()
    asyncio.run(before())
    asyncio.run(after())
    assert topics(broker) == ["lamp"]


def test_of_many_hands_at_once_one_begins_it_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, ONE, {"mqtt": broker}) as here:
            await here.take("a")
            await gone(here)
            broker.is_ready = False
            answers.append(Done())
            found = await asyncio.gather(*(here.dispatcher.retry(number("1.1")) for _ in range(5)))
            assert all(isinstance(one, Run) for one in found)
            broker.is_ready = True
            here.dispatcher.pump("mqtt")
            await gone(here)
            assert [action["state"] for action in here.actions()] == ["failed", "done"]

    answers: list[Outcome] = [GiveUp(reason="no")]
    broker = Hands(lambda _: answers[-1])
    asyncio.run(main())
    assert len(broker.begun) == 2


def test_a_run_and_one_branch_of_its_parallel_are_dropped_apart(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, PARALLEL, {"mqtt": Hands(is_ready=False)}) as here:
            await here.take("a", "b")
            assert isinstance(await here.dispatcher.drop(number("1.900000")), Run)
            assert here.states()["a"] == "owed"
            assert isinstance(await here.dispatcher.drop(number("2.1")), Run)
            assert [a["state"] for a in here.actions() if a["caller"] == "b"] == ["dropped"] * 2
            assert isinstance(await here.dispatcher.drop(number("1.900001")), Run)
            await gone(here)

    asyncio.run(main())


def test_a_branch_that_is_not_in_memory_is_dropped_with_its_run(tmp_path: Path) -> None:
    async def before() -> None:
        async with house(tmp_path, PARALLEL, {"mqtt": Hands(is_ready=False)}) as here:
            await here.take("a")

    async def after() -> None:
        async with house(tmp_path, PARALLEL, {"mqtt": Hands(is_ready=False)}) as here:
            assert isinstance(await here.dispatcher.drop(number("1.1")), Run)
            await gone(here)
            assert [(a["run"], a["state"]) for a in here.actions()] == [("1.1", "dropped")] * 2

    asyncio.run(before())
    asyncio.run(after())


def test_one_that_ends_meanwhile_is_not_dropped(tmp_path: Path) -> None:
    """Its action was done, but that is not on disk yet."""

    async def main() -> None:
        store = MemoryStore()
        async with house(tmp_path, ONE, {"mqtt": Hands()}, store=store) as here:
            taking = asyncio.ensure_future(here.take("a"))
            await store.arrived.wait()
            store.commit()
            await taking
            await until(lambda: store.waits, "it was done")
            dropping = asyncio.ensure_future(here.dispatcher.drop(number("1.1")))
            while not dropping.done():
                await asyncio.sleep(0)
                store.commit()
            assert await dropping == Refusal("1.1 has ended: there is nothing to drop")
            (only,) = store.runs.values()
            assert (only.outcome, [tried.state for tried in only.tried]) == ("done", ["done"])

    asyncio.run(main())


def test_one_whose_end_can_not_be_written_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        store = MemoryStore()
        async with house(tmp_path, ONE, {"mqtt": Hands()}, store=store) as here:
            taking = asyncio.ensure_future(here.take("a"))
            await store.arrived.wait()
            store.commit()
            await taking
            store.writable = False
            await until(lambda: store.waits, "it was done")
            dropping = asyncio.ensure_future(here.dispatcher.drop(number("1.1")))
            while not dropping.done():
                await asyncio.sleep(0)
                store.commit()
            refused = Refusal("what became of 1.1 is still being written")
            assert await dropping == refused
            store.writable = True

    asyncio.run(main())


def test_unknown_runs_and_stores_that_can_not_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with house(tmp_path, ONE, {"mqtt": Hands()}) as here:
            for move in (here.dispatcher.retry, here.dispatcher.drop):
                nothing = Refusal("nothing of a run 9.9 is owed or was given up")
                assert await move(number("9.9")) == nothing
            monkeypatch.setattr(here.store, "load", broken)
            told = await here.dispatcher.drop(number("9.9"))
            assert told == Refusal("the store can't be read: it is locked")

    def broken(_: object) -> None:
        raise StoreError("it is locked")

    asyncio.run(main())


def test_a_daemon_that_stops_is_moved_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, ONE, {"mqtt": Hands(is_ready=False)}) as here:
            await here.take("a")
            await here.dispatcher.stop(0)
            assert await here.dispatcher.drop(number("1.1")) == Refusal(
                "the daemon is about to stop"
            )

    asyncio.run(main())


# --- the table -------------------------------------------------------------------------------


def settled(one: Run, state: str, reason: str, **changes: Any) -> Run:
    tried = Tried(position=one.position, verb=one.verb, state=state, reason=reason, attempts=2)
    return one.changed(
        position="", expires_s=None, tried=(tried,), given_up=one.position, outcome=state
    ).changed(**changes)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder in which something of each kind is owed, waits or was given up."""
    folder = tmp_path / "state"
    failed = run(5, rule="mail\x1b[2J")
    branch = run(6).id
    full = settled(run(7, position="actions/0"), "dropped", "full")
    with store_in(folder) as kept:
        kept.write(
            accepted(
                1,
                run(1, verb="mqtt"),
                run(1, 2, attempt=2, next_try=NOW.after(12), trouble="no \x1b[31manswer"),
                run(1, 3, verb="shell", expires_s=None),
            ),
            accepted(
                2,
                run(2, position="actions/1", verb="delay", expires_s=None, next_try=NOW.after(180)),
            ),
            accepted(
                3, run(3, position="lane", verb="lane", expires_s=30.0, next_try=NOW.after(30))
            ),
            accepted(4, run(4, position="for", verb="for", next_try=NOW.after(8_000))),
            accepted(5, settled(failed, "failed", "answered 500", due=NOW.after(-60))),
            accepted(
                6, run(6, verb="join", expires_s=None), run(6, 900_000, verb="mqtt", parent=branch)
            ),
            accepted(7, full.changed(given_up="lane", outcome="", due=NOW.after(-90))),
            accepted(8, run(8).changed(position="", outcome="done")),
        )
    return folder  # fmt: skip


def found(state: Path, **how: Any) -> list[dict[str, Any]]:
    usual: dict[str, Any] = {"live": {}, "now": NOW}
    return queuebook.entries(state / "pbxrules.db", **{**usual, **how})


def shown(capsys: pytest.CaptureFixture[str], state: Path, **how: Any) -> list[str]:
    queuebook.show(found(state, **how), NOW)
    return [re.sub(r"  +", "  ", line) for line in capsys.readouterr().out.splitlines()]


def test_what_comes_next_stands_first_with_when_and_why(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = {"trying": ["1.3"], "not_ready": ["mqtt"]}
    assert shown(capsys, state, live=live) == [
        "owed",
        "  1.1  rule-1  mqtt  to be tried now  expires in 60 s  the broker is not connected",
        "  1.3  rule-3  shell  is being tried",
        (
            "  6.900000  rule-900000  mqtt  to be tried now  expires in 60 s"
            "  the broker is not connected"
        ),
        "  1.2  rule-2  log  next try in 12 s  expires in 60 s  no \\x1b[31manswer (try 2 failed)",
        "waiting",
        "  6.1  rule-1  parallel  waits for its actions to end",
        "  3.1  rule-1  start  waits for the run before it to end  expires in 30 s",
        "  2.1  rule-1  delay  goes on in 3 min",
        "  4.1  rule-1  for  fires in 2 h",
        "given up",
        "  7.1  rule-1  log  2026-11-18T11:05:10.000+00:00  full",
        "  5.1  mail\\x1b[2J  log  2026-11-18T11:05:40.000+00:00  answered 500",
    ]


def test_without_a_daemon_nothing_is_being_tried(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(capsys, state)
    assert "  1.3  rule-3  shell  to be tried now" in lines
    assert not [line for line in lines if "broker" in line]


def test_of_a_parallel_all_that_failed_is_told(tmp_path: Path) -> None:
    settled = [
        (0, "mqtt", "failed", "in the round before"), (0, "mqtt", "done", ""),
        (1, "mqtt", "failed", "one"), (2, "http", "expired", "two"),
    ]  # fmt: skip
    tried = tuple(
        Tried(position=f"actions/0/parallel/{at}", verb=verb, state=state, reason=why, attempts=1)
        for at, verb, state, why in settled
    )
    ended = run(1, position="", given_up="actions/0", outcome="failed", tried=tried)
    with store_in(tmp_path) as kept:
        kept.write(accepted(1, ended))
    (entry,) = found(tmp_path)
    assert (entry["action"], entry["position"]) == ("parallel", "actions/0")
    assert entry["reason"] == "one; two"


def test_only_the_last_ones_given_up_are_found(tmp_path: Path) -> None:
    with store_in(tmp_path) as kept:
        kept.write(*(accepted(n, settled(run(n), "failed", str(n))) for n in range(1, 31)))
    assert [entry["reason"] for entry in found(tmp_path)] == [str(n) for n in range(11, 31)]
    assert [entry["reason"] for entry in found(tmp_path, given_up=1)] == ["30"]


def test_the_program_of_what_was_given_up_is_kept_over_a_start(tmp_path: Path) -> None:
    with store_in(tmp_path) as kept:
        kept.write(accepted(1, settled(run(1), "failed", "no")))
    with store_in(tmp_path) as kept:
        (loaded,) = kept.store.load([run(1).id])
    assert loaded.run.given_up == "actions/0"


# --- the command -----------------------------------------------------------------------------


def pbxrules(*args: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(arg) for arg in args])
    return done.exit_code, done.stdout, done.stderr


def listed(*args: object) -> list[dict[str, Any]]:
    code, out, _ = pbxrules("queue", "--json", *args)
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def test_as_json_it_has_one_object_a_line_with_these_keys_and_no_others(state: Path) -> None:
    by_run = {entry["run"]: entry for entry in listed("--state", state)}
    assert by_run["1.2"] == {
        "run": "1.2", "state": "owed", "rule": "rule-2", "position": "actions/0",
        "action": "log", "attempts": 2, "since": "2026-11-18T11:06:40.000+00:00",
        "next_at": "2026-11-18T11:06:52.000+00:00",
        "expires_at": "2026-11-18T11:07:40.000+00:00", "reason": "no \x1b[31manswer",
        "part_of": None,
    }  # fmt: skip
    assert by_run["5.1"] == {
        "run": "5.1", "state": "given_up", "rule": "mail\x1b[2J", "position": "actions/0",
        "action": "log", "attempts": 2, "since": "2026-11-18T11:05:40.000+00:00",
        "next_at": None, "expires_at": None, "reason": "answered 500", "part_of": None,
    }  # fmt: skip
    assert by_run["6.900000"]["part_of"] == "6.1"
    assert by_run["6.1"]["next_at"] is None
    assert by_run["7.1"]["position"] == "lane"
    assert {entry["state"] for entry in by_run.values()} == {"owed", "waiting", "given_up"}
    assert all(list(entry) == list(by_run["1.2"]) for entry in by_run.values())


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(["--owed"], {"1.1", "1.2", "1.3", "6.900000"}, id="owed"),
        pytest.param(["--waiting"], {"2.1", "3.1", "4.1", "6.1"}, id="waiting"),
        pytest.param(["--given-up"], {"5.1", "7.1"}, id="given up"),
        pytest.param(["--given-up", "-n", "1"], {"7.1"}, id="the last that was given up"),
        pytest.param(["--rule", "rule-2"], {"1.2"}, id="of a rule"),
        pytest.param(["--rule", "rule-1", "--owed"], {"1.1"}, id="owed, of a rule"),
        pytest.param(
            ["--owed", "--waiting", "-n", "0"],
            {"1.1", "1.2", "1.3", "6.900000", "2.1", "3.1", "4.1", "6.1"},
            id="all that is open",
        ),
    ],
)
def test_it_shows_what_was_asked_for(args: list[str], expected: set[str], state: Path) -> None:
    assert {entry["run"] for entry in listed("--state", state, *args)} == expected


def test_it_says_that_no_daemon_runs_and_shows_all_the_same(state: Path) -> None:
    code, out, err = pbxrules("queue", "--state", state)
    assert (code, out.splitlines()[0]) == (0, "owed")
    assert err == f"pbxrules: no daemon runs on {state}: what is owed waits until one does\n"
    assert pbxrules("queue", "--state", state, "--rule", "x")[1] == "none of these\n"


def test_where_there_is_nothing_it_says_so(tmp_path: Path) -> None:
    with store_in(tmp_path / "state") as kept:
        kept.write(accepted(1))
    told = (0, "nothing is owed, waits or was given up\n", "")
    assert pbxrules("queue", "--state", tmp_path / "state") == told
    assert listed("--state", tmp_path / "state") == []
    code, out, err = pbxrules("queue", "--state", tmp_path)
    assert (code, out) == (2, "")
    assert err == f"pbxrules: no daemon has kept its state in {tmp_path}\n"
    (tmp_path / "state" / "pbxrules.db").write_bytes(b"no database" * 100)
    assert pbxrules("queue", "--state", tmp_path / "state")[:2] == (2, "")


@pytest.mark.parametrize("word", ["retry", "drop"])
def test_without_a_daemon_nothing_can_be_changed(word: str, state: Path) -> None:
    code, out, err = pbxrules("queue", word, "1.1", "--state", state)
    assert (code, out) == (2, "")
    assert err == f"pbxrules: no daemon runs on {state}: No such file or directory\n"


def test_on_a_terminal_the_table_has_colours(state: Path) -> None:
    colour = re.compile(rb"\x1b\[(?:\d+;)*3\d(?:;\d+)*m")
    assert colour.search(on_terminal("queue", "--state", str(state)))
    assert not colour.search(on_terminal("queue", "--state", str(state), NO_COLOR="1"))


@pytest.mark.parametrize("args", [["retry"], ["drop"], ["fly", "1.1"], ["--last", "-1"]])
def test_a_slip_is_told_and_ends_with_2(args: list[str]) -> None:
    assert pbxrules("queue", *args)[0] == 2


@pytest.mark.parametrize("word", ["retry", "drop"])
def test_each_word_has_an_example_in_its_help(word: str) -> None:
    code, out, _ = pbxrules("queue", word, "--help")
    assert code == 0
    assert f"Example: pbxrules queue {word} 4.1" in out


# --- a daemon that runs ----------------------------------------------------------------------

HOUSE = """
rules:
  - id: siren
    triggers: {event: ring, extension: 101}
    actions: [{shell: "test -e FOLDER/up", expires: never}, {log: behind}]
    finally: [{log: "off {{ outcome }}"}]
  - id: slow
    triggers: {event: ring, extension: 102}
    actions: [{shell: [sleep, "1000"], timeout: 1h, expires: never}]
    finally: [{log: "off {{ outcome }}"}]
  - id: lane
    triggers: {event: ring, extension: [103, 104]}
    mode: queued
    expires: never
    actions: [{delay: 1h}]
"""


@contextmanager
def living(folder: Path) -> Iterator[tuple[Home, Daemon]]:
    home = Home(folder, HOUSE.replace("FOLDER", str(folder)))
    with home.serving() as daemon:
        yield home, daemon


def told(home: Home, *args: str) -> tuple[int, str, str]:
    done = home.command("queue", *args)
    return done.returncode, done.stdout, done.stderr


def state_of(home: Home, run: str) -> str:
    lines = map(json.loads, told(home, "--json")[1].splitlines())
    return next((line["state"] for line in lines if line["run"] == run), "")


def test_promise_2_what_was_retried_by_hand_is_done_after_kill_9(tmp_path: Path) -> None:
    with living(tmp_path) as (home, daemon):
        daemon.ring(extension="101")
        wait_until(lambda: state_of(home, "1.1") == "given_up", "it was given up")
        (tmp_path / "up").touch()
        answer = told(home, "retry", "1.1")
        daemon.kill()
    assert answer == (0, "1.1 of rule 'siren' goes on: shell (actions/0)\n", "")
    with home.serving():
        actions = home.wait_settled(5)
    assert [(a["action"], a["state"]) for a in actions] == [
        ("shell", "failed"), ("log", "done"),
        ("shell", "done"), ("log", "done"), ("log", "done"),
    ]  # fmt: skip


def test_what_was_dropped_stays_dropped_after_kill_9_and_its_finally_is_done(
    tmp_path: Path,
) -> None:
    with living(tmp_path) as (home, daemon):
        daemon.ring(extension="102")
        wait_until(lambda: state_of(home, "1.1") == "trying", "it is being tried")
        assert told(home, "retry", "1.1") == (
            1,
            "",
            "pbxrules: 1.1 is being tried at this moment\n",
        )
        code, out, _ = told(home, "drop", "1.1")
        daemon.kill()
    assert (code, out) == (
        0,
        "1.1 of rule 'slow' is dropped; log (finally/0) is still to be done\n",
    )
    with home.serving():
        actions = home.wait_settled(2)
    assert [(a["action"], a["state"], a["reason"]) for a in actions] == [
        ("shell", "dropped", DROPPED),
        ("log", "done", ""),
    ]


def test_what_can_not_be_done_is_told_and_ends_with_1(tmp_path: Path) -> None:
    with living(tmp_path) as (home, daemon):
        daemon.ring(extension="103")
        daemon.ring(extension="104")
        wait_until(lambda: state_of(home, "2.1") == "waiting", "it waits in its lane")
        assert told(home, "retry", "2.1")[::2] == (
            1,
            "pbxrules: 2.1 waits for its turn and owes nothing: there is nothing to retry\n",
        )
        assert told(home, "drop", "2.1") == (0, "2.1 of rule 'lane' is dropped\n", "")
        assert told(home, "drop", "2.1")[0] == 1
        assert told(home, "drop", "7.7")[::2] == (
            1,
            "pbxrules: nothing of a run 7.7 is owed or was given up\n",
        )
        assert told(home, "drop", "\x1b[2J")[::2] == (
            1,
            "pbxrules: '\\x1b[2J' is no run: 'pbxrules queue' shows them, as 4.1\n",
        )
        assert told(home, "drop", "1.1")[0] == 0
        assert told(home)[1].startswith("given up\n")


def test_options_may_stand_before_the_word(tmp_path: Path) -> None:
    with living(tmp_path) as (home, daemon):
        daemon.ring(extension="103")
        code, out, _ = pbxrules("queue", "--state", home.state, "drop", "1.1")
    assert (code, out) == (0, "1.1 of rule 'lane' is dropped\n")
