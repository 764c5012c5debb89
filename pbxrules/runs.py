"""Step through a run: pure, so that what a run is doing can stand on disk as a value.

A run owes the step at its position.  ``delivery`` fills in that step's templates,
somebody tries it, and ``advance`` says what the outcome makes of the run.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pbxrules.model import (
    Delivery,
    Done,
    Event,
    GiveUp,
    Moment,
    Outcome,
    Program,
    Run,
    Step,
    Tried,
    TryAgain,
)
from pbxrules.template import Instant, RenderError, RuleVars, Scope

FULL = "the rule has {waiting} runs that wait already"


def begin(
    program: Program,
    digest: str,
    event_id: int,
    run_id: int,
    now: Moment,
    *,
    trigger: str,
    waiting: int,
    most: int,
) -> Run:
    """The run of *program* for an event that fits the trigger of the id *trigger*.

    It has ended at once where *most* runs wait already.
    """
    run = Run(
        id=run_id,
        event_id=event_id,
        rule=program.rule,
        program=digest,
        trigger=trigger,
        position="actions/0",
        verb=program.steps[0].verb,
        due=now,
        expires_s=program.steps[0].expires_s,
        next_try=now,
        attempt=0,
        tried=(),
    )
    if waiting < most:
        return run
    return _settle(run, program, "dropped", FULL.format(waiting=waiting), now, ends=True)


def step_of(run: Run, program: Program) -> Step:
    """The step that *run* owes."""
    return program.steps[_place(run)]


def delivery(
    run: Run,
    program: Program,
    event: Event,
    *,
    secrets: Mapping[str, str],
    store_id: str,
    now: Moment,
) -> Delivery | GiveUp:
    """The owed step with its templates filled in, as its next try; or why it can't be.

    Args:
        secrets: The values themselves only where the action is performed; for people,
            words that stand for them.
        store_id: Makes the delivery's id the only one of its kind.
        now: Of this try; also what ``now`` is in its templates.
    """
    step = step_of(run, program)
    scope = Scope(
        fields=event.fields,
        payload=event.payload,
        vars=RuleVars(program.vars),  # marked when the program was made
        secrets=secrets,
        extras={
            "rule": {"id": run.rule},
            "trigger": {"id": run.trigger},
            "now": Instant(now.wall_s, program.zone),
        },
    )
    try:
        args = {name: _rendered(value, scope) for name, value in step.args.items()}
    except RenderError as exc:
        return GiveUp(reason=str(exc))
    return Delivery(
        id=f"{store_id}-{run.id}-{_place(run)}",
        verb=step.verb,
        args=args,
        event=event,
        attempt=run.attempt + 1,
        timeout_s=step.timeout_s,
        left_s=None if run.expires_s is None else run.expires_s - now.since(run.due),
        uses_secret=step.uses_secret,
    )


def _rendered(value: Any, scope: Scope) -> Any:
    return value.render(scope) if hasattr(value, "render") else value


def expired(run: Run, now: Moment) -> bool:
    """Whether the owed step is too late to be worth a try."""
    return run.expires_s is not None and now.since(run.due) >= run.expires_s


def expire(run: Run, program: Program, now: Moment) -> Run:
    """The run, with its owed step given up as *expired*."""
    tries = f" after {_tries(run)}" if run.attempt else ", never tried"
    reason = f"not done within {run.expires_s:g} s{tries}"
    return _settle(run, program, "expired", reason, now)


def abandon(run: Run, why: str, now: Moment) -> Run:
    """The run, ended because its program can no longer be understood."""
    settled = Tried(
        position=run.position, verb=run.verb, state="failed", reason=why, attempts=run.attempt
    )
    return replace(run, position="", due=now, tried=(*run.tried, settled))


def at_step(run: Run, program: Program, place: int) -> Run:
    """The run as if it owed the step at *place*."""
    return replace(run, position=f"actions/{place}", verb=program.steps[place].verb, attempt=0)


def tried_once(run: Run) -> Run:
    """The run, with a try of its owed step begun."""
    return replace(run, attempt=run.attempt + 1)


def advance(run: Run, program: Program, outcome: Outcome, now: Moment, *, jitter: float) -> Run:
    """What *outcome* of the try that was begun makes of *run*.

    Args:
        jitter: 0..1, random: so that many retries do not come at one moment.
    """
    match outcome:
        case Done():
            return _settle(run, program, "done", outcome.detail, now)
        case GiveUp():
            return _settle(run, program, "failed", outcome.reason, now)
        case TryAgain():
            return _again(run, program, outcome, now, jitter)


def _again(run: Run, program: Program, outcome: TryAgain, now: Moment, jitter: float) -> Run:
    if outcome.at_once:
        return replace(run, next_try=now)
    step = step_of(run, program)
    retry = step.retry
    if retry.attempts is not None and run.attempt >= retry.attempts:
        tries = f" ({_tries(run)})" if run.attempt > 1 else ""
        return _settle(run, program, "failed", outcome.reason + tries, now)
    doubled = retry.delay_s * 2 ** min(run.attempt - 1, 30)
    delay_s = min(doubled, retry.max_delay_s) * (0.5 + 0.5 * jitter)
    if run.expires_s is not None and now.since(run.due) + delay_s >= run.expires_s:
        reason = f"{outcome.reason} ({_tries(run)}, no time left)"
        return _settle(run, program, "expired", reason, now)
    return replace(run, next_try=now.after(delay_s))


def _tries(run: Run) -> str:
    return "1 try" if run.attempt == 1 else f"{run.attempt} tries"


def _settle(
    run: Run, program: Program, state: str, reason: str, now: Moment, *, ends: bool = False
) -> Run:
    """The run with its owed step settled, and the next one owed, if there is one."""
    step = step_of(run, program)
    settled = Tried(
        position=run.position, verb=run.verb, state=state, reason=reason, attempts=run.attempt
    )
    following = _place(run) + 1
    goes_on = not ends and (state == "done" or step.continue_on_error)
    more = goes_on and following < len(program.steps)
    return replace(
        run,
        position=f"actions/{following}" if more else "",
        verb=program.steps[following].verb if more else run.verb,
        due=now,
        expires_s=program.steps[following].expires_s if more else None,
        next_try=now,
        attempt=0,
        tried=(*run.tried, settled),
    )


def _place(run: Run) -> int:
    return int(run.position.removeprefix("actions/"))
