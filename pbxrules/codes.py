"""Every problem's code: what it means and what to do.  A code never changes once released.

The docs are made from this table, and a test finds each code that is raised in it.
"""

# Over 300 lines: one table.

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """What a problem of one kind is about."""

    means: str
    do: str


_YAML: Mapping[str, Code] = {
    "alias": Code(
        "A value begins with `*`, to YAML an alias: a value written elsewhere.",
        'Quote what is dialled: `"*101"`. What was meant as an alias is written out.',
    ),
    "anchor": Code(
        "A value begins with `&`, to YAML an anchor: a name for aliases.",
        "Quote it, if it is text; else write the value out at each place.",
    ),
    "complex-key": Code("A list or a map stands in a key's place.", "Quote it, if it is text."),
    "control-character": Code(
        "A character that no editor shows stands in the file.", "Take it away."
    ),
    "duplicate-key": Code(
        "A key is given twice in one map.",
        "Take one away. Where a new rule or action was to begin, put `- ` before it.",
    ),
    "empty-key": Code("A key is empty.", 'Write the key; an empty text is written `""`.'),
    "empty-value": Code(
        "A key or an entry of a list has no value. Behind ` #` everything is a comment.",
        'Write the value: `"#31#"` in quotes, `""` for an empty text.',
    ),
    "long-number": Code("A number has over 300 digits.", "Quote it."),
    "merge-key": Code("`<<` would put another map's keys here.", "Write the keys out."),
    "second-document": Code("`---` begins a second document.", "Make it a file of its own."),
    "tag": Code(
        "A value begins with `!`, to YAML a tag such as `!secret`.",
        'Quote it, if it is text. A secret is `"{{ secret.name }}"`.',
    ),
    "too-deep": Code(
        "Lists and maps are more than 20 levels deep, or lists of actions more than 10.",
        "Make it flatter, or put a part of it into a rule of its own.",
    ),
    "too-large": Code("The file holds more than 1 MiB.", "Split it."),
    "too-many": Code(
        "There are over 1,000 problems; what follows was not read.", "Mend those above first."
    ),
    "unquoted-template": Code(
        "`{{ … }}` stands without quotes, to YAML a map in a map.",
        'Put quotes around the whole value: `"{{ caller }} rings"`.',
    ),
    "yaml-syntax": Code(
        "YAML can't read this.",
        "The message says what is in the way, mostly a missing quote, bracket, colon or blank.",
    ),
}

_FILES: Mapping[str, Code] = {
    "unreadable": Code(
        "A file or folder can't be read, or a schema is none.",
        "The message says why. `check` then ends with 2.",
    ),
    "wrong-suffix": Code("The folder has a file that ends in `.yml`.", "Rename it to `.yaml`."),
}

_KEYS: Mapping[str, Code] = {
    "bad-glob": Code("A pattern can't be read.", "The message says why."),
    "bad-regex": Code(
        "A regular expression can't be read by RE2, which has no look-around.",
        "The message says why. Quote it by single quotes, which leave backslashes alone.",
    ),
    "bad-report": Code(
        "A test has a report that the PBX would not send: the daemon would refuse it.",
        "The message says what is wrong. An event in our own fields needs less of it.",
    ),
    "lone-modifier": Code(
        "`ignore_case` stands where no text is compared.", "Write an operator beside it."
    ),
    "missing-key": Code("A key that must be there is missing.", "Write it."),
    "never-holds": Code(
        "A time holds at no moment, such as from 22:00 to 22:00, or the 31st of April.",
        "The message says what excludes each other.",
    ),
    "no-verb": Code(
        "An action says how, but not what: it has no verb.",
        "Give it one of `mqtt`, `shell`, `http`, `log`, or a word such as `delay` or `if`.",
    ),
    "two-keys": Code("Two keys stand together that exclude each other.", "Take one away."),
    "two-verbs": Code(
        "One action has two verbs.", "Make two actions of it: each begins with `- `."
    ),
    "unknown-key": Code(
        "This key may not stand here.",
        "The hint has the right word, or the place where the key belongs.",
    ),
    "wrong-type": Code(
        "A value is of the wrong kind, such as a text where a list is wanted.",
        "The hint shows how it is written.",
    ),
    "wrong-value": Code(
        "A value is of the right kind, but not one that may stand here.", "The message says which."
    ),
}

