"""``pbxrules new``: a rule and its test, by a few questions."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pbxrules.console import (
    BAD,
    UNUSABLE,
    language_of,
    print_problems,
    settings_of,
    settings_options,
)
from pbxrules.errors import ProblemsError
from pbxrules.printable import escape

if TYPE_CHECKING:
    from pbxrules.drafts import Folder
    from pbxrules.newrule import Wish

PLACE = 15
"""Where the help lists it."""
QUESTIONS = {
    "event": "When",
    "extension": "Which phone (empty: any)",
    "trunk": "Which trunk (empty: any)",
    "caller": "Who calls (empty: anybody)",
    "does": "What is to happen: mqtt, command, web or log",
    "mqtt": "The topic, such as home/hall/lamp/set",
    "payload": "The message; {{ caller }} stands for who calls",
    "command": "The command, such as /usr/local/bin/light --room {{ extension }}",
    "url": "The address, such as http://127.0.0.1:9000/rings?from={{ caller }}",
    "sent": "What is sent there (empty: nothing)",
    "log": "The line, such as {{ caller }} rings",
    "id": "The rule's name",
}
DOES = {"mqtt": "mqtt", "command": "shell", "web": "http", "log": "log"}
"""What is asked for, and the verb of each."""
FLAG_OF = {"mqtt": "mqtt", "command": "command", "web": "url", "log": "log"}


@click.command(
    epilog="Example: pbxrules new --extension 101 --mqtt home/hall/lamp/set --payload ON --yes"
)
@settings_options("config", "rules")
@click.option("--event", help="When: ring, answer, bye, … (ring).")
@click.option("--extension", help="Which phone.")
@click.option("--trunk", help="Which trunk.")
@click.option("--caller", help="Who calls.")
@click.option("--mqtt", metavar="TOPIC", help="A message to this topic.")
@click.option("--payload", metavar="TEXT", help="What is sent, by --mqtt or --url.")
@click.option("--command", metavar="LINE", help="Or a command with its arguments.")
@click.option("--url", metavar="URL", help="Or a web request.")
@click.option("--log", metavar="TEXT", help="Or a line in the log.")
@click.option("--id", metavar="ID", help="The rule's name, and that of its files.")
@click.option("--yes", is_flag=True, help="Ask nothing: what is not told is as proposed.")
def new(config: Path | None, rules: str | None, yes: bool, **given: str | None) -> None:  # noqa: FBT001 - click gives it so
    """Write a rule and its test, by a few questions.

    What a flag tells is not asked. The rule goes to ID.yaml and ID.test.yaml of the rules'
    folder, never over a file that is there, and both are checked. Exits with 0 if they were
    written, with 1 if not, with 2 if a flag, the configuration or the rules that are there
    can't be used.
    """
    from pbxrules.drafts import Folder

    told = [f"--{flag}" for flag in FLAG_OF.values() if given[flag] is not None]
    if len(told) > 1:
        raise click.UsageError(f"{' and '.join(told)}: a rule that is written so does one thing")
    settings = settings_of(config, rules=rules)
    try:
        folder = Folder(settings.rules, language_of(settings))
    except ProblemsError as exc:
        print_problems(exc.problems)
        click.echo("pbxrules: mend that first; then ask for a new rule", err=True)
        sys.exit(UNUSABLE)
    wish = _Questions(folder, given, yes=yes).wish()
    draft = folder.draft(wish)
    click.echo(draft.rule, nl=False)
    if not yes and not click.confirm(f"Write it to {draft.rule_file}?", default=True):
        click.echo("nothing was written", err=True)
        sys.exit(BAD)
    _write(folder, draft)


def _write(folder: "Folder", draft: Any) -> None:
    try:
        warnings = folder.write(draft)
    except ProblemsError as exc:
        print_problems(exc.problems)
        click.echo("pbxrules: nothing was written", err=True)
        sys.exit(BAD)
    except OSError as exc:
        why = exc.strerror or exc
        click.echo(f"pbxrules: can't write {exc.filename}: {why}; nothing was written", err=True)
        sys.exit(BAD)
    print_problems(warnings)
    click.echo(f"wrote {draft.rule_file}, which is good, and {draft.test_file}, which passes")


@dataclass(slots=True)
class _Questions:
    """Asks, and asks again with the reason where an answer is wrong."""

    folder: "Folder"
    given: Mapping[str, str | None]
    yes: bool = field(kw_only=True)
    wrong: list[str] = field(default_factory=list)
    """With ``--yes``: what is wrong with the flags."""

    def wish(self) -> "Wish":
        """What is wished for, all of it good."""
        from pbxrules.newrule import FIELDS, Wish, proposed_id

        wish = Wish()
        events = ", ".join(self.folder.language.events)
        click.echo(f"Events: {events}") if not self.yes and not self.given["event"] else None
        wish = self._ask(wish, "event", "ring", lambda text: replace(wish, event=text))
        for name in FIELDS:
            if self.given[name] is not None or not self.folder.faults(replace(wish, **{name: "1"})):
                before = wish
                wish = self._ask(
                    wish,
                    name,
                    "",
                    lambda text, n=name, w=before: replace(w, **{n: text}),  # type: ignore[misc]
                )
        wish = self._deed(wish)
        before = wish
        proposed = proposed_id(wish, self.folder.taken)
        wish = self._ask(
            wish, "id", proposed, lambda text: replace(before, id=text), self.folder.faults_of_id
        )
        if self.wrong:
            raise click.UsageError("\n".join(self.wrong))
        return wish

    def _deed(self, wish: "Wish") -> "Wish":
        """The wish, with what is to happen."""
        told = next((word for word, flag in FLAG_OF.items() if self.given[flag] is not None), None)
        if told is None and self.yes:
            self.wrong.append("say what is to happen: --mqtt, --command, --url or --log")
            return wish
        while told not in DOES:
            told = click.prompt(QUESTIONS["does"], default="mqtt").strip().lower()
            if told not in DOES:
                click.echo(f"  '{escape(told)}' is none of {', '.join(DOES)}", err=True)
        return self._with_arguments(wish, told)

    def _with_arguments(self, wish: "Wish", does: str) -> "Wish":
        from pbxrules.newrule import command, message, request

        def made(args: Any) -> "Wish":
            return replace(wish, verb=DOES[does], args=args)

        if self.given["payload"] is not None and does in ("command", "log"):
            self._tell("--payload", ["it goes with --mqtt or --url"])
        match does:
            case "command":
                return self._ask(wish, "command", None, lambda text: made(command(text)))
            case "log":
                return self._ask(wish, "log", None, made)
            case "web":
                asked = self._ask(wish, "url", None, lambda text: made(request(text, "")))
                url = str(asked.args["url"]) if asked is not wish else ""
                return self._sent(asked, "sent", "", lambda text: made(request(url, text)))
        asked = self._ask(wish, "mqtt", None, lambda text: made(message(text, "")))
        topic = str(asked.args["topic"]) if asked is not wish else ""
        return self._sent(asked, "payload", "ON", lambda text: made(message(topic, text)))

    def _sent(
        self, wish: "Wish", question: str, default: str, make: Callable[[str], "Wish"]
    ) -> "Wish":
        if self.yes and self.wrong:
            return wish  # nobody knows where it goes
        return self._ask(wish, question, default, make, flag="payload")

    def _ask(
        self,
        wish: "Wish",
        name: str,
        default: str | None,
        make: Callable[[str], "Wish"],
        also: "Callable[[Wish], Sequence[str]]" = lambda _: (),
        *,
        flag: str = "",
    ) -> "Wish":
        """The wish that *make* makes of the answer; as before, where flags alone are wrong."""
        text = self.given[flag or name]
        if text is None and self.yes:
            text = default
        while True:
            if text is None:
                text = click.prompt(QUESTIONS[name], default=default, show_default=bool(default))
            try:
                made = make(text.strip())
                faults = [*(self.folder.faults(made) or also(made))]
            except ValueError as exc:
                faults = [str(exc)]
            if not faults:
                return made
            self._tell(f"--{flag or name}", faults)
            if self.yes:
                return wish
            text = None

    def _tell(self, flag: str, faults: Sequence[str]) -> None:
        if self.yes:
            self.wrong += [f"{flag}: {escape(fault)}" for fault in faults]
        else:
            for fault in faults:
                click.echo(f"  {escape(fault)}", err=True)
