"""Moments as a person writes them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.timewords import told, wall_s
from tests.rulefiles import NOON_S

BERLIN = ZoneInfo("Europe/Berlin")


def read(text: str) -> float:
    return wall_s(text, zone=BERLIN, now_s=NOON_S)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("2026-11-24T12:00", 0, id="a day and a time"),
        pytest.param("2026-11-24 12:00:30", 30, id="with a blank, and seconds"),
        pytest.param("2026-11-24T12:00+00:00", 3600, id="with an offset of its own"),
        pytest.param("2026-11-24", -43_200, id="a day is its midnight"),
        pytest.param("23:00", 39_600, id="a time is one of today"),
        pytest.param("00:00", -43_200, id="midnight is the one that was"),
        pytest.param("23:00+00:00", 43_200, id="a time with an offset"),
        pytest.param("7d", -604_800, id="days ago"),
        pytest.param("90s", -90, id="seconds ago"),
        pytest.param("2026-07-01T12:00", -12_618_000, id="in summer"),
    ],
)
def test_a_moment(text: str, seconds: float) -> None:
    assert read(text) - NOON_S == seconds


@pytest.mark.parametrize("text", ["soon", "", "25:00", "2026-13-01", "5 d", "-3d", "9999999999d"])
def test_what_is_no_moment_is_told_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment: write it such as 2026-11-24T22:30") as told:
        read(text)
    assert str(told.value).startswith(f"'{text}' ")


@pytest.mark.parametrize("text", ["1969-12-31", "999999999d", "9999-12-31"])
def test_what_no_clock_shows_is_too_far_away(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is too far away"):
        read(text)


@given(st.text(max_size=20) | st.from_regex(r"[0-9:T+Z-]{1,20}", fullmatch=True))
def test_any_text_is_a_moment_or_told_to_be_none(text: str) -> None:
    try:
        said = str(read(text))
    except ValueError as exc:
        said = str(exc)
    assert said.replace(".", "").isdigit() or "no moment" in said or "too far away" in said


def test_a_moment_is_told_by_the_clock_on_the_wall() -> None:
    assert told(NOON_S + 0.999, BERLIN) == "Tue 2026-11-24 12:00:00"