_NAMES: Mapping[str, Code] = {
    "duplicate-group": Code("Two groups have one name.", "Rename one; all files share them."),
    "duplicate-id": Code("Two rules have one id.", "Rename one; all files share them."),
    "duplicate-script": Code(
        "Two scripts have one name.",
        "Rename one; all files share them.",
    ),
    "duplicate-state": Code(
        "Two names of the state are the same.",
        "Rename one; all files share them.",
    ),
    "duplicate-test": Code("Two tests of a file have one name.", "Rename one."),
    "duplicate-time": Code("Two times have one name.", "Rename one; all files share them."),
    "missing-variable": Code(
        "A script names a variable that it is not given.",
        "Give it by `with`, or declare it in the configuration.",
    ),
    "taken-name": Code(
        "A result would have a name that templates know already.",
        "Take another for `register`.",
    ),
    "test-fails": Code(
        "A rule that `pbxrules new` made does not do what its own test expects.",
        "Nothing was written. Answer otherwise, or write the rule by hand.",
    ),
    "unknown-event": Code("No report is this event.", "See [the events](reference.md#events)."),
    "unknown-field": Code(
        "No event has a field of this name.", "See [the fields](reference.md#fields)."
    ),
    "unknown-group": Code("No file declares this group.", "Declare it under `groups:`."),
    "unknown-member": Code(
        "No report of this event has such a member, by your own schema of it.",
        "See that schema.",
    ),
    "unknown-rule": Code(
        "A test names a rule that its folder has not.",
        "Correct the id; a rule with `enabled: false` never fires.",
    ),
    "unknown-script": Code(
        "No file declares this script.",
        "Declare it under `scripts:`.",
    ),
    "unknown-state": Code(
        "No file declares this name of the state.",
        "Declare it with its first value under `state:`.",
    ),
    "unknown-time": Code("No file describes this time.", "Describe it under `times:`."),
    "unknown-trigger": Code(
        "The rule has no trigger of this name.", "Give one the `id`, or name its place from 1."
    ),
    "unknown-zone": Code("There is no such time zone.", "Write it as in `Europe/Berlin`."),
    "unused-variable": Code(
        "A script is given a value that it does not name.",
        "Name it there as `{{ vars.name }}`, or take it away.",
    ),
}

_ACTIONS: Mapping[str, Code] = {
    "kept-secret": Code(
        "A secret stands in what is kept on disk, such as the reason of a `stop`.",
        "Leave it out: only actions are given secrets.",
    ),
    "not-here": Code(
        "`finally` and `parallel` hold only some actions.",
        "The hint says which. What takes time stands beside them.",
    ),
    "program-template": Code(
        "A call would say which program runs.", "Write the program's name, without `{{ … }}`."
    ),
    "read-only": Code(
        "A name of the state is bound to a topic: what it is, MQTT tells.",
        "Publish to the topic.",
    ),
    "script-loop": Code(
        "A script would run itself, by way of others or not.",
        "Use `repeat`, or take one of the calls out.",
    ),
    "script-template": Code(
        "A script is given a template.",
        "Write it in the script, whose templates see the same event.",
    ),
    "shell-code": Code(
        "A shell would run text of a call as code.",
        'Write `shell: "…"` as one text, with `"$PBX_CALLER"` in it.',
    ),
    "shell-template": Code(
        "A template stands in a text that a shell runs, or in `cwd`.",
        'Write `"$PBX_CALLER"`, `"$PBX_EXTENSION"`, … instead.',
    ),
    "too-many-actions": Code(
        "A rule with its scripts is more than 1,000 actions.",
        "Make several rules of it.",
    ),
}

_TEMPLATES: Mapping[str, Code] = {
    "bad-argument": Code("A character that no argument can hold stands in one.", "Take it away."),
    "bad-condition": Code(
        "A condition is not one template.", 'Write `"{{ … }}"` and nothing around it.'
    ),
    "bad-topic": Code(
        "A topic holds what no topic can, such as `+` or `#`, which are for who subscribes.",
        "Name the one topic that is meant.",
    ),
    "bad-url": Code(
        "A URL is none, or a template would say to which host it goes.",
        "Write scheme, host and port out.",
    ),
    "template-refused": Code(
        "Jinja2 has this, and templates here do not: statements, calls, loops.",
        "The hint says what to write instead.",
    ),
    "template-syntax": Code("A template can't be read.", "Each `{{` needs its `}}`."),
    "unknown-filter": Code(
        "There is no filter of this name.", "See [the filters](reference.md#filters)."
    ),
    "unknown-name": Code(
        "Templates know no such name.",
        "See [the names](reference.md#names). Text within a template stands in quotes.",
    ),
    "unknown-test": Code("There is no test of this name.", "See [the tests](reference.md#tests)."),
}

