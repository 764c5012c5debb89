"""The clock, and how a moment is written."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from pbxrules.clock import Clock, iso


@given(st.floats(0, 4e9))
def test_a_moment_is_written_as_its_millisecond(wall_s: float) -> None:
    text = iso(wall_s)
    assert len(text) == len("2026-11-23T06:31:00.250+00:00")
    assert -1e-6 <= wall_s - datetime.fromisoformat(text).timestamp() < 0.001 + 1e-6


def test_a_moment_reads_as_in_the_logs_of_others() -> None:
    assert iso(1_795_415_460.25) == "2026-11-23T06:31:00.250+00:00"
    assert iso(1_795_415_459.9999999) == "2026-11-23T06:31:00.000+00:00"


def test_moments_of_one_boot_go_forward() -> None:
    clock = Clock()
    first, second = clock.now(), clock.now()
    assert first.boot == second.boot
    assert first.uptime_s <= second.uptime_s
