"""What a JSON Schema says that a value may hold, so that a misspelt member is found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Members: TypeAlias = Mapping[str, "Members | None"]
"""What a map may hold, by name, and each one's own members; None: nobody says which."""

DEEPEST = 10
"""Maps inside one another that are looked into; a schema may refer to itself."""
MOST = 10_000
"""Parts of a schema that are looked at; what is behind them may hold anything."""
_BRANCHES = ("allOf", "anyOf", "oneOf", "if", "then", "else")
_OPEN = ("patternProperties", "unevaluatedProperties", "dependentSchemas", "$dynamicRef")
"""Keywords by which more may come than is listed."""


def members(schema: Any) -> Members | None:
    """What a value of *schema* may hold, by name; None where the schema does not list it.

    A schema lists what it has under ``properties``, also in its branches.  It is no list
    where it says that other members may come: by ``additionalProperties``, unless that is
    false, and the like.
    """
    return _Walk(schema).members([schema], 0)


def joined(lists: Iterable[Members | None]) -> Members | None:
    """What a value may hold that is one of several; None if one of *lists* is."""
    whole: dict[str, Members | None] = {}
    for listed in lists:
        if listed is None:
            return None
        for name, inner in listed.items():
            whole[name] = joined((whole[name], inner)) if name in whole else inner
    return whole


class _Walk:
    """One walk over a schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = MOST

    def members(self, schemas: Sequence[Any], depth: int) -> Members | None:
        """What a value may hold that all or some of *schemas* are about."""
        told = list(self._told(schemas, 0)) if depth < DEEPEST else []
        if not told or self._left <= 0 or any(_is_open(schema) for schema in told):
            return None
        listed: dict[str, list[Any]] = {}
        for schema in told:
            for name, inner in _map(schema.get("properties")).items():
                listed.setdefault(name, []).append(inner)
        if not listed and any(_may_be_map(schema) for schema in told):
            return None
        return {name: self.members(inner, depth + 1) for name, inner in listed.items()}

    def _told(self, schemas: Sequence[Any], depth: int) -> Iterator[Mapping[str, Any]]:
        """*schemas*, their branches, and what they refer to."""
        for schema in schemas if depth < DEEPEST else ():
            self._left -= 1
            if not isinstance(schema, Mapping) or self._left <= 0:
                continue
            yield schema
            for word in _BRANCHES:
                branch = schema.get(word, [])
                yield from self._told(branch if isinstance(branch, list) else [branch], depth + 1)
            if "$ref" in schema:
                yield from self._told([self._referred(str(schema["$ref"]))], depth + 1)

    def _referred(self, reference: str) -> Any:
        """What ``#/$defs/x`` is; one that is open where it is not of this form."""
        found = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = _map(found).get(step.replace("~1", "/").replace("~0", "~"))
        return found if reference.startswith("#/") else {"additionalProperties": True}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_open(schema: Mapping[str, Any]) -> bool:
    more = schema.get("additionalProperties", False)
    return more is not False or any(word in schema for word in _OPEN)


def _may_be_map(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", "object")
    scalar = isinstance(schema.get("const"), str)
    return "object" in (kinds if isinstance(kinds, list) else [kinds]) and not scalar
