"""Step through a run: pure, so that what a run is doing can stand on disk as a value.

A run rests at its position: it owes an action there, or waits.  ``delivery`` fills in the
templates of an action, somebody tries it, and ``settled`` says what the outcome makes of
the run; ``woken`` does so when its time has come.  Between two rests ``walking`` goes on
through the program.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pbxrules.memory import TIMED, Draft, Whole
from pbxrules.model import (
    NOTHING,
    Delivery,
    Done,
    GiveUp,
    Moment,
    Outcome,
    Program,
    Run,
    Step,
    TryAgain,
    WaitFor,
)
from pbxrules.template import RenderError, Scope
from pbxrules.walking import finish, go_on, note, scope_of

SETTLING_S = 5.0
"""For so long after a start no ``for`` and no ``wait_for`` ends by time: what the PBX sends
again meanwhile may end it otherwise."""
IN_TIME_S = 0.5
"""So long before it would be too late a ``for`` fires that settles."""


def step_of(run: Run, program: Program) -> Step:
    """The action that *run* owes."""
    deed = program.nodes[run.position].deed
    assert isinstance(deed, Step)
    return deed


def delivery(
    whole: Whole,
    *,
    names: Mapping[str, Any],
    secrets: Mapping[str, str],
    store_id: str,
    now: Moment,
) -> Delivery | GiveUp:
    """The owed action with its templates filled in, as its next try; or why it can't be.

    Args:
        whole: The run.
        names: ``call``, ``state`` and what else templates may name.
        secrets: The values themselves only where the action is performed; for people,
            words that stand for them.
        store_id: Makes the delivery's id the only one of its kind.
        now: Of this try; also what ``now`` is in its templates.
    """
    run, event, program = whole.run, whole.event, whole.program
    step = step_of(run, program)
    try:
        scope = scope_of(whole, step.vars, names, secrets, now)
        args = {name: _rendered(value, scope) for name, value in step.args.items()}
    except RenderError as exc:
        return GiveUp(reason=str(exc))
    left_s = None if run.expires_s is None else run.expires_s - now.since(run.due)
    name = f"{store_id}-{run.id}-{_place(run)}"
    tries = run.attempt + 1
    return Delivery(name, step.verb, args, event, tries, step.timeout_s, left_s, step.uses_secret)


def _rendered(value: Any, scope: Scope) -> Any:
    return value.render(scope) if hasattr(value, "render") else value


def _place(run: Run) -> str:
    """The step, and the round of each ``repeat`` that it is in: other than at any other time.

    A ``finally`` that is done once more, for its run was taken up again, is in another round.
    """
    rounds = "".join(
        f".{path}.{number}"
        for path, number in sorted(run.counters.items())
        if run.position.startswith(f"{path}/")
    )
    return (run.position + rounds).replace("/", ".")


def expired(run: Run, now: Moment) -> bool:
    """Whether the owed action is too late to be worth a try."""
    return run.expires_s is not None and now.since(run.due) >= run.expires_s


def left_s(due: Moment, next_try: Moment, now: Moment) -> float:
    """Seconds until a run that rests since *due* is to be tried, or woken.

    After a boot not more than there were in all: the wall clock may have been set back, as
    it is at each boot of a machine that has no clock of its own.
    """
    if next_try.boot == now.boot:
        return max(0.0, next_try.uptime_s - now.uptime_s)
    return min(max(0.0, next_try.wall_s - now.wall_s), next_try.since(due))


def settling_s(verb: str, until: Moment, expires_s: float | None, now: Moment) -> float:
    """For how long after a start, *now*, a run that waits does not end by time.

    A ``for``, whose time comes *until*, does so only as long as it can still fire in time.
    """
    if verb not in ("for", "wait_for"):
        return 0.0
    if verb == "wait_for" or expires_s is None:
        return SETTLING_S
    same = until.boot == now.boot
    left_s = until.uptime_s - now.uptime_s if same else until.wall_s - now.wall_s
    return min(SETTLING_S, max(0.0, left_s + expires_s - IN_TIME_S))


def expire(draft: Draft, whole: Whole) -> None:
    """Give up the owed action, or the place in the lane, as *expired*."""
    run = whole.run
    _give_back(draft, run)
    tries = f" after {_tries(run)}" if run.attempt else ", never tried"
    _settle(draft, whole, "expired", f"not done within {run.expires_s:g} s{tries}")


def abandon(run: Run, why: str, now: Moment) -> Run:
    """The run, ended because its program can no longer be understood."""
    ended = note(run, run.verb, "failed", why)
    return replace(ended, position="", due=now, given_up="" if run.parent else run.position)


def resumed(whole: Whole) -> Whole:
    """A run as it is after a crash: an action that it owed may have been tried.

    So its ``finally`` is owed, even if that action should expire now.
    """
    run = whole.run
    owes = run.verb not in TIMED or run.verb == "join"
    if run.outcome or run.begun or not owes:
        return whole
    return Whole(run.changed(begun=True), whole.event, whole.program)


def tried_once(run: Run) -> Run:
    """The run, with a try of its owed action begun: from here on its ``finally`` is owed."""
    return run.changed(attempt=run.attempt + 1, begun=True)


def settled(draft: Draft, whole: Whole, outcome: Outcome, *, jitter: float) -> None:
    """Take into *draft* what *outcome* of the try that was begun makes of a run.

    Args:
        draft: Memory, at this moment.
        whole: The run that was tried.
        outcome: What its performer says.
        jitter: 0..1, random: so that many retries do not come at one moment.
    """
    match outcome:
        case Done():
            _settle(draft, whole, "done", outcome.detail, outcome.result)
        case GiveUp():
            _settle(draft, whole, "failed", outcome.reason, outcome.result)
        case TryAgain():
            _again(draft, whole, outcome, jitter)


def _again(draft: Draft, whole: Whole, outcome: TryAgain, jitter: float) -> None:
    run, now = whole.run, draft.now
    if outcome.at_once:
        draft.put(Whole(run.changed(next_try=now), whole.event, whole.program))
        return
    step = step_of(run, whole.program)
    retry = step.retry
    attempts = retry.attempts
    if run.outcome and whole.program.mode == "restart" and draft.queues(run.rule, run.lane):
        attempts = 1  # the newest match waits for it
    if attempts is not None and run.attempt >= attempts:
        tries = f" ({_tries(run)})" if run.attempt > 1 else ""
        _settle(draft, whole, "failed", outcome.reason + tries, outcome.result)
        return
    doubled = retry.delay_s * 2 ** min(run.attempt - 1, 30)
    delay_s = min(doubled, retry.max_delay_s) * (0.5 + 0.5 * jitter)
    if run.expires_s is not None and now.since(run.due) + delay_s >= run.expires_s:
        reason = f"{outcome.reason} ({_tries(run)}, no time left)"
        _settle(draft, whole, "expired", reason, outcome.result)
        return
    again = run.changed(next_try=now.after(delay_s), trouble=outcome.reason)
    draft.put(Whole(again, whole.event, whole.program))


def _tries(run: Run) -> str:
    return "1 try" if run.attempt == 1 else f"{run.attempt} tries"


def give_up(draft: Draft, whole: Whole, why: str) -> None:
    """Give up the owed action for a reason that is not its own, and go on with what follows it."""
    _settle(draft, whole, "dropped", why)


def _settle(
    draft: Draft, whole: Whole, state: str, reason: str, result: Mapping[str, Any] = NOTHING
) -> None:
    """Settle the owed action, and go on with what follows it."""
    run = note(whole.run, whole.run.verb, state, reason)
    node = whole.program.nodes.get(run.position)
    step = node.deed if node is not None and isinstance(node.deed, Step) else None
    if step is not None and step.register:
        run = run.changed(results={**run.results, step.register: result})
    if run.outcome not in ("", "restarted") and state != "done" and not run.given_up:
        run = run.changed(given_up=run.position)
    whole = Whole(run, whole.event, whole.program)
    goes_on = step is not None and (state == "done" or step.continue_on_error)
    if run.parent or not (goes_on or run.outcome):
        finish(draft, whole, "failed" if state == "dropped" else state)
    else:
        go_on(draft, whole)


# --- time ------------------------------------------------------------------------------------


def woken(draft: Draft, whole: Whole) -> None:
    """Go on with a run whose ``delay``, ``wait_for`` or place in a lane has come to its end."""
    run = whole.run
    match run.verb:
        case "delay":
            go_on(draft, whole)
        case "wait_for":
            _timed_out(draft, whole)
        case "lane":
            expire(draft, whole)


def _timed_out(draft: Draft, whole: Whole) -> None:
    run = whole.run
    deed = whole.program.nodes[run.position].deed
    assert isinstance(deed, WaitFor)
    if deed.register:
        results = {**run.results, deed.register: {"timed_out": True}}
        whole = Whole(run.changed(results=results), whole.event, whole.program)
    if deed.stops:
        finish(draft, whole, "stopped")
    else:
        go_on(draft, whole)


# --- cut short -------------------------------------------------------------------------------


NEWER = "a newer match took its place"


def restart(draft: Draft, whole: Whole) -> None:
    """Cut a run short for a newer match: its ``finally`` is tried once, and then it ends."""
    run = whole.run
    for branch in draft.branches(run.id):
        end(draft, branch, NEWER)
    if run.outcome:
        if run.attempt and run.id not in draft.memory.trying:  # it had its one try
            _settle(draft, whole, "failed", NEWER)
        return
    if run.verb not in TIMED:
        run = note(run, run.verb, "dropped", NEWER)
    finish(draft, Whole(run, whole.event, whole.program), "restarted")


def end(draft: Draft, run_id: int, why: str, **also: str) -> None:
    """End a run that has nothing more to do, with the reason; *also*: values that it gets."""
    whole = draft.whole(run_id)
    if whole is not None:
        _give_back(draft, whole.run)
        run = note(whole.run, whole.run.verb, "dropped", why)
        ended = run.changed(position="", due=draft.now, next_try=draft.now, inbox=(), **also)
        draft.put(Whole(ended, whole.event, whole.program))


def _give_back(draft: Draft, run: Run) -> None:
    """Give back what a run has spent that ends in its lane, before it began."""
    if run.verb == "lane":
        for kind, name in (("once", run.call), ("cooldown", run.lane)):
            if draft.value(kind, run.rule, name) == run.id:
                draft.forget(kind, run.rule, name)
