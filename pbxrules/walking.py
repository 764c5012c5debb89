"""Go on through a program until the run rests: at an action that it owes, or at a wait.

What is decided on the way (``if``, ``choose``, ``repeat``, ``set``) is done at once, in a
``Draft``.  A run that ends here makes others go on: the next of its lane, or the run whose
``parallel`` it is a branch of.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from pbxrules.calls import Known
from pbxrules.conditions.fields import value_of
from pbxrules.memory import SAME_CALL, Draft, Lane, Whole, fits
from pbxrules.model import (
    NOTHING,
    Arrived,
    Choose,
    Condition,
    Delay,
    Event,
    Facts,
    If,
    Moment,
    Node,
    Parallel,
    Repeat,
    Run,
    Set,
    Step,
    Stop,
    Tried,
    WaitFor,
)
from pbxrules.template import Instant, RenderError, RuleVars, Scope

MAX_STEPS = 1_000
"""Steps without waiting, beyond which the run has failed: else it would go on for ever."""
KEPT = 200
"""Settled steps of a run that are remembered: the last ones."""
FIRST, FINALLY = "actions/0", "finally/0"
MAX_INBOX = 16
"""Events that are kept for a later ``wait_for``; the last ones."""
FIRST_BRANCH = 900_000
"""The place from which branches of a ``parallel`` are numbered, in the runs of an event."""
GIVEN_UP = frozenset({"failed", "expired"})
"""Outcomes of runs that did not do all they should."""
NO_CALL: Mapping[str, Any] = {
    "id": None, "sure": False, "answered": False, "caller": None, "callee": None,
    "extensions": (), "started": None, "ended": None,
}  # fmt: skip
"""What templates see as ``call`` where the event belongs to none."""


def names_of(known: Known | None, event: Event, state: Mapping[str, Any]) -> dict[str, Any]:
    """``call`` and ``state``, as templates and conditions see them; *known* is the event's call."""
    if known is None:
        return {"call": NO_CALL, "state": state}
    told = {
        "id": known.id,
        "sure": event.fields.get("call_id") not in known.doubtful,
        "answered": known.answered,
        "caller": known.caller,
        "callee": known.callee,
        "extensions": known.extensions,
        "started": known.started_s,
        "ended": known.ended_s,
    }
    return {"call": told, "state": state}


def note(run: Run, verb: str, state: str, reason: str) -> Run:
    """The run, with the step that it rests at settled."""
    settled = Tried(run.position, verb, state, reason, run.attempt)
    return run.changed(tried=(*run.tried, settled)[-KEPT:])


def start(draft: Draft, whole: Whole) -> None:
    """Begin with its actions; the first one's time counts from the match."""
    run, program = whole.run, whole.program
    if program.mode != "parallel":
        left, declared = draft.left.get((run.rule, run.lane), {}), program.state
        kept = {name: v for name, v in left.items() if name in declared and fits(v, declared[name])}
        draft.sets[run.id] = kept
    if run.position == FIRST:  # it rests at its first action already
        draft.put(whole)
    else:
        _Walk(draft, whole).go(FIRST, due=run.due)


def go_on(draft: Draft, whole: Whole) -> None:
    """Go on behind the step that the run rests at."""
    walk = _Walk(draft, whole)
    walk.go(walk.behind(whole.program.nodes[whole.run.position]))


def take_up(draft: Draft, whole: Whole, path: str) -> None:
    """Do the step at *path* again; of a ``parallel`` the actions that were not done.

    What the run registered, and the rounds that it was in, are as they were.
    """
    walk, node = _Walk(draft, whole), whole.program.nodes[path]
    if isinstance(node.deed, Parallel):
        settled = {tried.position: tried.state for tried in whole.run.tried}
        left = [one for one in node.deed.branches if settled.get(one) != "done"]
        walk.fork(node, left, draft.now)
    else:
        walk.go(path)


def finish(draft: Draft, whole: Whole, outcome: str) -> None:
    """End its actions, with *outcome*; its ``finally`` follows, if that is owed."""
    _Walk(draft, whole).finish(outcome)


