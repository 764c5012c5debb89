"""What the documents show is what the program does."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pbxrules import cli, config, loading, shipped
from pbxrules.conditions.reading import kinds
from pbxrules.replaying import lines
from pbxrules.schema import Schema
from pbxrules.yamlsource import read

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
TEXTS = {"README.md": README} | {
    f"docs/{path.name}": path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))
}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of *text* in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def heredocs(text: str) -> list[tuple[str, str]]:
    """The files that the shell blocks write: name and content."""
    return re.findall(
        r"(\S+\.yaml)(?: >/dev/null)? <<'END'\n(.*?)^END$", text, re.DOTALL | re.MULTILINE
    )


def rule_texts() -> list[str]:
    """Every rule file that a document shows."""
    shown = [block for text in TEXTS.values() for block in blocks(text, "yaml")]
    shown += [content for text in TEXTS.values() for _, content in heredocs(text)]
    return [text for text in shown if text.lstrip("# \n").startswith("rules:") and "- id" in text]


@pytest.mark.parametrize("text", rule_texts())
def test_a_rule_that_a_document_shows_is_good(text: str, tmp_path: Path) -> None:
    file = tmp_path / "shown.yaml"
    file.write_text(text, "utf-8")

    assert loading.load([file], loading.language()).ruleset.rules


def configurations() -> list[str]:
    """Every configuration, or part of one, that a document shows."""
    shown = [block for text in TEXTS.values() for block in blocks(text, "yaml")]
    shown += [content for text in TEXTS.values() for _, content in heredocs(text)]
    keys = config.variables()
    top = {path[0] for path in keys.values()}
    found = []
    for text in shown:
        value = read(text, file="shown").value
        if (
            isinstance(value, dict)
            and set(value) <= top
            and not isinstance(value.get("rules"), list)
        ):
            found.append(text)
    return found


@pytest.mark.parametrize("text", configurations())
def test_a_configuration_that_a_document_shows_is_good(text: str) -> None:
    document = read(text, file="shown")

    assert not document.problems
    assert not Schema(shipped.schema("config")).mismatches(document.value)


def test_the_documents_show_rules_and_configurations() -> None:
    assert len(rule_texts()) >= 3
    assert len(configurations()) >= 3


def command_lines() -> list[list[str]]:
    """Every call of pbxrules that a document shows, as words."""
    found: dict[str, list[str]] = {}
    for text in TEXTS.values():
        shown = "\n".join([*blocks(text, "sh"), *re.findall(r"`([^`\n]+)`", text)])
        for line in shown.splitlines():
            called = re.search(r"(?:^|[ /(\"])pbxrules ([a-z].*?)(?: #.*| [>&].*|\)\"?)?$", line)
            if called and not line.startswith(("sudo useradd", "sudo install", "sudo systemctl")):
                found[called[1].strip()] = shlex.split(called[1])
    return list(found.values())


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_a_command_that_a_document_shows_exists_with_its_options(words: list[str]) -> None:
    command = cli.main.commands.get(words[0])

    assert command is not None, f"there is no command '{words[0]}'"
    known = {option for parameter in command.params for option in parameter.opts}
    used = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
    assert used <= known | {"--help"}


def test_the_problems_that_the_readme_shows_are_those_that_check_prints(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks(README, "text") if "rules/night.yaml" in block]
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "night.yaml").write_text(
        "rules:\n  - id: night\n    triger: {event: ring}\n    triggers:\n      - {event: rang}\n"
        "    actions: [{log: it rings}]\n",
        "utf-8",
    )
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = runner.invoke(cli.main, ["check", "rules"])

    assert result.output.splitlines() == shown.splitlines()


def test_the_tests_that_the_readme_shows_end_as_it_says(tmp_path: Path) -> None:
    (tests,) = [block for block in blocks(README, "yaml") if block.startswith("tests:")]
    (shown,) = [block for block in blocks(README, "text") if "hall.test.yaml" in block]
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "hall.yaml").write_text(dict(heredocs(README))["rules/hall.yaml"], "utf-8")
    (folder / "hall.test.yaml").write_text(tests, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(cli.main, ["test", "rules"])

    took = re.compile(r"\(\d\.\d\d s\)")
    assert took.sub("", result.output).splitlines() == took.sub("", shown).splitlines()


def test_the_explanation_that_the_readme_shows_is_what_explain_prints(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks(README, "text") if "night-bell does not" in block]
    (words,) = [words for words in command_lines() if words[:2] == ["explain", "ring"]
                and "--rules" not in words and "--caller" in words and "0301" in words]  # fmt: skip
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bell.yaml").write_text(
        "times:\n  night: {after: 22:30, before: 07:00}\nrules:\n  - id: night-bell\n"
        "    triggers: {event: ring, extension: 101}\n    conditions: {time: night}\n"
        "    actions: [{log: it rings}]\n",
        "utf-8",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        flags = ["--call-id", "1.1", "--rules", "rules", "--state", "state"]
        result = CliRunner().invoke(cli.main, [*words, *flags])

    assert result.output.splitlines() == shown.splitlines()


EXPLAIN = TEXTS["docs/explain.md"]


def keys_of_explain_and_replay(heading: str) -> set[str]:
    """The keys in the first column of the tables below a heading of docs/explain.md."""
    below = EXPLAIN.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    cells = re.findall(r"^\| (`.*?) \|", below, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_a_line_of_events_that_a_document_shows_is_an_event() -> None:
    (shown,) = blocks(EXPLAIN, "json")
    reader = lines.Reader("shown", loading.language())
    (found,) = reader.events(shown.encode().splitlines())
    assert (found.event.kind, found.event.fields["extension"], reader.bad) == ("ring", "101", [])


def test_the_readme_names_every_action_and_event_of_this_release() -> None:
    language = loading.language()

    assert not [verb for verb in language.verbs if f"`{verb}:" not in README]
    assert not [event for event in language.events if event not in README]


def test_the_readme_names_every_word_of_conditions_and_every_key_of_times() -> None:
    times = loading.language().rules_schema.document["$defs"]["time"]["properties"]

    assert not [word for word in kinds() if f"`{word}: " not in README]
    assert not [key for key in times if f"`{key}`" not in README]


def test_every_command_has_an_example_in_its_help() -> None:
    for name, command in cli.main.commands.items():
        assert isinstance(command, click.Command)
        assert "Example: " in (command.epilog or ""), name
