"""Which names a template may use; a name that nothing gives is an error when rules load."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pbxrules.errors import did_you_mean
from pbxrules.members import Members
from pbxrules.template.problems import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name that a template uses, and which member of it, and of that, as far as written."""

    name: str
    path: tuple[str, ...]
    line: int

    @property
    def member(self) -> str | None:
        """The member of the name itself; None where the name stands alone."""
        return self.path[0] if self.path else None


def uses(references: Iterable[Reference]) -> frozenset[str]:
    """What *references* name, such as ``{"caller", "vars.lamps"}``."""
    return frozenset(
        one.name if one.member is None else f"{one.name}.{one.member}" for one in references
    )


def variables_used(used: frozenset[str], variables: Iterable[str]) -> frozenset[str]:
    """Those of *variables* that a template with these ``uses`` may look at.

    All of them where the call says which, as in ``vars[extension]``.
    """
    return frozenset(name for name in variables if {"vars", f"vars.{name}"} & used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that one rule's templates may use, beside ``fields`` and ``payload``."""

    fields: frozenset[str]
    """The event's fields; they have no members."""
    members: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """Other names (``vars``, ``secret``, ``rule``, results, …) to the members each has.

    ``None``: any member.  Empty: a text, number or list by itself.
    """
    payload: Members | None = None
    """What the report may hold."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Names that are known in other places only, and where."""
    withheld: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Members that a name would have if no secret had been told there."""

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
        if name == "payload":
            yield from self._wrong_in_payload(reference)
        elif name in self.elsewhere and known is _UNKNOWN:
            yield Finding(
                code="unknown-name",
                message=f"'{name}' is not known here",
                hint=self.elsewhere[name],
                word=name,
                line=reference.line,
            )
        elif name not in self.members and known is _UNKNOWN:
            yield Finding(
                code="unknown-name",
                message=f"'{name}' is no name that templates know",
                hint=self._instead(name),
                word=name,
                line=reference.line,
            )
        elif member is not None and known is not None and member not in known:
            yield self._wrong_member(reference, member, known)

    def _wrong_member(self, reference: Reference, member: str, known: frozenset[str]) -> Finding:
        name = reference.name
        if member in self.withheld.get(name, ()):
            message = f"'{name}' keeps no '{member}'"
            hint = "its action uses a secret, which the answer may repeat"
        else:
            message = f"'{name}' has no '{member}'"
            hint = did_you_mean(member, known) or MEMBERS.get(name) or _only(name, known)
        return Finding(
            code="unknown-name", message=message, hint=hint, word=member, line=reference.line
        )

    def _instead(self, name: str) -> str:
        """What to write for *name*, which nothing has."""
        if name in OTHER_NAMES:
            return OTHER_NAMES[name]
        if name in (self.members.get("vars") or ()):
            return f"write vars.{name}"
        known = {*self.fields, *self.members, "fields", "payload"}
        return did_you_mean(name, known) or f"a text stands in quotes: '{name}'"

    def _wrong_in_payload(self, reference: Reference) -> Iterator[Finding]:
        unknown = unknown_member(self.payload, reference.path)
        if unknown is not None:
            yield Finding(
                code="unknown-member",
                message=unknown.message,
                hint=unknown.hint,
                word=unknown.name,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMember:
    """A member of the report that no schema of it lists."""

    name: str
    message: str
    hint: str


def unknown_member(members: Members | None, path: Sequence[str]) -> UnknownMember | None:
    """The first of *path*, a way into the report, that *members* do not list; None if all are."""
    whole = "payload"
    for name in path:
        if members is None:
            return None
        if name not in members:
            message = f"'{whole}' has no '{name}'"
            hint = did_you_mean(name, members) or _only(whole, members)
            return UnknownMember(name=name, message=message, hint=hint)
        members = members[name]
        whole = f"{whole}.{name}"
    return None


_UNKNOWN = frozenset({"\0"})


CALL: Final[Mapping[str, str]] = {
    "id": "its key",
    "sure": "no other call comes into question",
    "answered": "somebody answered, this event included",
    "caller": "who calls",
    "callee": "who is called",
    "extensions": "all extensions that it rang or that took part",
    "started": "when its first report came",
    "ended": "when it ended; null while it goes on",
}
"""The members of ``call``: a table from which the docs are made."""

NAMED = {
    "fields": ("All fields of the event, as one map.", "{{ fields }}"),
    "payload": ("The report as it was sent.", "{{ payload.inbound.trunk }}"),
    "call": (
        "The call that the event belongs to, as far as it is known by then.",
        "{{ call.answered }}",
    ),
    "state": ("What the rule set remembers, see `state` of a file.", "{{ state.guard }}"),
    "vars": ("The variables of the rule and of the configuration.", "{{ vars.lamps[extension] }}"),
    "secret": ("The secrets of the configuration; in actions alone.", "{{ secret.ntfy }}"),
    "rule": ("The rule: its `id`.", "{{ rule.id }}"),
    "trigger": ("The trigger that fits: its `id`, else its place from 1.", "{{ trigger.id }}"),
    "now": ("The moment, by the wall clock of the configured zone.", "{{ now.hour }}"),
    "outcome": (
        "How the run ended: done, failed, expired, stopped or restarted; in `finally` alone.",
        "{{ outcome }}",
    ),
}
"""What a template may name beside the event's fields, with an example; for the docs."""

MEMBERS = {
    "secret": "declare it under 'secrets:' in the configuration",
    "state": "declare it under 'state:'",
    "vars": "declare it under 'variables:' of the rule, or in the configuration",
    "trigger": "it has id; what the report tells stands by itself, as {{ caller }}",
}
"""What to do where a name has no such member."""

OTHER_NAMES = {
    "value_json": "write 'payload', which is the report as sent",
    "value": "write 'payload', which is the report as sent",
    "event_data": "write 'fields', or a field by itself, as {{ caller }}",
    "data": "write 'fields', or a field by itself, as {{ caller }}",
    "this": "write 'rule.id'",
    "env": "in a shell text write $NAME; in templates declare a variable or a secret",
    "from": "write 'caller'", "number": "write 'caller'", "caller_id": "write 'caller'",
    "to": "write 'callee'", "exten": "write 'extension'", "ext": "write 'extension'",
    "null": "write 'none'",
}  # fmt: skip
"""What to write for words of other systems."""


def _only(name: str, known: Iterable[str]) -> str:
    listed = ", ".join(sorted(known)[:8])
    return f"it has {listed}" if listed else f"'{name}' is no map"
