"""The action ``log``."""

import asyncio
import logging

import pytest

from pbxrules.actions.log import LEVELS, Log
from pbxrules.model import Done, GiveUp
from tests.deliveries import delivery


@pytest.mark.parametrize("level", [pytest.param(level, id=f"as {level}") for level in LEVELS])
def test_a_line_is_written_at_its_level(level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pbxrules.rules")
    args = {"text": "100 % of %s\nnot a line", "level": level}

    outcome = asyncio.run(Log().perform(delivery("log", args)))

    assert outcome == Done()
    assert caplog.record_tuples == [
        ("pbxrules.rules", LEVELS[level], "100 % of %s\nnot a line")  # the formatter escapes
    ]


def test_without_a_level_it_is_information(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pbxrules.rules")
    asyncio.run(Log().perform(delivery("log", {"text": "rang"})))
    assert [record.levelno for record in caplog.records] == [logging.INFO]


def test_an_unknown_level_is_given_up_by_its_name() -> None:
    outcome = asyncio.run(Log().perform(delivery("log", {"text": "rang", "level": "loud"})))
    assert outcome == GiveUp(reason="'loud' is no level: debug info warning error")


def test_it_is_always_ready_and_closes_at_once() -> None:
    log = Log()
    assert log.ready()
    asyncio.run(log.close())
