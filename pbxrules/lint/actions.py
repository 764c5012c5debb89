"""Actions that do another thing than they seem to, or do it for a caller."""

import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename
from typing import Any

from pbxrules.errors import Problem
from pbxrules.language import Language
from pbxrules.lint.written import Written, WrittenRule
from pbxrules.schema import Path
from pbxrules.steps.controls import found, value_at
from pbxrules.template import Context, TemplateError, compile_template

_OPTION_C = r"-\w*c"
RUN_CODE: Mapping[str, str] = {
    **dict.fromkeys(("sh", "bash", "dash", "ash", "zsh", "ksh", "fish"), _OPTION_C),
    **dict.fromkeys(("su", "runuser", "script", "flock"), rf"{_OPTION_C}|--command(=.*)?"),
    "python": _OPTION_C,
    "perl": r"-\w*[eE]",
    "ruby": r"-\w*e",
    "lua": r"-\w*e",
    "node": r"-e|-p|--eval|--print",
    "php": r"-[rBRE]|--run",
    "osascript": r"-e",
    "expect": _OPTION_C,
    "find": r"-(exec|ok)(dir)?",
    "psql": rf"{_OPTION_C}|--command(=.*)?",
    "mysql": r"-\w*e|--execute(=.*)?",
    "mariadb": r"-\w*e|--execute(=.*)?",
    **dict.fromkeys(
        ("ssh", "xargs", "parallel", "watch", "awk", "gawk", "mawk", "nawk", "sed", "sqlite"), ""
    ),
}
"""Programs that run code, without their version, and the option that makes code of an argument.

``""``: none needed.
"""
RUN_ANOTHER = frozenset(
    {
        "sudo", "doas", "su", "runuser", "env", "busybox", "nohup", "setsid", "timeout", "time",
        "nice", "ionice", "chrt", "taskset", "stdbuf", "flock", "chroot", "unshare", "nsenter",
        "systemd-run", "docker", "podman", "kubectl", "lxc", "firejail", "bwrap",
    }
)  # fmt: skip
"""Programs that run the one that their arguments name."""
_COMMAND = re.compile(r"(?:^|/)(?:set|command|cmd)$|(?:^|/)cmnd/")


def action_warnings(written: Written, language: Language) -> Iterator[Problem]:
    """What is doubtful about the actions of a rule or a script."""
    for path, step in steps(written, language):
        if "mqtt" in step:
            yield from _of_message(written, path, step["mqtt"])
        elif isinstance(step.get("shell"), list):
            yield from _of_command(written, (*path, "shell"), step["shell"], language)


def steps(written: Written, language: Language) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every action that has a verb with its path, at whatever depth."""
    for path, listed in written.lists:
        for at, step in _all_steps(listed, path):
            if any(key in language.verbs for key in step):
                yield at, step


def _all_steps(value: Sequence[Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for place, step in enumerate(value):
        here = (*path, place)
        yield here, step
        for way in found(step, "lists"):
            yield from _all_steps(value_at(step, way), (*here, *way))


# --- mqtt --------------------------------------------------------------------------------


def _of_message(rule: Written, path: Path, message: Mapping[str, Any]) -> Iterator[Problem]:
    topic = message["topic"]
    at = (*path, "mqtt", "topic")
    if topic.startswith("/"):
        says = f"the topic begins with '/': '{topic[1:]}' is another one"
        yield rule.warning(at, "leading-slash", says, "leave the slash out")
    if message.get("retain") is True and _COMMAND.search(topic):
        says = "the broker would repeat this command to whoever connects later"
        at = (*path, "mqtt", "retain")
        yield rule.key_warning(at, "retained-command", says, "leave 'retain' out")


# --- shell -------------------------------------------------------------------------------


def _of_command(
    rule: Written, path: Path, words: Sequence[Any], language: Language
) -> Iterator[Problem]:
    if isinstance(words[0], str) and re.search(r"\S\s", words[0]) and "{{" not in words[0]:
        message = f"'{words[0]}' is the name of one program, blanks and all"
        hint = f"write [{', '.join(words[0].split())}]: each argument is an entry"
        yield rule.warning((*path, 0), "blank-in-program", message, hint)
    told = [place for place, word in enumerate(words) if _is_told(rule, word, language)]
    names = [basename(str(word)) for word in words]
    for place in range(len(words)) if names[0] in RUN_ANOTHER else (0,):
        option = RUN_CODE.get(re.sub(r"[\d.]+$", "", names[place]))
        behind = [at for at in told if at > place]
        if option is None or not behind:
            continue
        given = next((str(w) for w in words[place + 1 :] if re.fullmatch(option, str(w))), "")
        if given or not option:
            program = f"{names[place]} {given}".strip()
            message = f"'{program}' runs code, and gets text of the call as an argument"
            hint = 'call a program of your own, or let the code read "$PBX_CALLER"'
            yield rule.warning((*path, behind[0]), "interpreter-argument", message, hint)
            return


def _is_told(rule: Written, word: Any, language: Language) -> bool:
    """Whether an argument holds text of the call, or of who answered an action."""
    if not isinstance(word, str) or "{{" not in word:
        return False
    own = rule.variables
    variables = None if own is None else {**language.variables, **own}
    try:
        template = compile_template(word, Context.ARGUMENT, language.names(variables))
    except TemplateError:  # a name that only its own rule has, such as a result
        return True
    return not all(name.startswith(("vars.", "secret.", "rule.")) for name in template.uses)


# --- expires -----------------------------------------------------------------------------


def expiry_warnings(rule: WrittenRule, language: Language) -> Iterator[Problem]:
    """A record of calls that ends with the first minute of trouble."""
    if "expires" in rule.value or all("expires" in step for _, step in steps(rule, language)):
        return
    for written in rule.triggers:
        asked = [test for test in written.trigger.tests if test.field == "event"]
        if asked and asked[0].equals and asked[0].holds("cdr"):
            message = "what can't be done for 60 s is given up, a record of calls too"
            hint = "write 'expires: never' in the rule, or how late it may be done"
            yield rule.warning((*written.path, "event"), "cdr-expires", message, hint)
            return
