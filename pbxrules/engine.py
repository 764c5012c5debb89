"""Decide what an event starts: pure, and the same for the daemon and for every tool.

First the runs that wait are told of the event; then each rule that it fits goes through
the same order: ``for`` or ``count``, conditions, ``once_per``, ``cooldown``, ``mode``.
Rules are independent of each other: their order changes nothing but the order of the
verdicts.  All of it happens in a ``Draft``, so that nothing has happened if it can't be
written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count as counting
from json.encoder import encode_basestring
from typing import Any

from pbxrules import runs
from pbxrules.calls import Change, assign
from pbxrules.conditions.fields import value_of
from pbxrules.language import duration_text
from pbxrules.memory import Draft, Memory, Moves, Whole, subject_of
from pbxrules.misses import words
from pbxrules.model import (
    NOTHING,
    RUNS_PER_EVENT,
    Arrived,
    Count,
    Decision,
    Event,
    Facts,
    FieldTest,
    Miss,
    Moment,
    Program,
    Rule,
    Run,
    Step,
    Trigger,
    Verdict,
)
from pbxrules.records import record
from pbxrules.rules import RuleSet
from pbxrules.walking import FIRST, arrive, free, names_of, note, start

SHOWN = 200
"""Characters of an exception that the words of a miss tell."""
DAY_S = 86_400.0
"""How long it is remembered that a rule has run for a call, or that its ``for`` fired."""
LANE = "lane"
"""Given up before it began, for want of a place or in wait for one: it is to begin anew."""
FULL = "the rule has {waiting} runs that wait already"
AT_ONCE = ("parallel", "single")
"""Modes whose runs wait for no other."""

_ENDS = ("answer", "bye", "cdr", "call_failed")
UNTIL: Mapping[str, tuple[str, ...]] = {
    "ring": _ENDS,
    "alert": _ENDS,
    "answer": ("bye", "cdr"),
    "extension_status": ("extension_status",),
}
"""The events that end what a ``for`` waits for, unless its ``until`` names others.

