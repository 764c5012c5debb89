"""How many calls begin in each hour is as a person wrote it."""

import random
from collections import Counter
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from math import sqrt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.pbx.curves import OFFICE, Curve

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
DAY_S = 86_400.0


def begins(
    text: str, *, days: float = 1, start: datetime = MIDNIGHT, zone: tzinfo = UTC, seed: int = 1
) -> list[float]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    found = Curve.of(text).begins(
        chance, start_s=start.timestamp(), duration_s=days * DAY_S, zone=zone
    )
    return list(found)


@pytest.mark.parametrize(
    ("text", "per_hour"),
    [
        pytest.param("60", dict.fromkeys(range(24), 60.0), id="one number is every hour's"),
        pytest.param("0.5", dict.fromkeys(range(24), 0.5), id="one call in two hours"),
        pytest.param("office", {9: 60.0, 12: 30.0, 2: 0.0}, id="an office is shut at night"),
        pytest.param("office:200", {9: 200.0, 12: 100.0}, id="an office has a busiest hour"),
        pytest.param("8=20,9..11=60", {7: 0.0, 8: 20.0, 9: 60.0, 11: 60.0, 12: 0.0}, id="by hours"),
        pytest.param("0..23=1", {0: 1.0, 23: 1.0}, id="all hours"),
    ],
)
def test_a_curve_is_read(text: str, per_hour: dict[int, float]) -> None:
    curve = Curve.of(text)
    assert {hour: curve.per_hour[hour] for hour in per_hour} == per_hour


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "'' is no number of calls (such as 60,", id="nothing"),
        pytest.param("-5", "'-5' is no number of calls", id="less than none"),
        pytest.param("many", "'many' is no number of calls", id="a word"),
        pytest.param("1e5", "'1e5' is no number of calls", id="an exponent"),
        pytest.param("nan", "'nan' is no number of calls", id="not a number"),
        pytest.param("\u0665", "'\u0665' is no number of calls", id="other digits"),
        pytest.param("office:x", "'x' is no number of calls", id="an office without a number"),
        pytest.param("20000000", "are too many, at most 10,000,000", id="too many"),
        pytest.param("24=1", "the hours of a day are 0 to 23", id="an hour that no day has"),
        pytest.param("22..6=5", "runs backwards (write 22..23=5 and 0..6=5)", id="over midnight"),
        pytest.param("8=1,7..9=2", "hour 8 is given twice", id="an hour twice"),
        pytest.param("8=1,", "'' is no number of calls", id="a comma too many"),
    ],
)
def test_what_is_no_curve_says_why(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Curve.of(text)
    assert says in str(caught.value)


def test_each_hour_has_as_many_calls_as_the_curve_says() -> None:
    days = 40
    counts = Counter(int(at_s // 3600) % 24 for at_s in begins("office:100", days=days))
    for hour, share in enumerate(OFFICE):
        wanted = 100 * share * days
        assert abs(counts[hour] - wanted) <= 5 * sqrt(wanted), hour


def test_calls_come_by_chance_and_not_at_intervals() -> None:
    """Of a Poisson process the deviation of the pauses is as long as their mean."""
    times = begins("1000", days=1)
    pauses = [later - at_s for at_s, later in pairwise(times)]
    mean_s = sum(pauses) / len(pauses)
    deviation_s = sqrt(sum((pause - mean_s) ** 2 for pause in pauses) / len(pauses))
    assert mean_s == pytest.approx(3.6, rel=0.05)
    assert deviation_s == pytest.approx(mean_s, rel=0.05)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        pytest.param("Europe/Berlin", "2026-03-29T00:30", id="the night of the spring gap"),
        pytest.param("Europe/Berlin", "2026-10-25T00:30", id="the night of the autumn fold"),
        pytest.param("Asia/Kolkata", "2026-11-23T00:10", id="half an hour beside the others"),
    ],
)
def test_the_hours_are_those_of_the_zone(zone: str, start: str) -> None:
    here = ZoneInfo(zone)
    began = datetime.fromisoformat(start).replace(tzinfo=here)
    times = begins("3=500,8=200", start=began, zone=here)
    hours = Counter(datetime.fromtimestamp(began.timestamp() + at_s, here).hour for at_s in times)
    assert set(hours) == {3, 8}
    assert hours[3] == pytest.approx(500, rel=0.25)
    assert hours[8] == pytest.approx(200, rel=0.4)


@given(st.integers(0, 2**32), st.floats(0.1, 5000), st.floats(0, 4e9))
def test_the_times_go_up_and_end_with_the_duration(
    seed: int, duration_s: float, start_s: float
) -> None:
    curve = Curve.of("3000")
    chance = random.Random(seed)  # noqa: S311 - no secret
    times = list(curve.begins(chance, start_s=start_s, duration_s=duration_s, zone=UTC))
    assert times == sorted(times)
    assert all(0 < at_s < duration_s for at_s in times)


def test_a_year_without_calls_is_soon_over() -> None:
    assert begins("0", days=366) == []
