"""A condition that is a template: true or false, and anything else does not hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.leaves import SHOWN, Leaf
from pbxrules.model import NOTHING, Condition, Facts, Miss
from pbxrules.schema import Path
from pbxrules.template import (
    Context,
    Instant,
    RenderError,
    RuleVars,
    Scope,
    Template,
    TemplateError,
    compile_template,
    plain,
    rule_vars,
    template_fault,
    variables_used,
)

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class ByTemplate(Leaf):
    """Holds if a template gives true."""

    says: str
    template: Template
    variables: RuleVars
    rule: str
    zone: tzinfo

    def is_true(self, facts: Facts) -> bool:
        """Whether it gives true.

        Raises:
            RenderError: It gives anything but true or false, or nothing.
        """
        return bool(self.template.render(self._scope(facts)))

    def values(self, facts: Facts) -> dict[str, Any]:
        """What each name that it uses stands for, as JSON has it; None where that is absent."""
        # Not above: Jinja2 is imported only where a rule has a template.
        from pbxrules.template.access import value_of

        scope = self._scope(facts)
        return {name: _as_json(value_of(name, scope)) for name in sorted(self.template.uses)}

    def _scope(self, facts: Facts) -> Scope:
        extras: dict[str, Any] = {
            **facts.names,
            "rule": {"id": self.rule},
            "trigger": {"id": facts.trigger},
            "now": Instant(facts.wall_s, self.zone),
        }
        fields, payload = facts.event.fields, facts.event.payload
        return Scope(fields, payload, self.variables, NOTHING, extras)

    def miss(self, _: Facts, *, wanted: bool) -> Miss:
        """The template, and what it gave."""
        return Miss(self.says, found="false") if wanted else Miss(self.says, "false", "true")


def _as_json(value: object) -> Any:
    try:
        return plain(value)
    except RenderError as exc:  # too long to be told
        return f"({exc})"


def read(source: str, path: Path, reader: "Reader") -> Iterator[Condition]:
    """The condition that the template *source* gives true."""
    try:
        template = compile_template(source, Context.CONDITION, reader.names)
    except TemplateError as exc:
        reader.faults += [template_fault(problem, path) for problem in exc.problems]
        return
    reader.used.names |= template.uses
    given = reader.variables or {}
    used = variables_used(template.uses, given)
    yield ByTemplate(
        says=_shown(source),
        template=template,
        variables=rule_vars({name: given[name] for name in used}),
        rule=reader.rule,
        zone=reader.language.zone,
    )


def _shown(source: str) -> str:
    """The template on one line, and not too long of it."""
    words = " ".join(source.split())
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 3]}…}}}}"