Of these a ``call_failed`` counts with the same ``call_id`` only: one busy phone of a group
does not end the others.  The status of an extension ends with another one.
"""


@record(kw_only=False)
class Match:
    """An event that fits a trigger of a rule."""

    event: Event
    event_id: int
    call: str
    trigger: str
    lane: str
    inbox: tuple[Arrived, ...] = ()
    """What came since that its run may want."""


@record(kw_only=False)
class Arrival:
    """An event as it comes in."""

    event: Event
    id: int
    call: str = ""
    """The key of its call; ``""`` where it has none."""
    sure: bool = True
    """It is of that call without a doubt: what is not sure cancels nothing."""
    told: Change | None = None
    """What it tells of that call."""


def arrival(ruleset: RuleSet, memory: Memory, event: Event, event_id: int, now: Moment) -> Arrival:
    """An event with the call that it belongs to, where a rule asks for that."""
    if not (ruleset.about_calls or memory.is_watched):
        return Arrival(event, event_id)
    assigned = assign(memory.calls, event, now)
    if assigned is None:
        return Arrival(event=event, id=event_id)
    call, told = assigned
    return Arrival(event=event, id=event_id, call=call.id, sure=call.sure, told=told)


def decide(
    ruleset: RuleSet, memory: Memory, arrival: Arrival, now: Moment
) -> tuple[Decision, Moves]:
    """Which rules fire for an event and why the others do not, and what that changes."""
    event = arrival.event
    draft = Draft(memory, now, arrival.told)
    _tell_runs(draft, arrival)
    because, fits = _candidates(ruleset, event)
    ids = counting(arrival.id * RUNS_PER_EVENT + 1)
    fired = []
    for place, trigger in fits.items():
        rule = ruleset.rules[place]
        lane = lane_of(rule, event, arrival.call)
        match = Match(event, arrival.id, arrival.call, trigger.id, lane)
        lacking = _take(draft, ruleset, rule, trigger, match, ids)
        if lacking:
            because[place] = [lacking]
        else:
            fired.append(rule)
    verdicts = [
        Verdict(ruleset.rules[place].id, not missed, tuple(missed))
        for place, missed in because.items()
    ]
    moves = draft.moves()
    return Decision(tuple(verdicts), tuple(fired), moves.changes), moves


def _candidates(
    ruleset: RuleSet, event: Event
) -> tuple[dict[int, list[tuple[Miss, ...]]], dict[int, Trigger]]:
    """What the triggers of each candidate missed, and those that the event fits; in order."""
    because: dict[int, list[tuple[Miss, ...]]] = {}
    fits: dict[int, Trigger] = {}
    for (rule_place, trigger_place), tests in ruleset.index.candidates(event):
        if rule_place in fits:
            continue
        missed = _first_missed(tests, event)
        if missed is None:
            fits[rule_place] = ruleset.rules[rule_place].triggers[trigger_place]
            because[rule_place] = []
        else:
            because.setdefault(rule_place, []).append((missed,))
    return because, fits


def _first_missed(tests: Iterable[FieldTest], event: Event) -> Miss | None:
    fields = event.fields
    for test in tests:
        try:
            value = fields.get(test.field)
            if value is None:
                value = value_of(event, test.field)
            if not test.holds(value):
                return Miss(test.field, test.wanted)
        except Exception as exc:  # noqa: BLE001 - a defect of one test keeps no other rule from its call
            return _broken(test.field, exc)
    return None


# --- runs that wait --------------------------------------------------------------------------


def _tell_runs(draft: Draft, arrival: Arrival) -> None:
    """Let the runs that watch for such an event know of it."""
    event = arrival.event
    subject = subject_of(event, arrival.call)
    for run_id in draft.memory.watching(subject):
        whole = draft.whole(run_id)
        if whole is None:
            continue
        of_it = bool(subject) and subject == subject_of(whole.event, whole.run.call)
        same = of_it and _surely_same(draft, arrival, whole.event)
        waits = whole.run.verb == "for"
        if waits and same and _ends(event, whole.event, whole.run.results["until"]):
            runs.end(draft, run_id, f"{event.kind} came in time")
        else:
            arrive(draft, whole, arrival.id, event, sure=same)
    for rule, held in draft.memory.held.get(subject, {}).items():
        began = Event(fields=held.value["fields"], payload=NOTHING)
        ends = _ends(event, began, held.value["until"])
        if ends and _surely_same(draft, arrival, began):
            draft.forget("held", rule, subject)


HELD = ("event", "status", "call_id", "trunk_call_id")
"""What is kept of the event that began a ``for``, to tell which one ends it."""


def _surely_same(draft: Draft, arrival: Arrival, began: Event) -> bool:
    """Whether an event is without a doubt of the call that *began* is of, or of its extension."""
    known = draft.call(arrival.call)
    began_sure = known is None or began.fields.get("call_id") not in known.doubtful
    return (arrival.sure and began_sure) or bool(_ids(arrival.event) & _ids(began))


def _ids(event: Event) -> set[object]:
    """The ids of a call that an event bears."""
    return {event.fields[name] for name in ("call_id", "trunk_call_id") if name in event.fields}


def _ends(event: Event, began: Event, until: Sequence[str]) -> bool:
    """Whether *event* ends what the ``for`` that *began* waits for."""
    if event.kind not in (until or UNTIL.get(began.kind, ())):
        return False
    if event.kind == began.kind == "extension_status":
        return event.fields.get("status") != began.fields.get("status")
    busy_one = event.kind == "call_failed" and not until
    return not busy_one or event.fields.get("call_id") == began.fields.get("call_id")


# --- a match ---------------------------------------------------------------------------------


def _take(
    draft: Draft, ruleset: RuleSet, rule: Rule, trigger: Trigger, match: Match, ids: Iterator[int]
) -> tuple[Miss, ...]:
    """Take a match of *rule* on its way; what keeps it from firing now."""
    if trigger.count is not None:
        missed = _counted(draft, rule, trigger, trigger.count, match)
        if missed is not None:
            return (missed,)
    if trigger.for_s is not None:
        return (_hold(draft, rule, trigger, trigger.for_s, match, next(ids)),)
    return _fire(draft, ruleset, rule, match, ids)


def _counted(draft: Draft, rule: Rule, trigger: Trigger, count: Count, match: Match) -> Miss | None:
    """Count a match; None if it is the n-th.

    Of each it is remembered when it came, of which call, and whether it counts: a report
    of a call that was counted does not, even if the count began anew since.
    """
    now = draft.now
    # By the place of its trigger: several may bear one id.
    own = [one is trigger for one in rule.triggers].index(True)
    name = f"{own} {match.lane}"
    rows = draft.value("count", rule.id, name) or []
    old = [place for place, row in enumerate(rows) if _is_old(row, count.within_s, now)]
    rows = rows[old[-1] + 1 :] if old else rows
    call = match.call
    known = count.of == "calls" and bool(call) and call in [row[3] for row in rows]
    number = sum([row[4] for row in rows]) + (not known)
    fires = not known and number >= count.at_least
    rows = [row for row in rows if row[4] or row[3] != call]
    rows = [*rows, [now.boot, now.uptime_s, now.wall_s, call, not known]]
    if fires:
        rows = [[*row[:4], False] for row in rows if row[3]]
    draft.keep("count", rule.id, name, rows, now.after(count.within_s))
    if fires:
        return None
    wanted = f"{count.at_least} {count.of} within {duration_text(count.within_s)}"
    return Miss("count", wanted, str(number))


def _is_old(row: Sequence[Any], within_s: float, now: Moment) -> bool:
    boot, uptime_s, wall_s, *_ = row
    if boot == now.boot:  # without a moment for each of them
        return bool(now.uptime_s - uptime_s >= within_s)
    return not now.within(within_s, Moment(boot=boot, uptime_s=uptime_s, wall_s=wall_s))


def _hold(
    draft: Draft, rule: Rule, trigger: Trigger, for_s: float, match: Match, run_id: int
) -> Miss:
    """Begin to wait for a ``for``, unless the rule does or did so for this call already."""
    subject = subject_of(match.event, match.call)
    said = f"for {duration_text(for_s)}"
    if subject and draft.value("held", rule.id, subject) is not None:
        return Miss(said, None, "waited for already")
    now, until = draft.now, list(trigger.until)
    if subject:
        fields = {name: match.event.fields[name] for name in HELD if name in match.event.fields}
        held = {"run": run_id, "fields": fields, "until": until}
        draft.keep("held", rule.id, subject, held, now.after(for_s + DAY_S))
    results = {"rule": rule.digest, "until": until}
    at, next_try = ("for", "for"), now.after(for_s)
    waiting = _resting(rule, match, run_id, now, at=at, next_try=next_try, results=results)
    draft.put(Whole(waiting, match.event, rule.program))
    return Miss(said, None, "waited for")


def _new(rule: Rule, match: Match, run_id: int, now: Moment) -> Run:
    """A run that waits to begin; or that rests at its first action, if nothing keeps it."""
    first = rule.program.nodes[FIRST].deed
    if isinstance(first, Step) and rule.mode in AT_ONCE:
        return _resting(rule, match, run_id, now, at=(FIRST, first.verb), next_try=now)
    return _resting(rule, match, run_id, now, at=("lane", "lane"), next_try=now)


def _resting(
    rule: Rule,
    match: Match,
    run_id: int,
    now: Moment,
    *,
    at: tuple[str, str],
    next_try: Moment,
    results: Mapping[str, Any] = NOTHING,
) -> Run:
    """A run that was not tried yet; *at*: its position, and its verb."""
    return Run.resting(
        run_id=run_id,
        event_id=match.event_id,
        rule=rule.id,
        program=rule.program.digest,
        trigger=match.trigger,
        position=at[0],
        verb=at[1],
        due=now,
        expires_s=expires_s(rule.program),
        next_try=next_try,
        lane=match.lane,
        call=match.call,
        inbox=match.inbox,
        results=results,
    )


def expires_s(program: Program) -> float | None:
    """For how long a run of *program* may wait before it begins: as its first action says."""
    first = program.nodes[FIRST].deed
    if isinstance(first, Step):
        return first.expires_s
    return program.expires_s


def lane_of(rule: Rule, event: Event, call: str) -> str:
    """The values of the rule's ``per``, as JSON; ``""`` where it has none."""
    if not rule.per:
        return ""
    parts = []
    for name in rule.per:
        value = call or None if name == "call" else value_of(event, name)
        # A text, as nearly always, at a tenth of the time.
        parts.append(encode_basestring(value) if isinstance(value, str) else _as_json(value))
    return f"[{','.join(parts)}]"


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


