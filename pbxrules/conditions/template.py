"""A condition that is a template: true or false, and anything else does not hold."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.leaves import SHOWN, leaf
from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path
from pbxrules.template import (
    Context,
    Instant,
    Scope,
    TemplateError,
    compile_template,
    rule_vars,
    template_fault,
    variables_used,
)

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Reader


def read(source: str, path: Path, reader: "Reader") -> Iterator[Condition]:
    """The condition that the template *source* is true."""
    try:
        template = compile_template(source, Context.CONDITION, reader.names)
    except TemplateError as exc:
        reader.faults += [template_fault(problem, path) for problem in exc.problems]
        return
    reader.used.names |= template.uses
    given = reader.variables or {}
    variables = rule_vars({name: given[name] for name in variables_used(template.uses, given)})
    rule, zone = {"id": reader.rule}, reader.language.zone

    def holds(facts: Facts) -> bool:
        extras: dict[str, Any] = {
            **facts.names,
            "rule": rule,
            "trigger": {"id": facts.trigger},
            "now": Instant(facts.wall_s, zone),
        }
        event = facts.event
        scope = Scope(fields=event.fields, payload=event.payload, vars=variables, extras=extras)
        return bool(template.render(scope))

    shown = _shown(source)

    def miss(_: Facts, *, wanted: bool) -> Miss:
        return Miss(shown, found="false") if wanted else Miss(shown, "false", "true")

    yield leaf(shown, holds, miss)


def _shown(source: str) -> str:
    """The template on one line, and not too long of it."""
    words = " ".join(source.split())
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 3]}…}}}}"
