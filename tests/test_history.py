"""The events of a store from the oldest one on, as they came and with what fired."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pbxrules.model import Miss, Moment, Tried, Verdict
from pbxrules.replaying.past import Past
from pbxrules.store import history, reading
from tests.stores import NOW, Kept, accepted, run, store_in

WAITED = ((Miss("for 20s", found="waited for"),),)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with store_in(tmp_path) as store:
        yield store


def pasts(kept: Kept, **between: int) -> list[Past]:
    with reading.opened(kept.folder / "pbxrules.db") as db:
        return list(history.events(db, **between))


def test_all_events_are_read_in_their_order_however_many_pages_they_take(kept: Kept) -> None:
    count = 2 * history.PAGE + 1
    kept.write(*(accepted(number) for number in range(1, count + 1)))
    assert [past.id for past in pasts(kept)] == list(range(1, count + 1))
    assert [past.id for past in pasts(kept, after=7, before=10)] == [8, 9]
    with reading.opened(kept.folder / "pbxrules.db") as db:
        assert history.span(db) == (1, count)


def test_an_empty_store_has_no_events(kept: Kept) -> None:
    assert pasts(kept) == []
    with reading.opened(kept.folder / "pbxrules.db") as db:
        assert history.span(db) == (0, 0)


def test_an_event_is_as_it_was_accepted(kept: Kept) -> None:
    later = Moment(boot="boot-b", uptime_s=5.0, wall_s=NOW.wall_s + 60)
    sent = [accepted(1), accepted(2, at=later)]
    kept.write(*sent)
    found = pasts(kept)
    assert [past.event.fields for past in found] == [one.event.fields for one in sent]
    assert [dict(past.event.payload) for past in found] == [one.event.payload for one in sent]
    assert [past.came for past in found] == [NOW, later]


def test_a_boot_that_comes_while_it_is_read_is_known(kept: Kept) -> None:
    kept.write(*(accepted(number) for number in range(1, history.PAGE + 2)))
    later = Moment(boot="boot-b", uptime_s=5.0, wall_s=NOW.wall_s + 60)
    with reading.opened(kept.folder / "pbxrules.db") as db:
        found = history.events(db)
        first = next(found)
        kept.write(accepted(history.PAGE + 2, at=later))
        *_, last = found
    assert (first.came, last.came) == (NOW, later)


DROPPED = (Tried(position="for", verb="for", state="dropped", reason="bye", attempts=0),)
DONE = (Tried(position="actions/0", verb="log", state="done", reason="", attempts=1),)


@pytest.mark.parametrize(
    ("verdicts", "changes", "fired"),
    [
        pytest.param([Verdict(rule="rule-1", matched=True)], {}, {"rule-1"}, id="it fired at once"),
        pytest.param([Verdict(rule="rule-1", matched=False, because=((Miss("a", "b"),),))], None,
                     set(), id="it did not"),
        pytest.param([Verdict(rule="rule-1", matched=False, because=WAITED)],
                     {"position": "for", "verb": "for"}, set(), id="its for waits"),
        pytest.param([Verdict(rule="rule-1", matched=False, because=WAITED)],
                     {"position": "", "verb": "for", "tried": DROPPED}, set(),
                     id="its for waited in vain"),
        pytest.param([Verdict(rule="rule-1", matched=False, because=WAITED)],
                     {"position": "actions/0", "verb": "log"}, {"rule-1"},
                     id="its for is over, and its action owed"),
        pytest.param([Verdict(rule="rule-1", matched=False, because=WAITED)],
                     {"position": "", "verb": "log", "tried": DONE}, {"rule-1"},
                     id="its for is over, and all is done"),
        pytest.param([Verdict(rule="rule-1", matched=False, because=WAITED),
                      Verdict(rule="other", matched=True)],
                     {"position": "for", "verb": "for"}, {"other"}, id="another one fired"),
    ],
)  # fmt: skip
def test_what_fired_is_told(
    kept: Kept, verdicts: list[Verdict], changes: dict[str, object] | None, fired: set[str]
) -> None:
    runs = () if changes is None else (replace(run(1), **changes),)  # type: ignore[arg-type]
    kept.write(accepted(1, *runs, verdicts=tuple(verdicts)))
    (past,) = pasts(kept)
    assert past.fired == frozenset(fired)
    assert past.verdicts
    assert past.ended.keys() == ({"rule-1"} if "for" in str(verdicts) else set()) - fired