# --- firing ----------------------------------------------------------------------------------


def _fire(
    draft: Draft,
    ruleset: RuleSet,
    rule: Rule,
    match: Match,
    ids: Iterator[int],
) -> tuple[Miss, ...]:
    """Begin a run of *rule*, or give it its place in a lane; what keeps it from that."""
    lacking = _lacking(draft, ruleset, rule, match)
    if lacking:
        return lacking
    missed = _spent(draft, rule, match)
    if missed is not None:
        return (missed,)
    waiting = draft.lane_size(rule.id, match.lane)
    if rule.mode == "single" and waiting:
        return (Miss("mode single", None, "on already"),)
    whole = Whole(_new(rule, match, next(ids), draft.now), match.event, rule.program)
    if waiting >= rule.max_runs and rule.mode != "restart":
        _drop(draft, whole, FULL.format(waiting=waiting))
        return ()
    spend(draft, rule, whole.run)
    _begin(draft, rule, whole)
    return ()


def _lacking(draft: Draft, ruleset: RuleSet, rule: Rule, match: Match) -> tuple[Miss, ...]:
    """What the conditions of *rule* miss."""
    if rule.condition is None:
        return ()
    try:
        if draft.names is None:
            state = draft.memory.state(ruleset.state)
            draft.names = names_of(draft.call(match.call), match.event, state)
        facts = Facts(match.event, draft.now.wall_s, match.trigger, draft.names)
        return rule.condition.misses(facts, wanted=True)
    except Exception as exc:  # noqa: BLE001 - as of a test: such a rule does not fire, and harms none
        return (_broken("a condition", exc),)


