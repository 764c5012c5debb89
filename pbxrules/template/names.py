"""Which names a template may use; a name that nothing gives is an error when rules load."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pbxrules.errors import did_you_mean
from pbxrules.template.problems import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name that a template uses, and the member it takes of it, where that is known."""

    name: str
    member: str | None
    line: int


def uses(references: Iterable[Reference]) -> frozenset[str]:
    """What *references* name, such as ``{"caller", "vars.lamps"}``."""
    return frozenset(
        one.name if one.member is None else f"{one.name}.{one.member}" for one in references
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that one rule's templates may use, beside ``fields`` and ``payload``."""

    fields: frozenset[str]
    """The event's fields; they have no members."""
    members: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """Other names (``vars``, ``secret``, ``rule``, results, …) to the members each has.

    ``None``: any member.  Empty: a text, number or list by itself.
    """

    def findings(self, references: Iterable[Reference]) -> list[Finding]:
        """What is wrong with *references*, each thing once."""
        found: dict[str, Finding] = {}
        for reference in references:
            for finding in self._wrong(reference):
                found.setdefault(finding.message, finding)
        return list(found.values())

    def _wrong(self, reference: Reference) -> Iterator[Finding]:
        name, member = reference.name, reference.member
        known = self._known_members(name)
        if name not in self.members and known is _UNKNOWN:
            near = did_you_mean(name, {*self.fields, *self.members, "fields", "payload"})
            yield Finding(
                code="unknown-name",
                message=f"'{name}' is no name that templates know",
                hint=near or f"a text stands in quotes: '{name}'",
                word=name,
                line=reference.line,
            )
        elif member is not None and known is not None and member not in known:
            yield Finding(
                code="unknown-name",
                message=f"'{name}' has no '{member}'",
                hint=did_you_mean(member, known) or DECLARED.get(name) or _only(name, known),
                word=member,
                line=reference.line,
            )

    def _known_members(self, name: str) -> frozenset[str] | None:
        if name in self.fields:
            return frozenset()
        if name == "fields":
            return self.fields
        if name == "payload":
            return None
        return self.members.get(name, _UNKNOWN)


_UNKNOWN = frozenset({"\0"})


DECLARED = {"secret": "declare it under 'secrets:' in the configuration"}
"""What to do where a name has no such member."""


def _only(name: str, known: Iterable[str]) -> str:
    listed = ", ".join(sorted(known)[:8])
    return f"it has {listed}" if listed else f"'{name}' is no map"
