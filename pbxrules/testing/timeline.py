"""What happened in a case, line by line, for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.hints import example
from pbxrules.language import duration_text
from pbxrules.model import Done, Event, FieldValue, GiveUp
from pbxrules.testing.trial import Moved

MOST = 60
"""Lines of one case that are shown; what stands in the middle is left out."""
LONG = 160
"""Characters of an action's arguments."""
ALWAYS = ("event", "action", "received_at")
"""Fields that say nothing here."""
WAITS = {
    "for": "waits whether it stays so, until {until}",
    "lane": "waits for the run before it to end",
    "delay": "waits until {until}",
    "wait_for": "waits for an event, until {until} at the latest",
    "join": "waits for its actions to end",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened."""

    at_s: float
    kind: str
    """``event``, ``broker``, ``run``, ``action`` or ``state``."""
    rule: str
    """``""``: of none."""
    text: str
    good: bool = True
    """Nothing failed."""


def lines(happened: Sequence[Moved]) -> list[Line]:
    """What happened; where that is long, its beginning and its end."""
    half = MOST // 2
    left_out = len(happened) - MOST
    if left_out <= 0:
        return [_line(moved) for moved in happened]
    text = f"({left_out} more things happened)"
    between = Line(at_s=happened[half].at_s, kind="run", rule="", text=text)
    shown = [_line(moved) for moved in (*happened[:half], *happened[-half:])]
    return [*shown[:half], between, *shown[half:]]


def _line(moved: Moved) -> Line:
    text, good = moved.what, True
    match moved.kind:
        case "event":
            text = " ".join([moved.what, *_fields(moved.told)])
        case "broker":
            text = f"the broker is {'back' if moved.what == 'up' else 'gone'}"
            good = moved.what == "up"
        case "action":
            text, good = _action(moved.what, *moved.told)
        case "state":
            before, after = moved.told
            text = f"{moved.what}: {example(before)} → {example(after)}"
        case "run":
            text, good = _run(moved)
    return Line(at_s=moved.at_s, kind=moved.kind, rule=moved.rule, text=text, good=good)


def _fields(event: Event) -> Iterator[str]:
    for name, value in event.fields.items():
        if name not in ALWAYS:
            yield f"{name}={_text(value)}"
    if event.kind == "other":
        yield f"action={event.fields['action']}"


def _text(value: FieldValue) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _action(verb: str, args: Mapping[str, Any], outcome: Any) -> tuple[str, bool]:
    shown = example(dict(args))
    shown = shown if len(shown) <= LONG else shown[: LONG - 1] + "…"
    match outcome:
        case Done():
            return f"{verb} {shown}", True
        case GiveUp(reason=reason):
            return f"{verb} {shown}: failed for good: {reason}", False
        case _:
            return f"{verb} {shown}: failed: {outcome.reason}", False


def _run(moved: Moved) -> tuple[str, bool]:
    match moved.what:
        case "waits":
            verb, now, until = moved.told
            at = duration_text(moved.at_s + until.since(now))
            return WAITS[verb].format(until=at), True
        case "starts":
            return "starts", True
        case "ends" | "does not start":
            why = f": {moved.told}" if moved.told else ""
            return moved.what + why, moved.told in ("done", "stopped", "restarted")
        case "stop":
            return f"stops: {moved.told[1]}", True
        case verb:
            state, reason = moved.told
            return f"{verb} {state}: {reason}", False
