"""Simulated traffic is of the PBX's form, has what it says, and is the same each time."""

import random
from collections import Counter

import pytest

from pbxrules.pbx.traffic import KINDS, Habits, Sent, traffic
from tests.reports import event_of

CALLS = 600


def made(seed: int = 1, habits: Habits | None = None, calls: int = CALLS) -> list[Sent]:
    return traffic(random.Random(seed), calls=calls, habits=habits)  # noqa: S311 - no secret


SENT = made()
NEVER = Habits(without_sn=0, late=0, again=0, redialled=0, second_line=0)


def test_the_same_chance_gives_the_same_traffic() -> None:
    assert made() == SENT
    assert made(seed=2) != SENT


def test_every_report_is_of_the_pbxs_form() -> None:
    assert {event_of(sent.report).kind for sent in SENT} == {
        "alert", "ring", "answer", "bye", "call_failed", "transfer", "cdr",
    }  # fmt: skip


def test_the_reports_come_in_the_order_of_their_times() -> None:
    times = [sent.at_s for sent in SENT]
    assert times == sorted(times)


def test_there_are_200_calls_at_once() -> None:
    spans: dict[int, list[float]] = {}
    for sent in made(habits=NEVER):
        spans.setdefault(sent.call, []).append(sent.at_s)
    # All lines are taken from the first half minute on, but for the seconds between two calls.
    under_way = [sum(span[0] <= at_s <= span[-1] for span in spans.values()) for at_s in (40, 60)]
    assert min(under_way) > 170
    assert max(under_way) <= 200


def test_every_kind_of_call_occurs_in_its_share() -> None:
    kinds = Counter({sent.call: sent.kind for sent in SENT}.values())
    for name, kind in KINDS.items():
        assert kinds[name] == pytest.approx(CALLS * kind.share / 100, rel=0.5), name
    assert sum(kind.share for kind in KINDS.values()) == 100


def test_no_two_calls_bear_one_id() -> None:
    calls: dict[str, set[int]] = {}
    for sent in SENT:
        fields = event_of(sent.report).fields
        for name in ("call_id", "trunk_call_id"):
            if name in fields:
                calls.setdefault(str(fields[name]), set()).add(sent.call)
    assert all(len(of) == 1 for of in calls.values())


def of_kind(kind: str, event: str) -> list[Sent]:
    return [sent for sent in SENT if (sent.kind, sent.event) == (kind, event)]


def test_outbound_alert_and_ring_share_no_id_and_the_answer_has_both() -> None:
    ids = {
        event: {
            sent.call: {str(value) for name, value in event_of(sent.report).fields.items()
                        if name in ("call_id", "trunk_call_id")}
            for sent in of_kind("outbound", event)
        }
        for event in ("alert", "ring", "answer")
    }  # fmt: skip
    assert ids["answer"]
    for call, both in ids["answer"].items():
        assert ids["alert"][call].isdisjoint(ids["ring"][call])
        assert both == ids["alert"][call] | ids["ring"][call]


def test_the_second_bye_of_an_outbound_call_bears_another_id() -> None:
    byes: dict[int, set[object]] = {}
    for sent in of_kind("outbound", "bye"):
        byes.setdefault(sent.call, set()).add(sent.report["callid"])
    assert {len(ids) for ids in byes.values()} == {2}


@pytest.mark.parametrize(
    ("habits", "share"),
    [
        pytest.param(NEVER, 0.0, id="if never, none"),
        pytest.param(Habits(without_sn=0.5), 0.5, id="half of them"),
        pytest.param(Habits(without_sn=1.0), 1.0, id="all of them"),
    ],
)
def test_so_many_reports_lack_the_sn(habits: Habits, share: float) -> None:
    sent = made(habits=habits)
    assert sum("sn" not in one.report for one in sent) / len(sent) == pytest.approx(share, abs=0.05)


def test_reports_are_sent_again_and_come_late_only_by_habit() -> None:
    def late(sent: list[Sent]) -> int:
        first: dict[int, str] = {}
        for one in sent:
            first.setdefault(one.call, one.event)
        return sum(event not in ("alert", "ring") for event in first.values())

    eager = made(habits=Habits(late=0.5, late_s=30.0, again=0.5))
    calm = made(habits=NEVER)
    assert sum(sent.again for sent in eager) > 500
    assert late(eager) > 10
    assert not any(sent.again for sent in calm)
    assert late(calm) == 0