def arrive(draft: Draft, whole: Whole, event_id: int, event: Event, *, sure: bool) -> None:
    """Let a run know of an event.

    Args:
        draft: Where the run goes on, if it waits for that.
        whole: The run.
        event_id: The event's id.
        event: The event.
        sure: It is of the run's call, or of its extension, without a doubt.
    """
    wanted = tuple(
        node.path
        for node in whole.program.nodes.values()
        if isinstance(node.deed, WaitFor) and _wants(node.deed, whole, event, sure=sure)
    )
    run = whole.run
    if not wanted or event_id <= max(run.mark, run.event_id):
        return
    arrived = Arrived(id=event_id, fields=event.fields, wanted=wanted)
    if run.position in wanted:
        _Walk(draft, whole).satisfied(whole.program.nodes[run.position], arrived)
    else:
        inbox = (*run.inbox, arrived)[-MAX_INBOX:]
        draft.put(Whole(run.changed(inbox=inbox), whole.event, whole.program))


def _wants(deed: WaitFor, whole: Whole, event: Event, *, sure: bool) -> bool:
    if deed.same == SAME_CALL:
        if not sure:
            return False
    elif any(value_of(event, name) != value_of(whole.event, name) for name in deed.same):
        return False
    return all(test.holds(value_of(event, test.field)) for test in deed.tests)


