"""A rule and its test from a few answers: texts of files, and what is wrong with an answer.

An answer is tried: the rule that it makes is read and looked through like any other, so
what is told of it is what ``pbxrules check`` would say.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules import lint, rules
from pbxrules.errors import ProblemsError
from pbxrules.language import Language
from pbxrules.schema import Schema
from pbxrules.testing.around import Around
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.filling import placeholders
from pbxrules.testing.judging import judge
from pbxrules.testing.reading import cases_of
from pbxrules.testing.trial import Trial, run
from pbxrules.yamlsource import UNSEEN, read
from pbxrules.yamltext import flow, is_written, scalar

FIELDS = ("extension", "trunk", "caller")
"""The fields that are asked for, in that order."""
LONGEST = 4_000
"""Characters of an answer."""
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_IN_TEMPLATES = re.compile(r"[a-z_]+")
_LITERAL = re.compile(r"\{[{%#]")
_SAMPLES: Mapping[str, Any] = {
    "extension": "101", "trunk": "trunk-1", "caller": "0301234", "callee": "101",
    "dialled": "0309876", "direction": "inbound", "call_id": "1795518000.1",
    "trunk_call_id": "1795518000.2", "pbx": "a09805021987", "reason": "480", "status": "Idle",
    "recording": "a.wav", "started_at": "2026-11-24 12:00:00", "duration": 7,
    "talk_duration": 5, "extensions": ["101"],
}  # fmt: skip
"""What an event of the test tells where a template asks for it."""
_OTHERS = {
    "extension": ("199", "198"), "trunk": ("another", "a-third"), "caller": ("0309999", "0308888"),
}  # fmt: skip
"""Values that are none of the rule's."""
_DOES = {
    "mqtt": "the message is sent", "shell": "the command is run",
    "http": "the request is made", "log": "the line is logged",
}  # fmt: skip
_HEAD = """\
# Change what you like, then: pbxrules check, pbxrules test.
# Under triggers a list takes several ([101, 102]), and a field that is not there may be any.
# Texts of actions may hold fields of the event, such as {{ caller }} and {{ extension }}.
"""
_LATE = "    expires: never # worth doing late; without it 60 s after the event is too late\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants."""

    id: str = "new-rule"
    event: str = "ring"
    extension: str = ""
    """As the other fields: ``""`` where it may be any."""
    trunk: str = ""
    caller: str = ""
    verb: str = "log"
    args: Any = "it rings"
    """What stands behind the verb."""

    @property
    def triggers(self) -> dict[str, str]:
        """The field tests."""
        told = {name: getattr(self, name) for name in FIELDS}
        return {"event": self.event, **{name: text for name, text in told.items() if text}}


# --- answers ---------------------------------------------------------------------------------


def message(topic: str, payload: str) -> dict[str, Any]:
    """The arguments of ``mqtt``; a payload that is a JSON map or list is written as such."""
    value = _read_json(payload)
    return {"topic": topic, "payload": payload if value is None else value}


def request(url: str, sent: str) -> dict[str, Any]:
    """The arguments of ``http``; what is a JSON map or list is sent as ``json``."""
    if not sent:
        return {"url": url}
    value = _read_json(sent)
    return {"url": url, "body": sent} if value is None else {"url": url, "json": value}


def command(line: str) -> list[str]:
    """The arguments of ``shell``, as a shell parts *line*; what a template holds stays together.

    Raises:
        ValueError: A quote is not closed, or there is nothing in it.
    """
    templates: list[str] = []

    def hide(found: re.Match[str]) -> str:
        templates.append(found[0])
        return f"\ue000{len(templates) - 1}\ue001"

    words = shlex.split(_TEMPLATE.sub(hide, line.replace("\ue000", "").replace("\ue001", "")))
    if not words:
        raise ValueError("say a program, and its arguments behind it")
    return [re.sub("\ue000(\\d+)\ue001", lambda f: templates[int(f[1])], word) for word in words]


def _read_json(text: str) -> Any:
    """A map or a list that *text* is as JSON, if rule files can say it; else None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if value and isinstance(value, dict | list) and is_written(value) else None


def proposed_id(wish: Wish, taken: Sequence[str]) -> str:
    """An id that tells what the rule is about, and that no rule has."""
    about = next((getattr(wish, name) for name in FIELDS if getattr(wish, name)), wish.verb)
    slug = re.sub("[^a-z0-9]+", "-", f"{wish.event}-{about}".lower())[:60].strip("-")
    number, found = 1, slug
    while found in taken:
        number += 1
        found = f"{slug}-{number}"
    return found


def faults(wish: Wish, language: Language) -> list[str]:
    """What is wrong, or doubtful, with the rule that is wished for; empty if it is good."""
    found = [*_of_texts(wish)]
    if found:
        return found
    document = read(text_of_rule(wish), file="")
    try:
        ruleset = rules.load([document], language)
    except ProblemsError as exc:
        return list(dict.fromkeys(problem.advice for problem in exc.problems))
    doubts = lint.warnings([document], ruleset, language)
    return list(dict.fromkeys(problem.advice for problem in doubts))


def _of_texts(wish: Wish) -> Iterator[str]:
    """What a file can't hold, or holds unseen."""
    if wish.id.endswith(".test"):
        yield "a rule's file can't end in '.test.yaml', which is for tests"
    for text in _texts([*wish.triggers.values(), wish.id, wish.args]):
        if len(text) > LONGEST:
            yield f"that is longer than {LONGEST:,} characters"
        elif any("\ud800" <= char <= "\udfff" for char in text):
            yield "that is no UTF-8"
    for text in (*wish.triggers.values(), wish.id):
        unseen = UNSEEN.search(text) or re.search(r"[\t\r\n]", text)
        if unseen is not None:
            yield f"the unseen character U+{ord(unseen[0]):04X} stands here (take it away)"


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for key, inner in value.items():
                yield key
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


