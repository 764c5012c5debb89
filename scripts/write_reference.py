"""Write the pages of ``docs`` that are made from the code's tables: ``make docs``."""

# Over 300 lines: one function for each chapter.

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pbxrules import config
from pbxrules.codes import SECTIONS
from pbxrules.hints import example
from pbxrules.language import bundle, controls, verbs
from pbxrules.pbx.tables import ACTIONS, FIELDS, SOURCES, WAY_FIELDS, WAYS
from pbxrules.template import CALL, FILTERS, INSTANT, TESTS, Context
from pbxrules.template.names import NAMED
from pbxrules.testing.bundling import bundle_tests

ROOT = Path(__file__).parent.parent
SCHEMAS = ROOT / "schemas"
MISTAKES = ROOT / "tests" / "data" / "rules"
MADE = (
    "<!-- Made by `make docs` from the tables of the code: change those, and not this file. -->\n"
)

Part = Mapping[str, Any]


def rules_schema() -> dict[str, Any]:
    """The schema of a rule file with all its examples, put together from its parts."""

    def documents(folder: Path) -> dict[str, Any]:
        files = sorted(folder.glob("*.schema.json"))
        return {
            p.name.removesuffix(".schema.json"): json.loads(p.read_text("utf-8")) for p in files
        }

    parts = SCHEMAS / "parts"
    files = documents(parts)
    base = files.pop("rules")
    kinds = {kind: documents(parts / kind) for kind in ("actions", "steps", "conditions")}
    return bundle(base, **kinds, files=files)


