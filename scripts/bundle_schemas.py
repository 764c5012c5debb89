"""Put the parts of ``schemas/rules.schema.json`` into it: ``make schemas``."""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from pbxrules.language import NOT_YET, bundle
from pbxrules.pbx.openvox import ACTIONS, FIELDS

SCHEMAS = Path(__file__).parent.parent / "schemas"


def bundled() -> str:
    """The text of ``rules.schema.json``."""
    base = json.loads((SCHEMAS / "parts" / "rules.schema.json").read_text("utf-8"))
    parts = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text("utf-8"))
        for path in (SCHEMAS / "parts" / "actions").glob("*.schema.json")
    }
    whole = bundle(base, parts)
    tell_editors(whole)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


# --- For editors ----------------------------------------------------------------------------
#
# Their language servers know no keyword of ours (x-…), but some beside JSON Schema's that began
# in VS Code: errorMessage, deprecationMessage, markdownDescription, defaultSnippets.  What comes
# of them is tested in tests/test_editor.py.

PLACES = {"operator": "operators"}
"""Where the keys of a kind are described, if not under its own name."""


def tell_editors(whole: dict[str, Any]) -> None:
    """Add to the schema *whole* what only editors make use of; it allows what it did before."""
    _describe_fields(whole["$defs"])
    _refuse_early_keys(whole)
    for part in _maps(whole):
        if part.get("additionalProperties") == {"$ref": "#/$defs/test"}:
            # Not among its properties: those are the words that stand beside fields.
            part["allOf"] = [{"$ref": "#/$defs/fields"}]
        if "x-wanted" in part and "properties" not in part:
            part["errorMessage"] = f"This is not {part['x-wanted']}."
        _offer_examples(part)
    for part in _maps(whole):
        there = whole["$defs"].get(part.get("$ref", "").removeprefix("#/$defs/"), {})
        if "description" in part and "markdownDescription" in there:
            part.setdefault("markdownDescription", part["description"])


def _describe_fields(defs: dict[str, Any]) -> None:
    """Say what each field is, and what each event."""
    for name, told in FIELDS.items():
        text = told.removesuffix(", …")
        known = defs["fields"]["properties"][name]
        known["description"] = f"{text[0].upper()}{text[1:]}."
    for name in ("test", "operators"):
        # An editor shows one description, and would take theirs for that of the field.
        del defs[name]["description"]
    events = {name: _sentence(SCHEMAS / "events" / f"{name}.schema.json") for name in ACTIONS}
    events["other"] = "What nobody knows yet."
    defs["events"] = {
        "defaultSnippets": [
            {"label": name, "body": name, "description": told} for name, told in events.items()
        ]
    }


def _sentence(path: Path) -> str:
    """The first sentence of a schema's description."""
    description = json.loads(path.read_text("utf-8"))["description"]
    return re.split("[.;] ", description)[0] + "."


def _refuse_early_keys(whole: dict[str, Any]) -> None:
    """Have what is not there yet underlined, and not offered."""
    for kind, keys in NOT_YET.items():
        place = whole if kind == "file" else whole["$defs"][PLACES.get(kind, kind)]
        for key in keys:
            place["properties"][key]["deprecationMessage"] = f"'{key}' is not in this release yet."


def _offer_examples(part: dict[str, Any]) -> None:
    """Offer maps, lists and templates as snippets.

    As examples yaml-language-server calls a map ``[object Object]``, and does not quote what
    has to be quoted.
    """
    examples = part.pop("examples", [])
    snippets = [
        example
        for example in examples
        if isinstance(example, dict | list) or str(example).startswith("{{")
    ]
    if len(snippets) < len(examples):
        part["examples"] = [example for example in examples if example not in snippets]
    if snippets:
        part["defaultSnippets"] = [
            {"label": _yaml(example, flow=True), "type": "object", "body": _body(example)}
            for example in snippets
        ]
        shown = "".join(f"\n\n```yaml\n{_yaml(example)}\n```" for example in snippets)
        part["markdownDescription"] = part["description"] + shown


def _body(value: Any) -> Any:
    """*value* as the body of a snippet, in which each text or number is a place to write over."""
    places = count(1)

    def place(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: place(value) for key, value in inner.items()}
        if isinstance(inner, list):
            return [place(value) for value in inner]
        text = _yaml(inner)
        for special in "\\$}":
            text = text.replace(special, f"\\{special}")
        return f"${{{next(places)}:{text}}}"

    return place(value)


def _yaml(value: Any, *, flow: bool = False) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text.removesuffix("...\n").strip()


def _maps(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in *value*, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _maps(inner)


if __name__ == "__main__":
    (SCHEMAS / "rules.schema.json").write_text(bundled(), "utf-8")
