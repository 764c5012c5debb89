"""Rules and schemas from disk."""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxrules import loading
from pbxrules.errors import ProblemsError
from pbxrules.loading import MAX_BYTES, Snapshot
from pbxrules.model import Moment, Program, Run
from pbxrules.store import LoadedRun
from tests.rulefiles import LANGUAGE, decided, event, rule
from tests.test_rules import EVERY_KEY

NOW = Moment(boot="b", uptime_s=1.0, wall_s=2.0)


def load(folder: Path) -> Snapshot:
    return loading.load(loading.rule_files(folder), LANGUAGE)


def told(read: Callable[[], object], folder: Path) -> list[str]:
    with pytest.raises(ProblemsError) as caught:
        read()
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_all_yaml_of_a_folder_is_one_rule_set_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "c.test.yaml", "e.yaml.bak", "f.txt"):
        (tmp_path / name).write_text(rule().replace("id: r", f"id: {name[0]}"))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "g.yaml").write_text(rule())
    assert [each.id for each in load(tmp_path).ruleset.rules] == ["a", "b"]


def test_what_is_loaded_is_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    """A reload freezes what it loads, so cycles in it would stay for ever."""
    (tmp_path / "a.yaml").write_text(EVERY_KEY)
    load(tmp_path)  # what is made once and kept
    gc.collect()
    gc.disable()
    try:
        loaded = load(tmp_path)
        assert decided(loaded.ruleset, event()) is not None
        gc.collect()
        del loaded
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_garbage_collector_is_as_it_was_after_loading(tmp_path: Path) -> None:
    before = gc.get_threshold()
    (tmp_path / "a.yaml").write_text(rule())
    load(tmp_path)
    assert gc.get_threshold() == before
    (tmp_path / "b.yaml").write_text("rulse: []")
    told(lambda: load(tmp_path), tmp_path)
    assert gc.get_threshold() == before


def test_what_is_let_go_is_gone() -> None:
    held = [object(), object()]
    loading.let_go(held)
    assert held == []


def test_a_folder_without_rules_is_a_rule_set_without_rules(tmp_path: Path) -> None:
    assert load(tmp_path).ruleset.rules == ()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    lines = told(lambda: load(tmp_path / "none"), tmp_path)
    assert lines == [f"none: unreadable: there is no such folder ({loading.FOLDER})"]


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rule())
    (line,) = told(lambda: load(tmp_path / "a.yaml"), tmp_path)
    assert line.startswith("a.yaml: unreadable: Not a directory (say where")


