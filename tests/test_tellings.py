"""What is told of actions in the log, and what is not."""

from typing import Any

import pytest

from pbxrules.model import Done, GiveUp, Outcome, TryAgain
from pbxrules.tellings import discreet, log_step, names
from pbxrules.walking import KEPT
from tests.journeys import EVENT_ID, Journey

# --- secrets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secrets", "said", "kept"),
    [
        pytest.param(
            {"a": "x1", "b": "x12"},
            "x12 x1",
            "{{ secret.b }} {{ secret.a }}",
            id="the longest first",
        ),
        pytest.param(
            {"a": "token", "secret": "a"},
            "token a",
            "{{ secret.a }} {{ secret.secret }}",
            id="no name is taken for a value",
        ),
        pytest.param({"a": ""}, "a", "a", id="none that is empty"),
        pytest.param({}, "a", "a", id="there are none"),
        pytest.param({"a": "a.c"}, "abc a.c", "abc {{ secret.a }}", id="it is no pattern"),
    ],
)
def test_promise_8_secrets_are_hidden(secrets: dict[str, str], said: str, kept: str) -> None:
    result = {"stdout": said, "json": {said: [said, {"k": said}, 1, None]}, "exit_code": 0}
    hidden = {"stdout": kept, "json": {kept: [kept, {"k": kept}, 1, None]}, "exit_code": 0}
    for outcome, discreet_one in (
        (Done(detail=said, result=result), Done(detail=kept, result=hidden)),
        (TryAgain(reason=said, result=result), TryAgain(reason=kept, result=hidden)),
        (GiveUp(reason=said, result=result), GiveUp(reason=kept, result=hidden)),
        (TryAgain(reason=said, at_once=True), TryAgain(reason=kept, at_once=True)),
    ):
        assert discreet(outcome, secrets) == discreet_one


def test_what_people_read_has_a_secrets_name() -> None:
    assert names({"token": "s3cr3t"}) == {"token": "{{ secret.token }}"}


# --- the log ---------------------------------------------------------------------------------


class Heard:
    """What is told of each thing that becomes of a run."""

    def __init__(self, journey: Journey, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG", logger="pbxrules.actions")
        self.journey = journey
        self._caplog = caplog

    def settled(self, outcome: Outcome | None = None) -> list[tuple[str, str, dict[str, Any]]]:
        """Level, message and fields of each line that a try with this outcome makes."""
        before = self.journey.begin()
        self.journey.settle(outcome)
        return self._lines(before)

    def woken(self) -> list[tuple[str, str, dict[str, Any]]]:
        before = self.journey.whole
        self.journey.wake()
        return self._lines(before)

    def _lines(self, before: Any) -> list[tuple[str, str, dict[str, Any]]]:
        self._caplog.clear()
        log_step(before, self.journey.run)
        return [
            (record.levelname, record.message, vars(record)["fields"])
            for record in self._caplog.records
        ]


OF = {"event": EVENT_ID, "rule": "r"}


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        pytest.param(
            Done(detail="sent"),
            ("DEBUG", "action done", {"action": "mqtt", "detail": "sent"}),
            id="done",
        ),
        pytest.param(
            GiveUp(reason="refused"),
            ("WARNING", "action failed", {"action": "mqtt", "why": "refused"}),
            id="failed",
        ),
        pytest.param(
            TryAgain(reason="away"),
            (
                "INFO",
                "action failed, is tried again",
                {"action": "mqtt", "next": "2.0s after it was due"},
            ),
            id="tried again",
        ),
    ],
)
def test_what_became_of_an_action_is_one_line(
    outcome: Outcome, line: tuple[str, str, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard(Journey("[{mqtt: {topic: a}}, {log: b}]"), caplog)
    level, message, fields = line
    assert heard.settled(outcome) == [(level, message, OF | fields)]


def test_what_is_done_on_the_way_has_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard(Journey("[{log: a}, {set: {n: 1}}, {stop: enough}]"), caplog)
    assert heard.settled() == [
        ("DEBUG", "action done", OF | {"action": "log", "detail": ""}),
        ("DEBUG", "action done", OF | {"action": "set", "detail": "n"}),
        ("DEBUG", "action done", OF | {"action": "stop", "detail": "enough"}),
    ]


def test_of_a_wait_nothing_is_told_but_what_follows_it(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard(Journey("[{repeat: {count: 2, do: [{delay: 1s}]}}, {set: {n: 1}}]"), caplog)
    assert heard.woken() == []
    assert heard.woken() == [("DEBUG", "action done", OF | {"action": "set", "detail": "n"})]


def test_in_a_repeat_with_one_action_each_round_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Also beyond the number of settled steps that a run remembers."""
    heard = Heard(Journey(f"[{{repeat: {{count: {KEPT + 2}, do: [{{log: a}}]}}}}]"), caplog)
    for number in range(KEPT + 2):
        line = ("DEBUG", "action done", OF | {"action": "log", "detail": str(number)})
        assert heard.settled(Done(detail=str(number))) == [line]
