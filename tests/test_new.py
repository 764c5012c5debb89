"""``pbxrules new``: asked and answered, and what is in the folder then."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pbxrules import loading
from pbxrules.cli import main
from pbxrules.drafts import Folder
from pbxrules.errors import ProblemsError
from pbxrules.newrule import Wish
from tests.rulefiles import rule

LAMP = ("--extension", "101", "--mqtt", "home/hall/lamp/set")


def pbxrules(*args: object, typed: str = "") -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(arg) for arg in args], input=typed)
    return done.exit_code, done.stdout, done.stderr


def new(folder: Path, *args: object, typed: str = "") -> tuple[int, str, str]:
    return pbxrules("new", "--rules", folder, *args, typed=typed)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# --- flags -----------------------------------------------------------------------------------


def test_flags_are_enough_and_what_they_make_is_good_and_passes(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "rules"
    code, out, err = new(folder, *LAMP, "--id", "hall-lamp", "--yes")
    assert (code, err) == (0, "")
    assert names(folder) == ["hall-lamp.test.yaml", "hall-lamp.yaml"]
    assert out == (
        (folder / "hall-lamp.yaml").read_text()
        + f"wrote {folder}/hall-lamp.yaml, which is good,"
        + f" and {folder}/hall-lamp.test.yaml, which passes\n"
    )
    assert "triggers: {event: ring, extension: 101}" in out
    assert 'mqtt: {topic: home/hall/lamp/set, payload: "ON"}' in out
    assert "1 rule in 1 file is good, and 2 tests in 1 file" in pbxrules("check", folder)[1]
    assert "2 cases in 1 file: all passed" in pbxrules("test", folder)[1]


JSON = '{"a": "#1"}'


@pytest.mark.parametrize(
    ("flags", "written"),
    [
        pytest.param(
            ["--mqtt", "a", "--payload", "{{ caller }}"],
            'mqtt: {topic: a, payload: "{{ caller }}"}',
            id="mqtt",
        ),
        pytest.param(
            ["--command", "/bin/x -a '{{ caller }}'"],
            'shell: [/bin/x, -a, "{{ caller }}"]',
            id="a command",
        ),
        pytest.param(
            ["--url", "http://a.lan/x"], 'http: {url: "http://a.lan/x"}', id="a web request"
        ),
        pytest.param(
            ["--url", "http://a.lan", "--payload", JSON],
            'http: {url: "http://a.lan", json: {a: "#1"}}',
            id="a web request with JSON",
        ),
        pytest.param(["--log", "it: rings"], 'log: "it: rings"', id="a line in the log"),
    ],
)
def test_each_thing_that_can_happen(flags: list[str], written: str, tmp_path: Path) -> None:
    code, out, err = new(tmp_path, *flags, "--yes")
    assert (code, err) == (0, "")
    assert f"      - {written}\n" in out


def test_the_name_that_is_proposed_is_another_one_each_time(tmp_path: Path) -> None:
    for event in ("ring", "ring", "answer"):
        # Not the same again, or check would say so.
        message = f"{event} {len(names(tmp_path))}"
        new(tmp_path, "--event", event, "--extension", "101", "--log", message, "--yes")
    assert names(tmp_path) == [
        "answer-101.test.yaml", "answer-101.yaml",
        "ring-101-2.test.yaml", "ring-101-2.yaml", "ring-101.test.yaml", "ring-101.yaml",
    ]  # fmt: skip


def test_what_is_doubtful_beside_the_other_rules_is_told(tmp_path: Path) -> None:
    new(tmp_path, *LAMP, "--id", "b", "--yes")
    code, _, err = new(tmp_path, *LAMP, "--id", "c", "--yes")
    assert code == 0
    assert err.startswith(f"{tmp_path}/c.yaml:6:5: warning: duplicate-trigger")


def test_all_that_is_wrong_with_flags_is_told_at_once_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    flags = (
        "--event",
        "rong",
        "--trunk",
        "\x1b[2J",
        "--caller",
        "{{ caller }}",
        "--mqtt",
        "a/#",
        "--id",
        "a b",
    )
    code, out, err = new(tmp_path, *flags, "--yes")
    assert (code, out, names(tmp_path)) == (2, "", [])
    for said in (
        "--event: no report is the event 'rong'",
        "--trunk: the unseen character U+001B stands here",
        "--caller: a field test takes no templates",
        "--mqtt: '#' can't stand in a topic",
        "--id: 'a b' is not a name of letters",
    ):
        assert said in err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param([], "say what is to happen: --mqtt, --command, --url or --log", id="nothing"),
        pytest.param(
            ["--log", "x", "--mqtt", "y"], "--mqtt and --log: a rule that", id="two things"
        ),
        pytest.param(["--log", "x", "--payload", "y"], "--payload: it goes with", id="alone"),
        pytest.param(["--command", "say 'x"], "--command: No closing quotation", id="half a quote"),
    ],
)
def test_flags_that_are_no_rule_end_with_2(flags: list[str], said: str, tmp_path: Path) -> None:
    code, _, err = new(tmp_path, *flags, "--yes")
    assert (code, names(tmp_path)) == (2, [])
    assert said in err


# --- questions -------------------------------------------------------------------------------


def answers(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_a_wrong_answer_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    typed = answers(
        "rng", "ring", "0101", "to: #1", "030 12 34", "+49301234",
        "fly", "mqtt", "home/+", "home/{{ callr }}", "home/{{ extension }}", "{{ caller", "ON",
        "a b", "bell", "y",
    )  # fmt: skip
    code, out, err = new(tmp_path, typed=typed)
    assert code == 0
    reasons = [line.strip() for line in err.splitlines()]
    assert [next(word for word in WRONG if word in reason) for reason in reasons] == WRONG
    assert (tmp_path / "bell.yaml").read_text().splitlines()[3:] == [
        "rules:",
        "  - id: bell",
        '    triggers: {event: ring, extension: 0101, trunk: "to: #1", caller: +49301234}',
        "    actions:",
        '      - mqtt: {topic: "home/{{ extension }}", payload: "ON"}',
    ]
    assert out.count("The rule's name [ring-0101]: ") == 2
    assert "2 tests in 1 file" in pbxrules("check", tmp_path)[1]


WRONG = [
    "'ring'?", "part no numbers", "'fly'", "'+' can't stand", "'caller'?", "needs its '}}'",
    "name of letters",
]  # fmt: skip


def test_what_a_flag_tells_is_not_asked_and_what_an_event_never_has_neither(tmp_path: Path) -> None:
    typed = answers("", "", "y")
    code, out, _ = new(
        tmp_path, "--event", "extension_status", "--log", "{{ status }}", typed=typed
    )
    assert code == 0
    assert "Which phone" in out
    assert not [word for word in ("When", "trunk", "What is to happen") if f"{word} (" in out]


def test_each_deed_asks_for_what_it_needs(tmp_path: Path) -> None:
    for place, said in enumerate(
        [("command", "'", "/bin/x"), ("web", "a", "http://a.lan", "hi"), ("log", "it rings")]
    ):
        typed = answers("", "101", "", "", *said, f"r{place}", "")
        code, _, _ = new(tmp_path, typed=typed)
        assert code == 0
    assert 'http: {url: "http://a.lan", body: hi}' in (tmp_path / "r1.yaml").read_text()


def test_who_says_no_or_ends_the_input_gets_nothing_written(tmp_path: Path) -> None:
    code, out, err = new(tmp_path, *LAMP, typed=answers("", "", "", "ON", "", "n"))
    assert (code, err, names(tmp_path)) == (1, "nothing was written\n", [])
    assert "payload: " in out
    code, _, err = new(tmp_path, typed="ring\n")
    assert (code, names(tmp_path)) == (1, [])
    assert "Aborted!" in err


# --- the folder ------------------------------------------------------------------------------


@pytest.mark.parametrize("there", ["x.yaml", "x.test.yaml"])
def test_a_file_that_is_there_is_never_written_over(there: str, tmp_path: Path) -> None:
    before = "rules: []\n" if there == "x.yaml" else "tests: []\n"
    (tmp_path / there).write_text(before)
    code, _, err = new(tmp_path, *LAMP, "--id", "x", "--yes")
    assert (code, names(tmp_path)) == (2, [there])
    assert f"--id: {tmp_path}/{there} is there already" in err
    assert (tmp_path / there).read_text() == before


def test_a_link_to_nowhere_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "x.test.yaml").symlink_to(tmp_path / "elsewhere")
    folder = Folder(tmp_path / "none", loading.language())
    assert folder.faults_of_id(Wish(id="x")) == []
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "x.yaml").symlink_to(tmp_path / "elsewhere")
    code, _, err = new(tmp_path / "rules", *LAMP, "--id", "x", "--yes")
    assert code != 0
    assert not (tmp_path / "elsewhere").exists()
    assert err


def test_a_file_that_comes_meanwhile_is_not_written_over_either(tmp_path: Path) -> None:
    folder = Folder(tmp_path, loading.language())
    draft = folder.draft(Wish(id="x"))
    draft.test_file.write_text("mine")
    with pytest.raises(FileExistsError):
        folder.write(draft)
    assert names(tmp_path) == ["x.test.yaml"]
    assert draft.test_file.read_text() == "mine"


def test_what_turns_out_wrong_on_disk_is_taken_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path, loading.language())
    draft = folder.draft(Wish(id="x"))
    (tmp_path / "y.yaml").write_text("rules: [{id: x, triggers: any, actions: [{log: x}]}]\n")
    with pytest.raises(ProblemsError):
        folder.write(draft)
    assert names(tmp_path) == ["y.yaml"]


def test_a_rule_that_its_own_test_fails_is_taken_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path, loading.language())
    draft = folder.draft(Wish(id="bell"))
    other = draft.test.replace("rule: bell", "rule: bell, times: 9")
    with pytest.raises(ProblemsError) as caught:
        folder.write(replace(draft, test=other))
    assert {problem.code for problem in caught.value.problems} == {"test-fails"}
    assert names(tmp_path) == []


def test_an_id_that_another_rule_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rule().replace("id: r", "enabled: false\n  id: s"))
    code, _, err = new(tmp_path, *LAMP, "--id", "s", "--yes")
    assert code == 2
    assert "--id: the id 's' stands also at" in err


def test_rules_that_are_wrong_are_to_be_mended_first(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rule("{evnt: ring}"))
    code, out, err = new(tmp_path, *LAMP, "--yes")
    assert (code, out) == (2, "")
    assert "did you mean 'event'?" in err
    assert err.endswith("pbxrules: mend that first; then ask for a new rule\n")


def test_a_folder_that_can_not_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert new(tmp_path / "file", *LAMP, "--yes")[0] == 2
    code, _, err = new(tmp_path / "file" / "rules", *LAMP, "--yes")
    assert code == 1
    assert err.endswith("Not a directory; nothing was written\n")