def test_promise_5_a_folder_that_can_not_be_listed_is_not_one_without_rules(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "a" / "rules"
    closed.mkdir(parents=True)
    code = (
        "import os, sys; from pathlib import Path; from pbxrules import loading\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setuid(65534)\n"
        "try: print(loading.rule_files(Path(sys.argv[1])))\n"
        "except loading.ProblemsError as exc: print(exc)\n"
    )
    for folder in (closed, closed.parent):
        for above in (tmp_path, *tmp_path.parents[:2]):
            above.chmod(0o755)
        folder.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", code, closed], capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(f"{closed}: unreadable: Permission denied (say where")
        folder.chmod(0o755)


def test_a_rule_file_with_another_suffix_is_told_with_all_that_is_wrong_elsewhere(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").write_text(rule("{evnt: ring}"))
    (tmp_path / "b.yml").write_text(rule())
    (tmp_path / "c.test.yml").write_text("tests: []\n")
    assert told(lambda: load(tmp_path), tmp_path) == [
        "a.yaml:3:14: unknown-field: no event has a field 'evnt' (did you mean 'event'?)",
        "b.yml: wrong-suffix: rule files end in .yaml (rename it to b.yaml)",
        "c.test.yml: wrong-suffix: rule files end in .yaml (rename it to c.test.yaml)",
    ]


def test_files_that_can_not_be_read_are_told_with_all_that_is_wrong_elsewhere(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").write_text(rule("{evnt: ring}"))
    (tmp_path / "b.yaml").write_bytes(b"rules: []\n# caf\xe9\n")
    (tmp_path / "c.yaml").mkdir()
    (tmp_path / "d.yaml").symlink_to("nowhere")
    (tmp_path / "e.yaml").write_text(f"rules: []\n# {'x' * MAX_BYTES}")
    assert told(lambda: load(tmp_path), tmp_path) == [
        "a.yaml:3:14: unknown-field: no event has a field 'evnt' (did you mean 'event'?)",
        "b.yaml:1:1: unreadable: byte 16 is no UTF-8: save the file as UTF-8",
        "c.yaml:1:1: unreadable: Is a directory",
        "d.yaml:1:1: unreadable: No such file or directory",
        (
            "e.yaml:1:1: too-large: a file may hold 1 MiB, and this one is larger"
            " (split it; all *.yaml of a folder are one rule set)"
        ),
    ]


def test_a_file_that_can_not_be_read_is_told_when_all_others_are_good(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rule())
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    lines = told(lambda: load(tmp_path), tmp_path)
    assert lines == ["b.yaml:1:1: unreadable: byte 1 is no UTF-8: save the file as UTF-8"]


def test_a_large_file_is_read_no_further_than_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 36)  # 64 GiB of zeros, none of them on the disk
    (line,) = told(lambda: load(tmp_path), tmp_path)
    assert line.startswith("a.yaml:1:1: too-large:")


# --- Schemas of the user's own ----------------------------------------------------------------


def test_an_event_of_the_users_own_is_known_by_its_file(tmp_path: Path) -> None:
    document = {"properties": {"action": {"const": "DTMF"}}, "required": ["digit"]}
    (tmp_path / "dtmf.schema.json").write_text(json.dumps(document))
    (tmp_path / "notes.txt").write_text("no schema")
    found = loading.language(schemas=tmp_path)
    assert "dtmf" in found.events
    assert found.events[-1] == "other"
    assert found.event_schemas["DTMF"].event == "dtmf"
    assert "ring" in found.events


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("{", "Expecting property name", id="no JSON"),
        pytest.param(
            '{"properties": {"action": {"const": "RING"}}}',
            "x: the action 'RING' is already ring",
            id="an action that is ours",
        ),
        pytest.param("{}", "x: properties.action needs a const", id="no action"),
        pytest.param(
            '{"properties": {"action": {"const": {}}}}',
            "x: properties.action needs a const",
            id="an action that is no text",
        ),
        pytest.param("[]", "x: properties.action needs a const", id="a list"),
        pytest.param(
            '{"properties": {"action": {"const": "X"}, "a": {"type": "strin"}}}',
            """x: /properties/a/type: "strin" is not valid""",
            id="a type that there is not",
        ),
        pytest.param(
            '{"properties": {"action": {"const": "X"}, "a": {"pattern": "("}}}',
            """x: /properties/a/pattern: "(" is not a "regex\"""",
            id="a pattern that is none",
        ),
        pytest.param(
            '{"properties": {"action": {"const": "X"}, "a": {"$ref": "http://h/"}}}',
            "x: ",
            id="a schema of the web",
        ),
    ],
)
def test_a_schema_that_can_not_be_is_told_with_its_folder(
    text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "x.schema.json").write_text(text)
    (line,) = told(lambda: loading.language(schemas=tmp_path), tmp_path.parent)
    assert line.startswith(f"{tmp_path.name}: unreadable: ")
    assert why in line
    assert line.isprintable()


def test_a_folder_of_schemas_that_is_not_there_is_told(tmp_path: Path) -> None:
    lines = told(lambda: loading.language(schemas=tmp_path / "none"), tmp_path)
    assert lines == ["none: unreadable: there is no such folder"]


def test_the_zone_is_that_of_the_configuration_else_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert str(loading.language().zone) == "Asia/Tokyo"
    assert str(loading.language(timezone="Europe/Berlin").zone) == "Europe/Berlin"


# --- Programs of runs ----------------------------------------------------------------------------


def loaded(program: Program, digest: str) -> LoadedRun:
    run = Run(
        id=1_000_001, event_id=1, rule=program.rule, program=digest, trigger="1",
        position="actions/0", verb="log", due=NOW, expires_s=None, next_try=NOW, attempt=0,
        tried=(),
    )  # fmt: skip
    return LoadedRun(run=run, event=event(), call="", source=json.loads(program.text))


def test_a_run_goes_on_with_the_program_it_began_with(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rule())
    before = load(tmp_path)
    (begun,) = decided(before.ruleset, event()).fired
    kept = loaded(begun.program, begun.program.digest)
    assert before.program_of(kept) is begun.program

    (tmp_path / "a.yaml").write_text(rule(actions="[{log: changed}]"))
    after = load(tmp_path)
    (changed,) = after.ruleset.rules
    assert changed.program.digest != begun.program.digest
    assert after.program_of(kept).text == begun.program.text != changed.program.text

    (tmp_path / "a.yaml").unlink()
    assert load(tmp_path).program_of(kept).text == begun.program.text


def test_the_same_rule_has_the_same_digest_in_another_process(tmp_path: Path) -> None:
    """It names the program in the store."""
    (tmp_path / "a.yaml").write_text(rule())
    snapshot = load(tmp_path)
    (only,) = snapshot.ruleset.rules
    assert only.program.digest == "b3686162db31d88ecc0447e9f353909f"
