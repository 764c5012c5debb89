"""What became of a run, in a person's words."""

from typing import Any

import pytest

from pbxrules.memory import TIMED
from pbxrules.model import Tried
from pbxrules.showing import actions
from tests.stores import run

AT = "2026-11-18T11:06:40.000+00:00"


def tried(verb: str, state: str, reason: str = "") -> Tried:
    return Tried(position="actions/0", verb=verb, state=state, reason=reason, attempts=1)


DONE = tried("mqtt", "done")


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        pytest.param({"verb": "for"}, ["for waits until {at}"], id="a for"),
        pytest.param({"verb": "delay"}, ["delay waits until {at}"], id="a delay"),
        pytest.param(
            {"verb": "wait_for"}, ["wait_for waits until {at} at the latest"], id="a wait"
        ),
        pytest.param(
            {"verb": "lane"}, ["start waits for the run before it to end"], id="a place in a queue"
        ),
        pytest.param(
            {"verb": "join"}, ["parallel waits for its actions to end"], id="a fan-out of actions"
        ),
        pytest.param({"verb": "mqtt"}, ["mqtt owed not done yet"], id="an action that is owed"),
        pytest.param(
            {"verb": "mqtt", "attempt": 2}, ["mqtt owed next try at {at}"], id="one that has failed"
        ),
        pytest.param(
            {"position": "", "outcome": "restarted", "tried": (DONE, DONE)},
            ["mqtt done", "mqtt done", "run restarted a newer match took its place"],
            id="a run that waited and was restarted",
        ),
        pytest.param(
            {"position": "", "outcome": "restarted", "tried": (tried("log", "dropped", "why"),)},
            ["log dropped why"],
            id="a run that was restarted at an action",
        ),
        pytest.param(
            {"position": "", "outcome": "stopped", "tried": (DONE,)},
            ["mqtt done", "run stopped what it waited for did not come in time"],
            id="a run that stopped at a wait",
        ),
        pytest.param(
            {"position": "", "outcome": "stopped", "tried": (tried("stop", "done", "why"),)},
            ["stop done why"],
            id="a run that stopped itself",
        ),
        pytest.param(
            {"position": "", "tried": (tried("lane", "dropped", "why"),)},
            ["start dropped why"],
            id="a run that never started",
        ),
        pytest.param(
            {"position": "", "parent": 1, "tried": (DONE,)},
            [],
            id="a branch that has ended, of which its run tells",
        ),
        pytest.param(
            {"position": "", "parent": 1, "tried": (tried("log", "dropped", "why"),)},
            ["log dropped why"],
            id="a branch that was cut short, of which its run knows nothing",
        ),
    ],
)
def test_what_is_shown_of_a_run(told: dict[str, Any], shown: list[str]) -> None:
    lines = [f"{a['action']} {a['state']} {a['reason']}" for a in actions(run(1).changed(**told))]
    assert [line.rstrip() for line in lines] == [line.format(at=AT) for line in shown]


@pytest.mark.parametrize("verb", sorted(TIMED))
def test_whatever_a_run_waits_for_has_its_words(verb: str) -> None:
    (shown,) = actions(run(1).changed(verb=verb))
    assert shown["reason"]
    assert shown["action"] not in ("lane", "join")