def _broken(what: str, exc: Exception) -> Miss:
    return Miss(f"{what} breaks: {exc!r}"[:SHOWN])


def _spent(draft: Draft, rule: Rule, match: Match) -> Miss | None:
    """Whether the rule's ``once_per`` or ``cooldown`` keeps it from firing."""
    if rule.once_per_call and match.call and draft.value("once", rule.id, match.call):
        return Miss("once_per call", None, "spent by this call")
    if rule.cooldown_s is not None:
        until = draft.until("cooldown", rule.id, match.lane)
        if until is not None and _is_on(until, rule.cooldown_s, draft.now):
            left = until.since(draft.now)
            return Miss("cooldown", None, f"on for another {left:.1f} s")
    return None


def _is_on(until: Moment, cooldown_s: float, now: Moment) -> bool:
    """Whether a cooldown is not over; nor is it, after a boot, on for longer than in all."""
    return not now.reached(until) and (until.boot == now.boot or until.since(now) <= cooldown_s)


def spend(draft: Draft, rule: Rule, run: Run) -> None:
    """Spend ``once_per`` and ``cooldown`` by a run; ``runs.end`` gives back what never began."""
    if rule.once_per_call and run.call:
        draft.keep("once", rule.id, run.call, run.id, draft.now.after(DAY_S))
    if rule.cooldown_s is not None:
        draft.keep("cooldown", rule.id, run.lane, run.id, draft.now.after(rule.cooldown_s))


def _begin(draft: Draft, rule: Rule, whole: Whole) -> None:
    """Start a run, or let it wait for the one that is on in its lane."""
    lane = draft.lane(rule.id, whole.run.lane) if rule.mode in ("queued", "restart") else []
    if rule.mode == "restart":
        for run_id in lane:
            before = draft.whole(run_id)
            if before is not None and before.run.verb == "lane":
                runs.end(draft, run_id, runs.NEWER)
            elif before is not None and before.program.mode == "restart":
                runs.restart(draft, before)  # another one goes on with the rule it began with
        lane = draft.lane(rule.id, whole.run.lane)
    if not lane:
        start(draft, whole)
        return
    run = whole.run
    late = run.expires_s
    waits = run if late is None else run.changed(next_try=run.due.after(late))
    draft.put(Whole(waits, whole.event, whole.program))


