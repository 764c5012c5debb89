"""What people do by hand to runs and to the state: pure, like all that changes memory.

Each gives the moves that it makes, or why it can't be done; nothing has happened yet.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pbxrules import engine, runs
from pbxrules.errors import did_you_mean
from pbxrules.memory import TIMED, Draft, Memory, Moves, Whole, fits
from pbxrules.model import RUNS_PER_EVENT, Moment, Run, StateDecl, Tried
from pbxrules.printable import escape
from pbxrules.records import record
from pbxrules.rules import RuleSet
from pbxrules.walking import finish, note, start, take_up

DROPPED = "dropped by hand"
FINALLY = "finally"
_NAME = re.compile(r"([1-9][0-9]{0,11})\.([1-9][0-9]{0,5})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_SAY = {"true": True, "false": False}


@record(kw_only=False)
class Refusal:
    """It can't be done, and nothing was changed."""

    why: str


def id_of(name: str) -> int | None:
    """The id of the run that people know as *name*, such as ``4.1``; None if that is no name."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1]) * RUNS_PER_EVENT + int(found[2])


def name_of(run_id: int) -> str:
    """The name of a run: its event's id, and its place among the runs of that."""
    return f"{run_id // RUNS_PER_EVENT}.{run_id % RUNS_PER_EVENT}"


# --- retry -----------------------------------------------------------------------------------


def retry(ruleset: RuleSet, memory: Memory, whole: Whole, now: Moment) -> Moves | Refusal:
    """Try what a run owes at once; one that was given up begins again where it was.

    It is begun with the whole of its ``expires``, as if that step were due now.  What was
    done before is not done again, but for its ``finally``, which ends it another time.
    """
    run = whole.run
    if run.ended:
        return _begin_again(ruleset, memory, whole, now)
    if run.verb in TIMED:
        return Refusal(_nothing_owed(memory, run))
    draft = Draft(memory, now)
    draft.put(Whole(run.changed(next_try=now), whole.event, whole.program))
    return draft.moves()


def _nothing_owed(memory: Memory, run: Run) -> str:
    name = name_of(run.id)
    if run.verb == "join":
        names = ", ".join(map(name_of, memory.branches(run.id)))
        return f"{name} waits for actions side by side: retry one of them ({names})"
    waits = "its turn" if run.verb == "lane" else f"its '{run.verb}'"
    return f"{name} waits for {waits} and owes nothing: there is nothing to retry"


def _begin_again(ruleset: RuleSet, memory: Memory, whole: Whole, now: Moment) -> Moves | Refusal:
    run, path = whole.run, whole.run.given_up
    draft = Draft(memory, now)
    refused = _no_place(ruleset, draft, whole)
    if refused:
        return Refusal(refused)
    again = run.changed(
        position=path,
        verb=engine.LANE,
        due=now,
        next_try=now,
        attempt=0,
        # Only of finally: what that sends is news, and no try of what was sent before.
        counters={**run.counters, FINALLY: run.counters.get(FINALLY, 0) + 1},
        outcome=run.outcome if path.startswith(f"{FINALLY}/") else "",
        given_up="",
    )
    again_whole = Whole(again, whole.event, whole.program)
    if path == engine.LANE:
        _line_up(ruleset, draft, again_whole)
    else:
        take_up(draft, again_whole, path)
    return draft.moves()


def _no_place(ruleset: RuleSet, draft: Draft, whole: Whole) -> str:
    """Why a run can't begin again; ``""`` if it can."""
    run, program = whole.run, whole.program
    name = name_of(run.id)
    if run.parent:
        return f"{name} was a part of {name_of(run.parent)}: retry that one"
    if not run.given_up:
        return f"{name} has ended ({run.outcome or 'dropped'}): there is nothing to retry"
    if run.given_up != engine.LANE and run.given_up not in program.nodes:
        return f"{name} stood at '{run.given_up}', which its rule does not have"
    waiting = draft.lane(run.rule, run.lane)
    queues = program.mode == "queued" and run.given_up == engine.LANE
    if waiting and program.mode != "parallel" and not queues:
        return (
            f"another run of rule '{run.rule}' is on ({name_of(waiting[0])}), and its mode is"
            f" '{program.mode}': retry {name} when that one has ended"
        )
    rule = ruleset.by_id.get(run.rule)
    if rule is not None and len(waiting) >= rule.max_runs:
        return engine.FULL.format(waiting=len(waiting))
    return ""


def _line_up(ruleset: RuleSet, draft: Draft, whole: Whole) -> None:
    """Begin a run from its first step, or have it wait for those before it in its lane."""
    run = whole.run
    late = engine.expires_s(whole.program)
    run = run.changed(expires_s=late, next_try=run.due if late is None else run.due.after(late))
    rule = ruleset.by_id.get(run.rule)
    if rule is not None:
        engine.spend(draft, rule, run)
    whole = Whole(run, whole.event, whole.program)
    if draft.lane_size(run.rule, run.lane):
        draft.put(whole)
    else:
        start(draft, whole)


