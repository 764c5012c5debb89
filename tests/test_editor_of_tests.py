"""What an editor makes of ``tests.schema.json``, asked of the same language server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxrules import shipped
from pbxrules.pbx.tables import FIELDS
from tests.language_server import LanguageServer
from tests.test_editor import server

FIRST_LINE = "# yaml-language-server: $schema=tests.schema.json\n"
EXAMPLES = sorted(shipped.folder("rules").glob("**/*.test.yaml"))


class Editor:
    """An editor in a folder that has the schema."""

    def __init__(self, folder: Path, language: LanguageServer) -> None:
        self._folder = folder
        self._language = language
        self._shown = 0
        (folder / "tests.schema.json").write_text(json.dumps(shipped.schema("tests")), "utf-8")

    def show(self, text: str) -> tuple[Path, int]:
        """Open *text*; its path, and where ``¦`` stands."""
        self._shown += 1
        path = self._folder / f"{self._shown}.test.yaml"
        text = FIRST_LINE + text
        self._language.open(path, text.replace("¦", ""))
        return path, text.find("¦")

    def offered(self, text: str) -> set[str]:
        return {it.label for it in self._language.complete(*self.show(text))}

    def hover(self, text: str) -> str:
        return self._language.hover(*self.show(text))

    def underlined(self, text: str) -> list[tuple[int, str]]:
        path, _ = self.show(text)
        return [(it.line, it.under) for it in self._language.diagnostics(path)]


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with server() as language:
        yield Editor(tmp_path_factory.mktemp("tests"), language)


def written(keys: str) -> str:
    return f"tests:\n  - name: t\n{keys}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(
            "    ¦", {"start", "cases", "answers", "events", "expect", "expect_no"}, id="of a test"
        ),
        pytest.param("    events:\n      - ¦", {"at", "report", *FIELDS}, id="of an event"),
        pytest.param(
            "    expect:\n      - ¦",
            {"at", "after", "times", "rule", "mqtt", "shell", "http", "log", "state"},
            id="of an expectation",
        ),
        pytest.param(
            "    expect:\n      - mqtt:\n          ¦", {"topic", "payload"}, id="of an action"
        ),
        pytest.param(
            "    answers:\n      http:\n        ¦", {"status", "fails", "times", "when"},
            id="of an answer",
        ),
    ],
)  # fmt: skip
def test_keys_are_offered(editor: Editor, text: str, wanted: set[str]) -> None:
    assert wanted <= editor.offered(written(text))


def test_a_key_is_explained(editor: Editor) -> None:
    text = "    events: [{event: ring}]\n    expect:\n      - {aft¦er: 5s, rule: r}\n"
    assert "At this moment or later." in editor.hover(written(text))


def test_what_is_no_key_is_underlined(editor: Editor) -> None:
    text = "    events:\n      - {event: ring, extention: 101}\n    expect: [{rule: r, at: 5}]\n"
    assert editor.underlined(written(text)) == [(5, "extention"), (6, "5")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_nothing_is_underlined_in_an_example(editor: Editor, path: Path) -> None:
    _, _, text = path.read_text("utf-8").partition("\n")
    assert editor.underlined(text) == []