class _Walk:
    """One run on its way from a rest to the next."""

    def __init__(self, draft: Draft, whole: Whole) -> None:
        self.draft = draft
        self.run = whole.run
        self.event = whole.event
        self.program = whole.program
        self.sets = draft.sets.setdefault(self.run.id, {})
        self.state = {**draft.memory.state(whole.program.state), **self.sets}
        """As others see it, and with what this run sets: it sees that at once."""

    # --- where it goes -----------------------------------------------------------------------

    def go(self, path: str, *, due: Moment | None = None) -> None:
        """Go on at *path*; *due*: from when the time of the first action counts, if not now."""
        for _ in range(MAX_STEPS):
            if not path:
                self._list_ended()
                return
            node = self.program.nodes[path]
            following = self._do(node, due or self.draft.now)
            if following is None:
                return
            path = following
            if isinstance(node.deed, WaitFor | Set):
                due = None  # that was a step, which has ended now
        reason = f"{MAX_STEPS:,} steps without waiting"
        self.run = note(self.run.changed(position=path), "repeat", "failed", reason)
        if self.run.outcome:
            self._end()
        else:
            self.finish("failed")

    def behind(self, node: Node) -> str:
        """What follows a step: behind it, behind the one around it, or the next round."""
        while not node.after and node.owner:
            node = self.program.nodes[node.owner]
            if isinstance(node.deed, Repeat) and self._repeats(node.path, node.deed):
                return node.deed.body
        return node.after

    def _repeats(self, path: str, deed: Repeat) -> bool:
        """Whether another round of a ``repeat`` follows the one that ended."""
        done = self.run.counters.get(path, 0)
        counters = {other: n for other, n in self.run.counters.items() if other != path}
        again = (
            (deed.count is None or done < deed.count)
            and not (done and deed.after is not None and self._holds(deed.after))
            and (deed.before is None or self._holds(deed.before))
        )
        self.run = self.run.changed(counters=counters | {path: done + 1} if again else counters)
        return again

    def _do(self, node: Node, due: Moment) -> str | None:
        """Do a step; what follows it at once, or None where the run rests or has ended."""
        match node.deed:
            case Step() as step:
                self._owe(node, step, due)
            case Delay(seconds=seconds):
                self._rest(node, "delay", seconds)
            case WaitFor() as wait:
                return self._wait(node, wait)
            case Parallel() as parallel:
                self.fork(node, parallel.branches, due)
            case Stop() as stop:
                self._stop(node, stop)
            case Set() as change:
                return self._set(node, change)
            case If(condition=condition, then=then, otherwise=otherwise):
                return (then if self._holds(condition) else otherwise) or self.behind(node)
            case Choose() as choose:
                return self._chosen(choose) or self.behind(node)
            case Repeat() as repeat:
                return repeat.body if self._repeats(node.path, repeat) else self.behind(node)
        return None

    def _list_ended(self) -> None:
        if self.run.outcome:
            self._end()
        else:
            self.finish("done")

    def finish(self, outcome: str) -> None:
        """End its actions with *outcome*, and go on with its ``finally``."""
        run = self.run
        if outcome in GIVEN_UP and not run.parent:
            run = self.run = run.changed(given_up=run.position)
        if run.begun and not run.parent and FINALLY in self.program.nodes:
            self.run = run.changed(outcome=outcome, inbox=())
            self.go(FINALLY)
        else:
            self._end(outcome=outcome)

    # --- steps -------------------------------------------------------------------------------

    def _owe(self, node: Node, step: Step, due: Moment) -> None:
        self._put(
            position=node.path,
            verb=step.verb,
            due=due,
            next_try=self._at_once(due),
            expires_s=step.expires_s,
        )

    def _at_once(self, due: Moment) -> Moment:
        """A moment that has come; by a boot before this one that can't be told for sure."""
        return due if due.boot == self.draft.now.boot else self.draft.now

    def _rest(self, node: Node, verb: str, seconds: float) -> None:
        now = self.draft.now
        self._put(
            position=node.path, verb=verb, due=now, next_try=now.after(seconds), expires_s=None
        )

    def _wait(self, node: Node, wait: WaitFor) -> str | None:
        for arrived in self.run.inbox:
            if node.path in arrived.wanted:
                self._take(wait, arrived)
                return self.behind(node)
        self._rest(node, "wait_for", wait.timeout_s)
        return None

    def satisfied(self, node: Node, arrived: Arrived) -> None:
        """Go on behind the ``wait_for`` that *arrived* satisfies."""
        assert isinstance(node.deed, WaitFor)
        self._take(node.deed, arrived)
        self.go(self.behind(node))

    def _take(self, wait: WaitFor, arrived: Arrived) -> None:
        later = tuple(other for other in self.run.inbox if other.id > arrived.id)
        self.run = self.run.changed(mark=arrived.id, inbox=later)
        self._register(wait.register, {"timed_out": False, **arrived.fields})

    def _register(self, name: str, result: Mapping[str, Any]) -> None:
        if name:
            self.run = self.run.changed(results={**self.run.results, name: result})

    def _chosen(self, choose: Choose) -> str:
        for condition, path in choose.branches:
            if self._holds(condition):
                return path
        return choose.default

    def _stop(self, node: Node, stop: Stop) -> None:
        try:
            why = str(stop.why.render(self._scope(stop.vars)))
        except RenderError as exc:
            why = f"its reason can't be filled in: {exc}"
        self.run = note(self.run.changed(position=node.path, attempt=0), "stop", "done", why)
        self.finish("stopped")

    def _set(self, node: Node, change: Set) -> str | None:
        self.run = self.run.changed(position=node.path, attempt=1, begun=True)
        scope = self._scope(change.vars)
        try:
            values = {name: tree.render(scope) for name, tree in change.values.items()}
        except RenderError as exc:
            return self._not_set(node, str(exc))
        wrong = [name for name, v in values.items() if not fits(v, self.program.state[name])]
        if wrong:
            what = ", ".join(f"'{name}'" for name in wrong)
            return self._not_set(node, f"{what} would be of another type than before")
        for name, value in values.items():
            self.draft.keep("state", "", name, value, None)
            self.state[name] = self.sets[name] = value
        self.run = note(self.run, "set", "done", ", ".join(values))
        return self.behind(node)

    def _not_set(self, node: Node, why: str) -> str | None:
        self.run = note(self.run, "set", "failed", why)
        if self.run.outcome:
            return self.behind(node)
        self.finish("failed")
        return None

    def fork(self, node: Node, branches: Sequence[str], due: Moment) -> None:
        """Owe the actions of a ``parallel``, or those of them that are left."""
        at_once = self._at_once(due)
        self._put(position=node.path, verb="join", due=due, next_try=at_once, expires_s=None)
        ids = self.draft.free_branches(self.run.event_id, FIRST_BRANCH)
        for path, id_ in zip(branches, ids, strict=False):
            step = self.program.nodes[path].deed
            assert isinstance(step, Step)
            branch = self.run.changed(
                id=id_,
                parent=self.run.id,
                position=path,
                verb=step.verb,
                expires_s=step.expires_s,
                attempt=0,
                tried=(),
                begun=False,
                inbox=(),
            )
            self.draft.put(Whole(branch, self.event, self.program))

    # --- the end -----------------------------------------------------------------------------

    def _put(self, **changes: Any) -> None:
        self.run = self.run.changed(attempt=0, trouble="", **changes)
        self.draft.put(Whole(self.run, self.event, self.program))

    def _end(self, **also: str) -> None:
        run = self.run
        if not run.given_up:  # else it may be taken up again
            self.run = run.changed(results=NOTHING, counters=NOTHING)
        self._put(
            position="", due=self.draft.now, next_try=self.draft.now, expires_s=None,
            inbox=(), **also,
        )  # fmt: skip
        if run.parent:
            _join(self.draft, run)
        else:
            lane = run.rule, run.lane
            self.draft.left[lane] = self.sets
            free(self.draft, lane)

    # --- what it sees ------------------------------------------------------------------------

    def _holds(self, condition: Condition) -> bool:
        run = self.run
        names = names_of(self.draft.call(run.call), self.event, self.state)
        facts = Facts(
            event=self.event,
            wall_s=self.draft.now.wall_s,
            trigger=run.trigger,
            names={**names, **run.results, "outcome": run.outcome},
        )
        return condition.holds(facts)

    def _scope(self, variables: Mapping[str, Any] | None) -> Scope:
        names = names_of(self.draft.call(self.run.call), self.event, self.state)
        whole = Whole(self.run, self.event, self.program)
        return scope_of(whole, variables, names, NOTHING, self.draft.now)