_CONFIGURATION: Mapping[str, Code] = {
    "no-secret": Code(
        "A secret is declared, and its value can't be had.",
        "Set the variable, or let the file or systemd's credential be there.",
    ),
    "unknown-variable": Code(
        "A variable of the environment begins with `PBXRULES_` and is no key.",
        "Correct or unset it.",
    ),
}

_WARNINGS: Mapping[str, Code] = {
    "always-fails": Code(
        "A topic, a URL or an argument needs a field that no event of this rule ever has.",
        "Write another field, or `| default('…')` behind it.",
    ),
    "blank-in-program": Code(
        "The first entry of `shell: […]` holds blanks, and is looked for as one program's name.",
        "Write each argument as an entry of its own.",
    ),
    "cdr-expires": Code(
        "A rule keeps a record of calls (`cdr`), and would give it up after 60 s of trouble.",
        "Write `expires: never`, or how late it may still be done.",
    ),
    "curly-quotes": Code(
        "A text stands in typographic quotes, which are part of it.",
        'Use the plain ones: `"ON"`.',
    ),
    "duplicate-trigger": Code(
        "A trigger, or all that decides about a rule, stands twice.",
        "Take one away, or put the actions of both rules into one.",
    ),
    "group-as-text": Code(
        "A field is compared with a group's name as if that was a number.",
        "Write `{in: NAME}`.",
    ),
    "interpreter-argument": Code(
        "What runs code (`sh -c`, `python -c`, `ssh`, `find -exec`, `awk`, …) gets text of a call "
        "as an argument, and whoever calls chooses that text.",
        "Let the code read `$PBX_CALLER` from its environment, or call a program of your own.",
    ),
    "leading-slash": Code(
        "A topic begins with `/`: its first level is empty, and `home/x` is another topic.",
        "Leave the slash out.",
    ),
    "never-matches": Code(
        "No report can pass this trigger: it contradicts itself, or asks for a field that such "
        "an event never has.",
        "See which event has [which field](reference.md#which-event-has-which-field).",
    ),
    "no-broker": Code(
        "Rules publish messages, and no broker is configured.",
        "Say where it is: `mqtt.url`, or `serve --mqtt URL`.",
    ),
    "operator-as-text": Code(
        "A field is compared with what looks like an operator, and is plain text.",
        "Write the operator as a map: `{not: 101}`.",
    ),
    "parted-number": Code(
        "A number is written with blanks, brackets or dashes; reports tell digits alone.",
        "Write it without.",
    ),
    "retained-command": Code(
        "A command is retained: the broker sends it again to whoever connects later.",
        "Leave `retain` out; it is for states.",
    ),
    "single-braces": Code("`{caller}` or a lone `}}` is plain text.", 'Write `"{{ caller }}"`.'),
    "split-trigger": Code(
        "Tests that belong together are entries of a list, any of which fires the rule.",
        "Leave out the `- ` before all but the first.",
    ),
    "template-as-text": Code(
        "A template stands where none is read: in a field test or in `variables`.",
        "Put it into an action or a condition.",
    ),
    "text-and-number": Code(
        "A template compares a field, which is text, with a number.",
        "Write the number in quotes, or `| int(0)` behind the field to compare sizes.",
    ),
    "unused-group": Code("No rule uses this group.", "Use it or take it away."),
    "unused-script": Code(
        "No rule runs this script.",
        "Use it or take it away.",
    ),
    "unused-state": Code(
        "No rule names this of the state.",
        "Use it or take it away.",
    ),
    "unused-time": Code("No rule uses this time.", "Use it or take it away."),
}

WARNINGS = frozenset(_WARNINGS)
"""The codes that are warnings; all others are errors."""

SECTIONS: Mapping[str, Mapping[str, Code]] = MappingProxyType(
    {
        "YAML": _YAML,
        "Files": _FILES,
        "Keys and values": _KEYS,
        "Names": _NAMES,
        "Actions": _ACTIONS,
        "Templates": _TEMPLATES,
        "Configuration": _CONFIGURATION,
        "Warnings": _WARNINGS,
    }
)
"""The codes by what they are about, in the order of the docs."""

CODES: Mapping[str, Code] = MappingProxyType(
    {code: what for section in SECTIONS.values() for code, what in section.items()}
)
