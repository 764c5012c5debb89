"""Programs: what a rule does, compiled from its JSON.

The JSON is what a run keeps of its rule, so a program is made of nothing else: a run that
is found after a restart goes on with the program it began with.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename
from typing import Any

from pbxrules.errors import Fault
from pbxrules.language import Language, duration_s
from pbxrules.members import Members
from pbxrules.model import Program, Retry, Step
from pbxrules.schema import Path
from pbxrules.template import (
    Context,
    Names,
    RenderError,
    Scope,
    TemplateError,
    Tree,
    compile_template,
    compile_tree,
    rule_vars,
    template_fault,
    variables_used,
)
from pbxrules.yamlsource import Document

DEFAULT_EXPIRES = "60s"
DEFAULT_TIMEOUT = "10s"

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
"""Programs that run their first argument behind ``-c``, or the file that it names, as code."""
WRAPPERS = frozenset({"env", "busybox"})
"""Programs that run the one that their arguments name."""
USE_TEXT = 'write shell: "…" as one text, with "$PBX_CALLER" in it'
_TEMPLATE = re.compile(r"\{\{-?\s*\w|\{%")
"""Not ``{{.Names}}``, which docker and its like take."""


def source_of(
    rule: Mapping[str, Any],
    usable: Sequence[int],
    path: Path,
    document: Document,
    language: Language,
) -> dict[str, Any]:
    """The JSON that a run keeps of its rule."""
    return {
        "rule": rule.get("id", ""),
        "expires": rule["expires"],
        "variables": {**language.variables, **rule.get("variables", {})},
        "actions": [
            _plain_step(rule["actions"][place], (*path, "actions", place), document, language)
            for place in usable
        ],
    }


def _plain_step(
    step: Mapping[str, Any], path: Path, document: Document, language: Language
) -> dict[str, Any]:
    """A step whose arguments are as its verb means them: numbers in text are their digits."""
    plain = dict(step)
    for verb in language.verbs.values():
        for name, context in verb.templates.items():
            keys = verb.path_of(name, step)
            if keys is None or context is Context.VALUE:
                continue
            holder = plain
            for key in keys[:-1]:
                holder[key] = dict(holder[key])
                holder = holder[key]
            holder[keys[-1]] = document.as_written(holder[keys[-1]], (*path, *keys))
    return plain


def program(source: Mapping[str, Any], language: Language) -> Program:
    """The program of a rule's stored JSON.

    Raises:
        ValueError: This release no longer understands it.
    """
    made, faults = compiled(source, language)
    if made is None:
        raise ValueError("; ".join(fault.message for fault in faults))
    return made


def program_digest(program: Program) -> str:
    """The name under which a run finds its program again, whatever the rules are by then."""
    return _digest(program.source)


def compiled(
    source: Mapping[str, Any], language: Language, payload: Members | None = None
) -> tuple[Program | None, list[Fault]]:
    """The program of *source*, or what is wrong with its steps, by their paths.

    *payload* is what the reports of its events may hold, where that is known.
    """
    faults: list[Fault] = []
    used: set[str] = set()
    results = frozenset(_registered(source["actions"]))
    names = language.names(source["variables"], payload=payload, results=results)
    steps = [
        _compiled_step(step, ("actions", place), source, names, language, faults, used)
        for place, step in enumerate(source["actions"])
    ]
    if faults:
        return None, faults
    variables = source["variables"]
    kept = {name: variables[name] for name in sorted(used)}
    return Program(
        rule=source["rule"],
        steps=tuple(step for step in steps if step is not None),
        vars=rule_vars(kept),
        source={**source, "variables": kept},
        zone=language.zone,
    ), []


def _registered(value: Any) -> Iterator[str]:
    """The names under which steps, at whatever depth, keep their results."""
    for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
        if key == "register" and isinstance(inner, str):
            yield inner
        elif isinstance(inner, list | Mapping):
            yield from _registered(inner)


def _compiled_step(
    step: Mapping[str, Any],
    path: Path,
    source: Mapping[str, Any],
    names: Names,
    language: Language,
    faults: list[Fault],
    used: set[str],
) -> Step | None:
    late = list(language.late(step, path, "step"))
    verbs = [key for key in step if key in language.verbs]
    if late or len(verbs) != 1:
        faults.extend(late or [_one_verb(verbs, path, language)])
        return None
    verb = language.verbs[verbs[0]]
    for key in step:
        owner = language.beside.get(key)
        if owner not in (None, verb.name):
            message = f"'{key}' stands beside {owner} only"
            faults.append(Fault((*path, key), "unknown-key", message, at_key=True))
    args = verb.arguments(step)
    before = len(faults)
    for name, context in verb.templates.items():
        if name in args:
            at = (*path, *(verb.path_of(name, step) or ()))
            try:
                args[name] = compile_tree(args[name], context, names)
            except TemplateError as exc:
                faults.extend(template_fault(problem, at) for problem in exc.problems)
            else:
                used.update(variables_used(args[name].uses, source["variables"]))
    if verb.name == "shell" and len(faults) == before:
        faults.extend(_shell_faults(step, path, names, source["variables"]))
    return _step(verb.name, args, step, source, language)


def _shell_faults(
    step: Mapping[str, Any], path: Path, names: Names, variables: Mapping[str, Any]
) -> Iterator[Fault]:
    """Where text of a call would be run, or be taken for a template and is none."""
    for key in ("shell", "cwd"):
        text = step.get(key)
        if isinstance(text, str) and _TEMPLATE.search(text):
            yield Fault((*path, key), "shell-template", *_NO_TEMPLATE[key])
    if isinstance(step["shell"], str):
        return
    written = step["shell"]
    words = [_rule_text(word, names, variables) for word in written]
    place = _program_place(written, words)
    program = words[place]
    if program is None:
        message = "a template of the event can't say which program runs"
        yield Fault((*path, "shell", place), "program-template", message, "write its name")
    elif any(basename(word) in SHELLS for word in program.split()):
        code = _code_place(words, place + 1)
        if code is None or words[code] is None:
            what = "the event on its stdin" if code is None else "this template"
            message = f"'{program}' would run {what} as code"
            yield Fault((*path, "shell", code or place), "shell-code", message, USE_TEXT)


_NO_TEMPLATE = {
    "shell": ("a shell text takes no templates", 'write "$PBX_CALLER"'),
    "cwd": ("'cwd' takes no templates", "write the folder"),
}


def _rule_text(word: str, names: Names, variables: Mapping[str, Any]) -> str | None:
    """What an argument is if the rule alone says it; None where the event has a say."""
    if "{" not in word:
        return word
    template = compile_template(word, Context.ARGUMENT, names)
    if not all(name.startswith("vars.") for name in template.uses):
        return None
    try:
        return str(template.render(Scope(vars=rule_vars(variables))))
    except RenderError:
        return None


def _program_place(written: Sequence[str], words: Sequence[str | None]) -> int:
    """The place of the program that runs in the end: behind ``env A=b``, ``busybox``."""
    place = 0
    while basename(words[place] or "") in WRAPPERS:
        following = place + 1
        while following < len(words):
            word = words[following]
            if word is None and "=" not in written[following].partition("{{")[0]:
                break
            if word is not None and not (word.startswith("-") or "=" in word):
                break
            following += 2 if word in ("-u", "-C", "--unset", "--chdir") else 1
        if following >= len(words):
            break
        place = following
    return place


def _code_place(words: Sequence[str | None], start: int) -> int | None:
    """The place of a shell's first argument that is no option: code, or a file of it."""
    place = start
    while place < len(words):
        word = words[place]
        if word in ("-", "--"):
            place += 1
            break
        if word is None or word[:1] not in ("-", "+"):
            break
        if word.startswith("--"):
            takes_value = word in ("--rcfile", "--init-file")
        else:
            takes_value = "o" in word.lower()
        place += 1 + takes_value
    return place if place < len(words) else None