def _drop(draft: Draft, whole: Whole, why: str) -> None:
    """Write down that a match had no room, as a run that has ended."""
    node = whole.program.nodes[FIRST]
    run = whole.run.changed(position=node.path, verb=getattr(node.deed, "verb", "lane"))
    ended = replace(note(run, run.verb, "dropped", why), position="", expires_s=None, given_up=LANE)
    draft.put(Whole(ended, whole.event, whole.program))


# --- time ------------------------------------------------------------------------------------


def wake(ruleset: RuleSet, memory: Memory, run_id: int, now: Moment) -> Moves:
    """What the time that a run waited for makes of it; nothing if it waits no more."""
    draft = Draft(memory, now)
    whole = draft.whole(run_id)
    if whole is None:
        return Moves()
    if whole.run.verb != "for":
        runs.woken(draft, whole)
        return draft.moves()
    rule = ruleset.by_id.get(whole.run.rule)
    late = whole.run.expires_s
    if rule is None or _changed(rule, whole.run):
        never_fires(draft, whole, CHANGED)
    elif late is not None and now.since(whole.run.next_try) >= late:
        never_fires(draft, whole, f"not begun within {duration_text(late)}")
    else:
        _stayed_so(draft, ruleset, rule, whole)
    return draft.moves()


CHANGED = "its rule was changed or removed while it waited"


def _changed(rule: Rule, run: Run) -> bool:
    return run.results.get("rule") != rule.digest


def never_fires(draft: Draft, whole: Whole, why: str) -> None:
    """End a ``for`` that waits no more: the next match of its call is news again."""
    run, subject = whole.run, subject_of(whole.event, whole.run.call)
    runs.end(draft, run.id, why)
    held = draft.value("held", run.rule, subject)
    # Also what is too old by now: a clock that is set back would make it new again.
    if held is None or held.get("run", run.id) == run.id:
        draft.forget("held", run.rule, subject)


def _stayed_so(draft: Draft, ruleset: RuleSet, rule: Rule, whole: Whole) -> None:
    """Fire after a ``for``, with the event that began it."""
    run = whole.run
    match = Match(
        event=whole.event,
        event_id=run.event_id,
        call=run.call,
        trigger=run.trigger,
        lane=lane_of(rule, whole.event, run.call),
        inbox=run.inbox,
    )
    lacking = _fire(draft, ruleset, rule, match, iter((run.id,)))
    if lacking:
        runs.end(draft, run.id, words(lacking, whole.event))


def reloaded(ruleset: RuleSet, memory: Memory, now: Moment) -> Moves:
    """What new rules make of what waits: a ``for`` of a changed or removed rule is dropped."""
    draft = Draft(memory, now)
    for whole in memory.runs.values():
        rule = ruleset.by_id.get(whole.run.rule)
        if whole.run.verb == "for" and (rule is None or _changed(rule, whole.run)):
            never_fires(draft, whole, CHANGED)
    return draft.moves()


def settle(memory: Memory, whole: Whole, outcome: Any, now: Moment, *, jitter: float) -> Moves:
    """What the outcome of a try that was begun makes of its run, and of those behind it."""
    draft = Draft(memory, now)
    runs.settled(draft, whole, outcome, jitter=jitter)
    return draft.moves()


def expire(memory: Memory, whole: Whole, now: Moment) -> Moves:
    """What becomes of a run whose action is too late."""
    draft = Draft(memory, now)
    runs.expire(draft, whole)
    return draft.moves()


def freed(memory: Memory, rule: str, lane: str, now: Moment) -> Moves:
    """What becomes of those behind a run that was given up unread: the next one begins."""
    draft = Draft(memory, now)
    free(draft, (rule, lane))
    return draft.moves()
