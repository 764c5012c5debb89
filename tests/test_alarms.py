"""Alarms wake what waits when its time has come, each once, the earliest first."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pbxrules.alarms import FEW, Alarms


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_due_is_woken_once_in_order_of_time() -> None:
    async def scenario() -> None:
        clock, rung = Clock(), list[str]()
        alarms = Alarms(clock, rung.append)
        for at, name in ((130, "c"), (110, "a"), (120, "b"), (110, "a too")):
            alarms.set(at, name)
        alarms.ring_due(109.9)
        assert rung == []
        alarms.ring_due(120)
        assert rung == ["a", "a too", "b"]
        alarms.ring_due(1000)
        assert rung == ["a", "a too", "b", "c"]
        alarms.close()

    asyncio.run(scenario())


def test_what_was_taken_back_wakes_nobody() -> None:
    async def scenario() -> None:
        rung = list[str]()
        alarms = Alarms(Clock(), rung.append)
        alarm = alarms.set(110, "x")
        alarms.take_back(alarm)
        alarms.take_back(alarm)
        alarms.ring_due(1000)
        assert rung == []
        alarms.close()

    asyncio.run(scenario())


def test_of_what_was_taken_back_little_is_kept_however_late_it_was_due() -> None:
    async def scenario() -> None:
        rung = list[int]()
        alarms = Alarms(Clock(), rung.append)
        alarms.set(3_000, -1)
        for number in range(10_000):
            alarms.take_back(alarms.set(3_700, number))
            assert len(alarms._heap) <= FEW + 2
        alarms.ring_due(10_000)
        assert rung == [-1]
        alarms.close()

    asyncio.run(scenario())


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), max_size=400))
def test_the_others_are_woken_in_order_of_time(told: list[tuple[int, bool, bool]]) -> None:
    async def scenario() -> None:
        rung = list[int]()
        alarms = Alarms(Clock(), rung.append)
        waiting = list[tuple[int, int]]()
        for number, (at, back, rings) in enumerate(told):
            alarm = alarms.set(at, number)
            if back:
                alarms.take_back(alarm)
            else:
                waiting.append((at, number))
            if rings:
                alarms.ring_due(at)
                assert rung == [number for at_, number in sorted(waiting) if at_ <= at]
                waiting = [one for one in waiting if one[0] > at]
                rung.clear()
            assert len(alarms._heap) <= max(2 * len(waiting), len(waiting) + FEW) + 1
        alarms.close()

    asyncio.run(scenario())


def test_the_loop_wakes_it_by_itself() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Queue[str]()
        alarms = Alarms(loop.time, rung.put_nowait)
        alarms.set(loop.time() + 30, "later")
        alarms.set(loop.time() + 0.01, "soon")
        assert await rung.get() == "soon"
        alarms.close()

    asyncio.run(scenario())


def test_one_that_is_set_while_others_ring_has_its_turn() -> None:
    async def scenario() -> None:
        rung = list[str]()

        def ring(name: str) -> None:
            rung.append(name)
            if name == "first":
                alarms.set(105, "second")

        alarms = Alarms(Clock(), ring)
        alarms.set(101, "first")
        alarms.ring_due(110)
        assert rung == ["first", "second"]
        alarms.close()

    asyncio.run(scenario())
