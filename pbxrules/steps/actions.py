"""Actions: a verb with its arguments, and how it is tried."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.language import Verb, duration_s
from pbxrules.model import Retry, Step
from pbxrules.schema import Path
from pbxrules.steps.commands import command_faults
from pbxrules.template import Tree

if TYPE_CHECKING:
    from pbxrules.steps.reading import Steps

DEFAULT_EXPIRES = "60s"
DEFAULT_TIMEOUT = "10s"
FINALLY_S = 3600.0
"""How long an action of ``finally`` is tried at most: the siren that is on must go off."""


def read(verb: Verb, step: Mapping[str, Any], path: Path, steps: "Steps") -> Step | None:
    """The action *step*; None where something is wrong with it."""
    args = verb.arguments(step)
    good = True
    for name, context in verb.templates.items():
        if name in args:
            tree = steps.tree(args[name], context, (*path, *(verb.path_of(name, step) or ())))
            good = good and tree is not None
            args[name] = tree
    if verb.name == "shell" and good:
        found = list(command_faults(step, path, steps.names, steps.reader.variables))
        steps.reader.faults += found
        good = not found
    secret = any(
        name.startswith("secret.")
        for value in args.values()
        if isinstance(value, Tree)
        for name in value.uses
    )
    withheld = verb.said if secret else frozenset()
    register = steps.register(step, path, verb.result - withheld, withheld)
    if not good:
        return None
    last = steps.in_finally
    return Step(
        verb=verb.name,
        args=args,
        timeout_s=duration_s(step.get("timeout", DEFAULT_TIMEOUT)),
        retry=_retry(verb, step, on_and_on=last),
        expires_s=_expires_s(step.get("expires", "never" if last else steps.expires), last=last),
        continue_on_error=last or step.get("continue_on_error", False),
        uses_secret=secret,
        register=register,
        vars=steps.variables,
    )


def _retry(verb: Verb, step: Mapping[str, Any], *, on_and_on: bool) -> Retry:
    usual = {**verb.retry, "attempts": None} if on_and_on else verb.retry
    retry = {**usual, **step.get("retry", {})}
    return Retry(
        attempts=retry.get("attempts"),
        delay_s=duration_s(retry["delay"]),
        max_delay_s=duration_s(retry["max_delay"]),
    )


def _expires_s(written: str, *, last: bool) -> float | None:
    if written == "never":
        return FINALLY_S if last else None
    return min(duration_s(written), FINALLY_S) if last else duration_s(written)
