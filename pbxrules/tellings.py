"""What is told of actions in the log, and what must not be told: the values of secrets."""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pbxrules.memory import TIMED, Whole, rest_of
from pbxrules.model import NOTHING, Done, Outcome, Run

logger = logging.getLogger("pbxrules.actions")


def names(secrets: Mapping[str, str]) -> Mapping[str, str]:
    """The words that stand for each secret where people read."""
    return {name: f"{{{{ secret.{name} }}}}" for name in secrets}


def discreet(outcome: Outcome, secrets: Mapping[str, str]) -> Outcome:
    """*outcome*, with the names of secrets in place of their values."""
    words = {secrets[name]: word for name, word in names(secrets).items() if secrets[name]}
    if not words:
        return outcome
    # The longest first, and all at once: one may be a part of another, or of a name.
    anyone = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))

    def hide(value: Any) -> Any:
        match value:
            case str():
                return anyone.sub(lambda found: words[found[0]], value)
            case Mapping():
                return {hide(key): hide(inner) for key, inner in value.items()}
            case list():
                return [hide(inner) for inner in value]
            case _:
                return value

    result = hide(outcome.result) if outcome.result else NOTHING
    if isinstance(outcome, Done):
        return Done(detail=hide(outcome.detail), result=result)
    return replace(outcome, reason=hide(outcome.reason), result=result)


def log_step(before: Whole, after: Run) -> None:
    """One line for what became of an action, or of a try that failed."""
    told = before.run
    fields: dict[str, object] = {
        "event": told.event_id, "rule": told.rule, "action": told.verb,
    }  # fmt: skip
    if rest_of(after) == rest_of(told) and told.verb not in TIMED:
        fields["next"] = f"{after.next_try.since(told.due):.1f}s after it was due"
        logger.info("action failed, is tried again", extra={"fields": fields})
        return
    # Only the last ones are kept: where they are is no sign of what is new.
    known = {id(tried) for tried in told.tried}
    for tried in after.tried:
        if id(tried) in known or tried.verb in TIMED:
            continue
        fields["action"] = tried.verb
        if tried.state != "done":
            why = fields | {"why": tried.reason}
            logger.warning("action %s", tried.state, extra={"fields": why})
        elif logger.isEnabledFor(logging.DEBUG):
            logger.debug("action done", extra={"fields": fields | {"detail": tried.reason}})