# --- drop ------------------------------------------------------------------------------------


def drop(memory: Memory, whole: Whole, branches: Sequence[Whole], now: Moment) -> Moves | Refusal:
    """Give up what a run owes or waits for: it ends as ``stopped``, and its ``finally`` follows.

    Of a run that is in its ``finally`` it is the owed action alone, and so it is of a branch
    of a ``parallel``, which then counts as failed.

    Args:
        memory: What is remembered.
        whole: The run.
        branches: Those of its ``parallel`` that are open.
        now: The moment.
    """
    run = whole.run
    if run.ended:
        return Refusal(f"{name_of(run.id)} has ended: there is nothing to drop")
    draft = Draft(memory, now)
    if run.verb == "for":
        engine.never_fires(draft, whole, DROPPED)
    elif run.verb == engine.LANE:
        runs.end(draft, run.id, DROPPED, outcome="stopped", given_up=engine.LANE)
    elif run.parent or run.outcome:
        runs.give_up(draft, whole, DROPPED)
    else:
        stopped = _without(draft, run, branches) if branches else _noted(run)
        stopped = stopped.changed(given_up=run.position)
        finish(draft, Whole(stopped, whole.event, whole.program), "stopped")
    return draft.moves()


def _noted(run: Run) -> Run:
    return note(run, run.verb, "dropped", DROPPED)


def _without(draft: Draft, run: Run, branches: Sequence[Whole]) -> Run:
    """The run, with the open actions of its ``parallel`` dropped; it tells of them."""
    now = draft.now
    for whole in branches:
        one = whole.run
        ended = one.changed(position="", due=now, next_try=now, trouble="")
        draft.put(Whole(ended, whole.event, whole.program))
        told = Tried(
            position=one.position,
            verb=one.verb,
            state="dropped",
            reason=DROPPED,
            attempts=one.attempt,
        )
        run = run.changed(tried=(*run.tried, told), begun=run.begun or one.begun)
    return run


# --- state -----------------------------------------------------------------------------------


def set_state(
    declared: Mapping[str, StateDecl], memory: Memory, name: str, text: str, now: Moment
) -> Moves | Refusal:
    """Give a name of the state the value that a person wrote as *text*."""
    if name not in declared:
        hint = did_you_mean(name, declared)
        said = f" ({hint})" if hint else ""
        return Refusal(f"no rule file declares '{escape(name)}' under 'state:'{said}")
    state = declared[name]
    if state.topic is not None:
        return Refusal(
            f"'{name}' is the message of {escape(state.topic)}, and read-only: publish it there"
        )
    if not _is_text(text):
        return Refusal(f"the value of '{name}' is no UTF-8")
    value = _value(text, state)
    if value is None or not fits(value, state):
        shown = escape(text if len(text) <= 60 else text[:60] + "…")  # noqa: PLR2004 - a line's worth
        return Refusal(f"'{name}' is {_wanted(state)}, and '{shown}' is not")
    draft = Draft(memory, now)
    draft.keep("state", "", name, value, None)
    return draft.moves()


def state_rows(declared: Mapping[str, StateDecl], memory: Memory) -> list[dict[str, Any]]:
    """The declared names with their values; ``known`` is false where no message came yet."""
    values = memory.state(declared)
    return [
        {
            "name": name,
            "value": values[name],
            "topic": state.topic,
            "known": state.topic is None or values[name] is not None,
        }
        for name, state in sorted(declared.items())
    ]


def _is_text(text: str) -> bool:
    """Whether it is no half of a surrogate pair, as a shell's stray byte is."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _wanted(state: StateDecl) -> str:
    match state.first:
        case bool():
            return "true or false"
        case int() | float():
            return "a number, such as 3 or -1.5"
        case str():
            return "text"
    return 'a list in JSON, such as ["101", "102"]'


def _value(text: str, state: StateDecl) -> Any:
    """What *text* means where a value of that type is wanted; None if it means none."""
    match state.first:
        case bool():
            return _SAY.get(text)
        case int() | float():
            return _number(text)
        case str():
            return text
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # NaN and 1e999 are no JSON, whatever json says
    except (ValueError, RecursionError):
        return None
    return value


def _number(text: str) -> float | None:
    """A number as rule files have it: no ``0101``, ``1e5`` or ``nan``."""
    found = _NUMBER.fullmatch(text)
    if found is None or len(text) > 300:  # noqa: PLR2004 - as yamlsource: no float overflows
        return None
    number = float(text) if found[1] else int(text)
    return number if math.isfinite(number) else None