# --- Markdown ------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", r"\|") for cell in row] for row in lines)
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def code(text: str) -> str:
    """*text* as code, whatever backticks are in it."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def listed(words: Iterable[str]) -> str:
    """*words* as code, one after another."""
    return ", ".join(map(code, words))


# --- Keys -----------------------------------------------------------------------------------

TYPES = {
    "string": "text", "number": "a number", "integer": "a whole number",
    "boolean": "`true` or `false`", "array": "a list", "object": "a map", "null": "null",
}  # fmt: skip


class Keys:
    """The tables of the keys of one schema."""

    def __init__(self, document: Part) -> None:
        self.document = document

    def resolved(self, part: Part) -> dict[str, Any]:
        """*part* with what it refers to."""
        name = part.get("$ref", "").removeprefix("#/$defs/")
        return {**self.document["$defs"].get(name, {}), **part} if name else dict(part)

    def table(self, part: Part, but: Iterable[str] = ()) -> str:
        """The keys of *part*, *but* for some."""
        required = part.get("required", ())
        rows = [
            (
                code(key) + (" (must be there)" if key in required else ""),
                self.takes(self.resolved(inner)),
                self.described(self.resolved(inner)),
            )
            for key, inner in part["properties"].items()
            if key not in but
        ]
        return table(("key", "takes", "what it is"), rows)

    def takes(self, part: Part) -> str:
        """What may stand behind a key."""
        if "enum" in part:
            return " ".join(dict.fromkeys(code(str(option)) for option in part["enum"]))
        if "x-wanted" in part:
            return str(part["x-wanted"])
        kinds = part.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return " or ".join(TYPES[kind] for kind in kinds) or "any value"

    def described(self, part: Part) -> str:
        """The description and an example."""
        told = str(part.get("description", ""))
        if "examples" in part:
            told += f" Such as {code(example(part['examples'][0]))}."
        if "default" in part:
            told += f" Default: {code(str(part['default']))}."
        return told.strip()


# --- Chapters of the reference ----------------------------------------------------------------


def _rule_file(keys: Keys) -> Iterator[str]:
    yield "## A rule file\n"
    yield keys.table(keys.document)
    yield "## A rule\n"
    yield keys.table(keys.document["$defs"]["rule"])


def _triggers(keys: Keys) -> Iterator[str]:
    parts = keys.document["$defs"]
    yield "## Triggers\n"
    yield f"{parts['triggers']['description']} Beside field tests may stand:\n"
    yield keys.table(parts["trigger"])
    yield "`count` is a map:\n"
    yield keys.table(parts["trigger"]["properties"]["count"])
    yield "## Field tests\n"
    yield (
        "`FIELD: test`. "
        f"{parts['test']['description']} A number stands for its digits as written: `0112` is"
        " `0112`. On a field that is a list one element has to pass all of a test.\n"
    )
    rows = [
        (code(name), _operators_example(keys.resolved(part)), part["description"])
        for name, part in parts["operators"]["properties"].items()
    ]
    yield table(("operator", "such as", "holds if"), rows)


def _operators_example(part: Part) -> str:
    if part.get("type") == "boolean":
        return "`true`"
    return listed(map(example, part.get("examples", ())))


def _conditions(keys: Keys) -> Iterator[str]:
    parts = keys.document["$defs"]
    yield "## Conditions\n"
    yield f"{parts['conditions']['description']} {parts['condition']['description']}\n"
    yield keys.table(parts["condition"])
    yield "## Times\n"
    yield f"{keys.document['properties']['times']['description']} {parts['time']['description']}\n"
    yield keys.table(parts["time"])


def _events(_: Keys) -> Iterator[str]:
    yield "## Events\n"
    described = {event: _first_sentence(event) for event in ACTIONS}
    rows = [(code(event), code(word), described[event]) for event, word in ACTIONS.items()]
    rows.append(("`other`", "any other", "What nobody knows yet; its name is in `action`."))
    yield table(("event", "the PBX's word", "when"), rows)


def _first_sentence(event: str) -> str:
    schema = json.loads((SCHEMAS / "events" / f"{event}.schema.json").read_text("utf-8"))
    return re.split(r"(?<=\.) ", schema["description"])[0]


def _fields(_: Keys) -> Iterator[str]:
    yield "## Fields\n"
    yield (
        "A field that a report does not tell is absent: it fails every test but `exists: false` and"
        " `not`. `payload.NAME` reaches what the report has beside these.\n"
    )
    yield table(("field", "what it is"), [(code(name), what) for name, what in FIELDS.items()])
    yield "### Which event has which field\n"
    yield (
        "By the way that its call goes: **int**ernal, **in**bound or **out**bound; a dot stands for"
        " all of the event's ways, or where it has none. Besides, every event has `event`, `action`"
        " and `received_at`, and what names no parties has no `extensions`.\n"
    )
    names = [name for name in FIELDS if name not in ("event", "action", "received_at")]
    rows = [[code(name), *(_ways(event, name) for event in ACTIONS)] for name in names]
    yield table(("field", *map(code, ACTIONS)), rows)
    yield "### Who is who\n"
    yield (
        "What of the report becomes these three; `ext.0` is the first extension that it names,"
        " `ext.1` the second.\n"
    )
    people = ("caller", "callee", "extension")
    rows = [
        [code(event), way if way != "none" else "", *(_source(row, name) for name in people)]
        for (event, way), row in SOURCES.items()
        if event in ACTIONS and any(name in row for name in people)
    ]
    yield table(("event", "way", *map(code, people)), rows)


def _ways(event: str, name: str) -> str:
    short = {"internal": "int", "inbound": "in", "outbound": "out", "none": ""}
    ways = [way for way in WAYS if (event, way) in WAY_FIELDS]
    has = [way for way in ways if name in WAY_FIELDS[event, way]]
    if has and {*has} >= {way for way in ways if way != "none" or len(ways) == 1}:
        return "•"
    return " ".join(short[way] for way in has)


def _source(row: Mapping[str, str], name: str) -> str:
    return " or ".join(map(code, row[name].split("|"))) if name in row else ""


def _actions(keys: Keys) -> Iterator[str]:
    parts = keys.document["$defs"]
    known = verbs(keys.document)
    yield "## Actions\n"
    yield "One verb to an action. Beside it may stand:\n"
    steering = controls(keys.document)
    beside = {key for name in (*known, *steering) for key in parts[name].get("x-beside", ())}
    yield keys.table(parts["step"], {*known, *steering, *beside, "else"})
    retry = parts["step"]["properties"]["retry"]
    yield "`retry` is a map:\n"
    yield keys.table(retry)
    for name, verb in known.items():
        part = parts[name]
        yield f"### {name}\n"
        yield f"{part['description']}\n"
        yield "".join(f"    - {name}: {example(one)}\n" for one in part["examples"])
        if "properties" in part:
            yield keys.table(part)
        if "x-beside" in part:
            yield f"Beside `{name}` may stand:\n"
            yield keys.table({"properties": part["x-beside"]})
        if "x-result" in part:
            yield _result(part)
        yield _tried(verb.retry) + " " + _contexts(verb.templates)


def _result(part: Part) -> str:
    """What ``register`` keeps."""
    told = "; ".join(f"`{name}`: {what}" for name, what in part["x-result"].items())
    return f"`register` keeps {told}.\n"


def _steering(keys: Keys) -> Iterator[str]:
    parts = keys.document["$defs"]
    yield "## What steers\n"
    yield (
        "In the place of a verb an action may have one of these words. What the lists in them hold"
        " are actions again.\n"
    )
    beside = parts["step"]["properties"]
    for name in controls(keys.document):
        part = keys.resolved(parts[name])
        yield f"### {name}\n"
        yield f"{part['description']}\n"
        yield "".join(f"    - {name}: {example(one)}\n" for one in part["examples"])
        if "x-beside" not in parts[name] and "properties" in part:
            yield keys.table(part)
        if "properties" in part.get("items", {}):
            yield "Of each entry:\n"
            yield keys.table(part["items"])
        shared = {key: beside[key] for key in part["x-shared"]}
        if own := {**part.get("x-beside", {}), **shared}:
            yield f"Beside `{name}` may stand:\n"
            yield keys.table({"properties": own})
        if "x-result" in part:
            yield _result(part)


def _state(keys: Keys) -> Iterator[str]:
    parts = keys.document["properties"]
    yield "## State\n"
    yield f"{parts['state']['description']}\n"
    yield f"    state: {example(parts['state']['examples'][0])}\n"
    first = keys.document["$defs"]["first_value"]
    yield keys.table({"properties": first["properties"]})
    yield "## Scripts\n"
    yield f"{parts['scripts']['description']}\n"
    yield f"    scripts: {example(parts['scripts']['examples'][0])}\n"


def _tried(retry: Mapping[str, Any]) -> str:
    if retry.get("attempts") == 1:
        return "It is tried once, unless `retry` says more."
    delay, longest = retry["delay"], retry["max_delay"]
    return f"It is tried until it expires, first after {delay}, then up to every {longest}."


def _contexts(contexts: Mapping[str, Context]) -> str:
    told = [f"`{name}` ({context.value})" for name, context in contexts.items()]
    return f"Templates may stand in {', '.join(told)}.\n"


def _templates(_: Keys) -> Iterator[str]:
    yield "## Templates\n"
    yield (
        "`{{ … }}` holds names, texts and numbers, comparisons, `and or not in`, `+ - / // %`,"
        " `a if test else b`, filters and tests. There are no statements, loops and calls. A text"
        " that is one single `{{ … }}` keeps its value's type. Where a template stands decides what"
        " becomes of a call's text:\n"
    )
    yield table(("it stands in", "a call's text", "an absent field"), _CONTEXTS)
    yield "### Names\n"
    rows = [(code(name), what, code(sample)) for name, (what, sample) in NAMED.items()]
    yield "Every [field](#fields) by its name, and:\n"
    yield table(("name", "what it is", "such as"), rows)
    yield "Of `call`:\n"
    yield table(
        ("member", "what it is"), [(code(f"call.{name}"), what) for name, what in CALL.items()]
    )
    yield "Of `now`:\n"
    rows = [(code(f"now.{n}"), m.doc, code(str(m.example))) for n, m in INSTANT.items()]
    yield table(("member", "what it is", "such as"), rows)
    yield "### Filters\n"
    yield table(
        ("filter", "what it gives", "such as", "gives"),
        [(code(n), f.doc, code(f.example), code(str(f.gives))) for n, f in FILTERS.items()],
    )
    yield "### Tests\n"
    yield table(
        ("test", "holds if", "such as", "gives"),
        [(code(f"is {n}"), t.doc, code(t.example), _truth(t.gives)) for n, t in TESTS.items()],
    )


def _truth(value: bool) -> str:  # noqa: FBT001 - what a test gives
    return f"`{value}`".lower()


_CONTEXTS = [
    ("a value (JSON)", "goes in as it is", "is null"),
    ("a text", "goes in as it is", "is empty"),
    ("a topic", "is percent-encoded: `% + # / $` and control characters", "the action fails"),
    ("a URL", "is percent-encoded: all but `A-Za-z0-9-._~`", "the action fails"),
    ("an argument", "can't begin with `-`", "the action fails"),
    ("a condition", "is compared", "is false"),
]


def _configuration(_: Keys) -> Iterator[str]:
    document = json.loads((SCHEMAS / "config.schema.json").read_text("utf-8"))
    keys = Keys(document)
    yield "## Configuration\n"
    yield (
        "A file (`--config`, `PBXRULES_CONFIG`, else `/etc/pbxrules/pbxrules.yaml`), variables of"
        " the environment, and flags, of which the last counts.\n"
    )
    rows = []
    for name, path in config.variables().items():
        part: Part = document
        for key in path:
            part = keys.resolved(keys.resolved(part)["properties"][key])
        if "properties" not in part:
            told = keys.described(part)
            rows.append((code(".".join(map(str, path))), code(name), keys.takes(part), told))
    yield table(("key", "variable", "takes", "what it is"), rows)


CHAPTERS: Sequence[Callable[[Keys], Iterator[str]]] = (
    _rule_file, _triggers, _events, _fields, _conditions, _actions, _steering, _state, _templates,
    _configuration,
)  # fmt: skip


def reference() -> str:
    """The text of ``docs/reference.md``."""
    keys = Keys(rules_schema())
    chapters = "\n".join(text for chapter in CHAPTERS for text in chapter(keys))
    contents = "".join(
        f"- [{title}](#{title.lower().replace(' ', '-')})\n"
        for title in re.findall(r"^## (.+)$", chapters, re.MULTILINE)
    )
    return (
        f"{MADE}\n# Reference\n\nEvery key, field, operator, action, filter and name, and what"
        " each is. How they play together is in the [README](../README.md); what"
        " `pbxrules check` says is in [Problems](problems.md).\n\n"
        f"{contents}\n{chapters}"
    )


# --- Tests -------------------------------------------------------------------------------------

INTRODUCTION = """\
Tests of rules stand beside them, in files `*.test.yaml`, and are about the rules of their own
folder. [Test your rules](../README.md#test-your-rules) is the short way in. `pbxrules test`
runs them by the code of the daemon, on a virtual clock and without a broker: nothing is sent,
and an hour takes a millisecond. `pbxrules check` says what is wrong with them as with rules.
"""

TEMPLATES_OF_TESTS = """\
`{{ name }}` of `cases` may stand in all of a test but its `name`; filters and tests are those
of [rules](reference.md#templates). The numbers of `cases` are their digits, so compare them
with texts: `{{ 1 if caller == '101' else 0 }}`. What is one single `{{ … }}` keeps its kind:
`null` leaves a field out.
"""

MOMENTS = """\
Every event counts, also one that the daemon would take for a report that is sent again. All
times count from the start. What is due at a moment goes before an event of that moment. Tries
take no time, and the delay between two is the whole of what `retry` says. After the last event
the clock runs until nothing waits, at most 24 hours; an event later on lets it run longer.
"""

COMPARED = """\
Of a map only what is written is compared, a list as a whole. A payload compares as it is sent:
`1` and `"1"` are the same, and a text that is JSON is that. Inside JSON `1` is a number and
`"1"` a text. An action counts when it is first tried, whatever comes of that; further tries of
it are the same action. A run starts when its first step does: what waits for `for`, or in its
lane, has not started.
"""

ANSWERED = """\
Without `answers` every action succeeds at once: a command ends with 0, a request is answered by
200. What an `exit_code` or a `status` means for the action is as in the daemon. `{fails: why}`
is no answer at all. Messages wait while the broker is down (`{at: 5s, broker: down}`), and
expire as they do in the daemon. A secret is the text `secret.NAME` here: no test needs its
value, and none shows it. In expectations it is `{{ secret.NAME }}`.
"""

COMMAND = """\
    pbxrules test                     # the tests of the configured rules
    pbxrules test rules --run siren   # the cases with siren in their names (* and ? are patterns)
    pbxrules test rules/night.test.yaml -x
    pbxrules test rules --watch       # again after each change, until Ctrl-C
    pbxrules test rules --min-coverage 100 --junit report.xml

| exit code | |
| --- | --- |
| 0 | all is as expected |
| 1 | a case failed, or less was covered than `--min-coverage` asks for |
| 2 | the command line, the configuration, a rule or a test can't be used, or there is no test |

Of a case that failed is told what was expected, what came, why a rule did not fire (the nearest
miss first), and all that happened. Coverage counts rules that fired and branches that were
taken: both ways of an `if`, each branch of a `choose` and that none held, a round of a `repeat`
with `while`, a second one with `until`, the event and the end of a `wait_for`, and `finally`.

`--json` prints one object, to which keys are only ever added:

    {"cases": 2, "failed": 1, "seconds": 0.01,
     "files": [{"file": "rules/hall-lamp.test.yaml", "cases": [
       {"name": "the lamp burns (extension 101)", "test": "the lamp burns",
        "given": {"extension": "101"}, "line": 3, "column": 11, "passed": false,
        "failures": [{"message": "expected …", "line": 8, "column": 9,
                      "came": ["…"], "because": ["…"]}],
        "notes": [],
        "timeline": [{"at_s": 0.0, "kind": "event", "rule": "", "text": "ring …"}]}]}],
     "coverage": {"percent": 87.5, "rules": 3, "branches": 5,
       "never_fired": [{"rule": "…", "file": "…", "line": 4, "column": 9}],
       "never_taken": [{"rule": "…", "file": "…", "line": 4, "column": 9,
                        "position": "actions/1", "why": "…"}]}}

A timeline's `kind` is `event`, `broker`, `run`, `action` or `state`; it is empty where nothing
failed.
"""


def tests_page() -> str:
    """The text of ``docs/tests.md``."""
    keys = Keys(tests_schema())
    parts = keys.document["$defs"]
    fields = set(FIELDS)
    verbs_of = [name.removeprefix("expected_") for name in parts if name.startswith("expected_")]
    text = f"{MADE}\n# Tests of rules\n\n{INTRODUCTION}\n## A test\n\n"
    text += keys.table(parts["a_test"]) + f"\n### Templates in tests\n\n{TEMPLATES_OF_TESTS}"
    text += f"\n## What happens\n\n{parts['event']['description']}\n\n"
    text += keys.table(parts["event"], but=fields - {"event"})
    text += f"\nBeside `event` stand [fields](reference.md#fields).\n\n{MOMENTS}"
    text += f"\n## What is expected\n\n{parts['expected']['description']}\n\n"
    text += keys.table(parts["expected"]) + f"\n{COMPARED}"
    text += f"\n## What targets answer\n\n{parts['answers']['description']}\n\n"
    text += f"    answers: {example(parts['answers']['examples'][1])}\n\n"
    for verb in verbs_of:
        text += f"### To {verb}\n\n{keys.table(parts[f'{verb}_answer'])}\n"
    return f"{text}{ANSWERED}\n## The command\n\n{COMMAND}"


def tests_schema() -> dict[str, Any]:
    """The schema of a test file with all its examples, put together from its parts."""
    parts = SCHEMAS / "parts"
    base = json.loads((parts / "tests" / "tests.schema.json").read_text("utf-8"))
    fields = rules_schema()["$defs"]["fields"]["properties"]
    actions = {
        path.name.removesuffix(".schema.json"): json.loads(path.read_text("utf-8"))
        for path in sorted((parts / "actions").glob("*.schema.json"))
    }
    examples = {name: fields[name]["examples"] for name in FIELDS}
    return bundle_tests(base, actions=actions, examples=examples)


# --- Problems --------------------------------------------------------------------------------

FORMATS = """\
`pbxrules check` prints one line for each problem, and ends with 0 if all is well, 1 with
problems, 2 if a file or the configuration can't be read:

    FILE:LINE:COLUMN: CODE: MESSAGE (HINT)

Without a line and a column all of the file is meant. A warning has `warning: ` before its code;
it changes no exit code, and is told once nothing is wrong. `serve` and `reload` log warnings once.

`--format json` prints one array. Each entry has `file`, `line`, `column` (null where all of the
file is meant), `code`, `severity` (`error` or `warning`), `message` and `hint` (`""` if there is
none). `--format github` prints GitHub's workflow commands, which show a problem beside its line.

A code never changes its meaning once it is released.
"""


def problems() -> str:
    """The text of ``docs/problems.md``."""
    examples = _examples()
    text = f"{MADE}\n# Problems\n\n{FORMATS}"
    for section, codes in SECTIONS.items():
        text += f"\n## {section}\n"
        for name, what in codes.items():
            text += f"\n### {name}\n\n{what.means} {what.do}\n"
            if name in examples:
                text += f"\n{examples[name]}"
    return text


def _examples() -> dict[str, str]:
    """For each code the shortest of the mistakes that show it, as a block of Markdown."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted(MISTAKES.glob("*/*.txt")):
        lines = path.with_suffix(".yaml").read_text("utf-8").splitlines()
        for told in path.read_text("utf-8").splitlines():
            one = re.match(rf"{path.stem}\.yaml:(\d+):\d+: (?:warning: )?([a-z-]+): .*", told)
            line = lines[int(one[1]) - 1].strip() if one else ""
            if one is None or not line.isprintable():
                continue
            kind = ".test" if path.stem.endswith(".test") else ""
            shown = told.replace(f"{path.stem}.yaml:", f"a{kind}.yaml:", 1)
            block = f"```text\n{line}\n{shown}\n```\n"
            if one[2] not in found or len(block) < found[one[2]][0]:
                found[one[2]] = (len(block), block)
    return {name: block for name, (_, block) in found.items()}


PAGES: Mapping[str, Callable[[], str]] = {
    "reference.md": reference,
    "problems.md": problems,
    "tests.md": tests_page,
}

if __name__ == "__main__":
    for page, text in PAGES.items():
        (ROOT / "docs" / page).write_text(text(), "utf-8")