def scope_of(
    whole: Whole,
    variables: Mapping[str, Any] | None,
    names: Mapping[str, Any],
    secrets: Mapping[str, str],
    now: Moment,
) -> Scope:
    """What the names of a run's templates stand for.

    *variables* are those of the step's script, *names* ``call`` and ``state``.
    """
    run, program = whole.run, whole.program
    # Marked as the author's when the program was made.
    own = RuleVars(program.vars if variables is None else variables)
    extras = {
        **names,
        **run.results,
        "outcome": run.outcome,
        "rule": {"id": run.rule},
        "trigger": {"id": run.trigger},
        "now": Instant(now.wall_s, program.zone),
    }
    return Scope(whole.event.fields, whole.event.payload, own, secrets, extras)


def free(draft: Draft, lane: Lane) -> None:
    """Let the next run of a lane begin, and those of lanes that become free meanwhile."""
    draft.freed.append(lane)
    if len(draft.freed) > 1:
        return  # who began with that goes on: thousands may end at once, one behind the other
    while draft.freed:
        _next_in_lane(draft, *draft.freed[0])
        draft.freed.popleft()


def _next_in_lane(draft: Draft, rule: str, lane: str) -> None:
    """Start the run that waited longest, if none is on."""
    if not draft.queues(rule, lane):
        return
    runs = [draft.whole(id_) for id_ in draft.lane(rule, lane)]
    waiting = [whole for whole in runs if whole is not None and whole.run.verb == "lane"]
    if waiting and len(waiting) == len(runs):
        start(draft, reduce(_earlier, waiting))


def _earlier(one: Whole, other: Whole) -> Whole:
    """Which of them matched first, whatever the wall clock said."""
    return one if other.run.due.reached(one.run.due) else other


def _join(draft: Draft, branch: Run) -> None:
    """Tell a run that one of its branches has ended; after the last one it goes on."""
    whole = draft.whole(branch.parent)
    if whole is None:  # it was cut short, or ended by hand
        return
    run = whole.run
    # Of the others' results it knows what there was when it began.
    step = whole.program.nodes[branch.tried[-1].position].deed
    name = step.register if isinstance(step, Step) else ""
    run = run.changed(
        tried=(*run.tried, *branch.tried)[-KEPT:],
        results={**run.results, name: branch.results[name]} if name else run.results,
        begun=run.begun or branch.begun,
    )
    whole = Whole(run, whole.event, whole.program)
    draft.put(whole)
    if draft.branches(run.id):
        return
    deed = whole.program.nodes[run.position].deed
    assert isinstance(deed, Parallel)
    last = {settled.position: settled.state for settled in run.tried}
    bad = [last[path] for path in deed.branches if _fails(whole, path, last.get(path, "done"))]
    if bad and not deed.continue_on_error:
        finish(draft, whole, "expired" if "expired" in bad else "failed")
    else:
        go_on(draft, whole)


def _fails(whole: Whole, path: str, state: str) -> bool:
    deed = whole.program.nodes[path].deed
    return state != "done" and isinstance(deed, Step) and not deed.continue_on_error