def _one_verb(verbs: list[str], path: Path, language: Language) -> Fault:
    words = ", ".join(language.verbs)
    if not verbs:
        return Fault(path, "no-verb", f"an action needs a verb: one of {words}")
    return Fault(
        (*path, verbs[1]),
        "two-verbs",
        f"'{verbs[1]}' stands in an action that has '{verbs[0]}' already",
        "begin a new action with -",
        at_key=True,
    )


def _step(
    verb: str,
    args: Mapping[str, Any],
    step: Mapping[str, Any],
    source: Mapping[str, Any],
    language: Language,
) -> Step:
    retry = {**language.verbs[verb].retry, **step.get("retry", {})}
    expires = step.get("expires", source["expires"])
    return Step(
        verb=verb,
        args=args,
        timeout_s=duration_s(step.get("timeout", DEFAULT_TIMEOUT)),
        retry=Retry(
            attempts=retry.get("attempts"),
            delay_s=duration_s(retry["delay"]),
            max_delay_s=duration_s(retry["max_delay"]),
        ),
        expires_s=None if expires == "never" else duration_s(expires),
        continue_on_error=step.get("continue_on_error", False),
        uses_secret=any(
            name.startswith("secret.")
            for value in args.values()
            if isinstance(value, Tree)
            for name in value.uses
        ),
    )


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
