"""Commands: where text of a call would be run, or be taken for a template and is none."""

import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename
from typing import Any

from pbxrules.errors import Fault
from pbxrules.schema import Path
from pbxrules.template import Context, Names, RenderError, Scope, compile_template, rule_vars

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
"""Programs that run their first argument behind ``-c``, or the file that it names, as code."""
WRAPPERS = frozenset({"env", "busybox"})
"""Programs that run the one that their arguments name."""
USE_TEXT = 'write shell: "…" as one text, with "$PBX_CALLER" in it'
UNTOLD = "untold"
_TEMPLATE = re.compile(r"\{\{-?\s*\w|\{%")
"""Not ``{{.Names}}``, which docker and its like take."""


def command_faults(
    step: Mapping[str, Any], path: Path, names: Names, variables: Mapping[str, Any] | None
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
        apart = "write each argument as an entry of its own"
        hint = apart if " " in written[place].partition("{{")[0] else "write its name"
        yield Fault((*path, "shell", place), "program-template", message, hint)
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


def _rule_text(word: str, names: Names, variables: Mapping[str, Any] | None) -> str | None:
    """What an argument is if the rule alone says it; None where the event has a say.

    Of a script by itself nobody knows yet what its variables are: it is checked again where
    it is put in.
    """
    if "{" not in word:
        return word
    template = compile_template(word, Context.ARGUMENT, names)
    if not all(name.startswith("vars.") for name in template.uses):
        return None
    if variables is None:
        return UNTOLD
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