# --- files -----------------------------------------------------------------------------------


def text_of_rule(wish: Wish) -> str:
    """The file with the rule."""
    action = scalar(wish.args) if isinstance(wish.args, str) else flow(wish.args)
    return (
        f"{_HEAD}rules:\n"
        f"  - id: {scalar(wish.id)}\n"
        f"    triggers: {flow(wish.triggers, of_fields=True)}\n"
        f"{_LATE if wish.event == 'cdr' else ''}"
        f"    actions:\n"
        f"      - {wish.verb}: {action}\n"
    )


def text_of_test(wish: Wish, language: Language, schema: Schema) -> str:
    """The file with the test of a good rule: as much of it as can be told beforehand, passes.

    Args:
        wish: Without faults.
        language: What rules may say.
        schema: Of test files.
    """
    ruleset = rules.load([read(text_of_rule(wish), file="")], language)
    around = Around(schema=schema, language=language, ruleset=ruleset)
    bare = _test_of(wish, None)
    trials = _trials(bare, around)
    deeds = [deed for trial in trials or () for deed in trial.deeds if deed.verb]
    full = _test_of(wish, deeds[0].args) if deeds else bare
    return full if _trials(full, around) is not None else bare


def _trials(text: str, around: Around) -> list[Trial] | None:
    """What happens in the tests of a file; None where they don't pass."""
    cases, problems = cases_of(read(text, file=""), around)
    if problems or around.ruleset is None:
        return None
    trials = []
    for case in cases:
        language = around.language
        trial = run(
            case,
            Coverage(around.ruleset),
            verbs=language.verbs,
            secrets=placeholders(language.secrets),
        )
        if [*judge(case, trial, around.ruleset)]:
            return None
        trials.append(trial)
    return trials


def _test_of(wish: Wish, came: Mapping[str, Any] | None) -> str:
    """The test file; *came*: the arguments that the action is to have."""
    event = {**wish.triggers, **_samples(wish)}
    expected = f"at: 0s, rule: {scalar(wish.id)}"
    if came is not None:
        expected += f", {wish.verb}: {flow(_literal(_wanted(wish, came)))}"
    lines = [
        "tests:",
        f"  - name: {scalar(f'on {wish.event} {_DOES[wish.verb]}')}",
        "    events:",
        f"      - {_event(event)}",
        "    expect:",
        f"      - {{{expected}}}",
    ]
    given = next((name for name in FIELDS if getattr(wish, name)), None)
    if given is not None:
        one, other = _OTHERS[given]
        another = {**event, given: one if getattr(wish, given) != one else other}
        lines += [
            f"  - name: another {given} does nothing",
            "    events:",
            f"      - {_event(another)}",
            f"    expect_no: [{{rule: {scalar(wish.id)}}}]",
        ]
    return "\n".join(lines) + "\n"


def _event(fields: Mapping[str, Any]) -> str:
    return flow(_literal(fields), of_fields=True).replace("{", "{at: 0s, ", 1)


def _samples(wish: Wish) -> dict[str, Any]:
    """Fields that the templates ask for and the triggers do not tell."""
    found = " ".join(t for text in _texts(wish.args) for t in _TEMPLATE.findall(text))
    names = dict.fromkeys(_IN_TEMPLATES.findall(found))
    return {n: _SAMPLES[n] for n in names if n in _SAMPLES and n not in wish.triggers}


def _wanted(wish: Wish, came: Mapping[str, Any]) -> Any:
    """The arguments *came* in the form in which the rule has them."""
    if isinstance(wish.args, str):
        return came["text"]
    if isinstance(wish.args, list):
        return list(came["argv"])
    return {name: came[name] for name in wish.args}


def _literal(value: Any) -> Any:
    """*value* as a test says it, in which ``{{`` begins a template."""
    match value:
        case str():
            return _LITERAL.sub(lambda found: "{{ '" + found[0] + "' }}", value)
        case Mapping():
            return {name: _literal(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_literal(inner) for inner in value]
    return value
