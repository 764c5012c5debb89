"""Actions: a verb with its arguments, and how it is tried."""

from collections.abc import Mapping
from functools import lru_cache
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
    args = _arguments(verb, step, path, steps)
    uses = [
        name for value in (args or {}).values() if isinstance(value, Tree) for name in value.uses
    ]
    secret = any(name.startswith("secret.") for name in uses)
    withheld = verb.said if secret else frozenset()
    register = steps.register(step, path, verb.result - withheld, withheld)
    if args is None:
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


def _arguments(
    verb: Verb, step: Mapping[str, Any], path: Path, steps: "Steps"
) -> dict[str, Any] | None:
    """The verb's arguments with their templates; None where something is wrong with them."""
    args = verb.arguments(step)
    before = len(steps.reader.faults)
    for name, context in verb.templates.items():
        if name in args:
            at = (*path, *(verb.path_of(name, step) or ()))
            args[name] = steps.tree(args[name], context, at)
    if verb.name == "shell" and len(steps.reader.faults) == before:
        variables = steps.reader.variables
        steps.reader.faults += command_faults(step, path, steps.names, variables)
    return args if len(steps.reader.faults) == before else None


def _retry(verb: Verb, step: Mapping[str, Any], *, on_and_on: bool) -> Retry:
    usual = {**verb.retry, "attempts": None} if on_and_on else verb.retry
    retry = {**usual, **step.get("retry", {})}
    return _shared(retry.get("attempts"), retry["delay"], retry["max_delay"])


@lru_cache(maxsize=1024)
def _shared(attempts: int | None, delay: str, max_delay: str) -> Retry:
    """Kept once: nearly all rules say the same of it, or nothing."""
    return Retry(attempts=attempts, delay_s=duration_s(delay), max_delay_s=duration_s(max_delay))


def _expires_s(written: str, *, last: bool) -> float | None:
    if written == "never":
        return FINALLY_S if last else None
    return min(duration_s(written), FINALLY_S) if last else duration_s(written)
