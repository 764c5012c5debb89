"""``docs/tutorial.md``, followed as its reader would follow it.

What it does under systemd is followed by ``scripts/under-systemd``, which boots one of its own.
"""

from itertools import takewhile
from pathlib import Path

import pytest

from tests.following import Command, File, Terminal, alike, steps
from tests.processes import HOST, PBXRULES, Mosquitto, environment, free_port

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
STEPS = list(steps(TUTORIAL.read_text("utf-8")))
HERE = list(takewhile(lambda step: not (isinstance(step, Command) and "sudo" in step.typed), STEPS))


def test_what_the_tutorial_says_is_what_its_reader_sees(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        listen = f"{HOST}:{free_port()}"
        env = {**environment(), "PBXRULES_LISTEN": listen, "HOME": str(tmp_path)}
        env["PATH"] = f"{Path(PBXRULES).parent}:{env['PATH']}"
        instead = {
            "127.0.0.1:1883": f"{HOST}:{broker.port}",
            "mosquitto_sub ": f"mosquitto_sub -p {broker.port} ",
        }
        with Terminal(tmp_path, env, instead) as terminal:
            for step in HERE:
                shown = terminal.follow(step)
                if isinstance(step, Command):
                    assert alike(shown) == alike(step.shown), step.typed
                else:
                    assert not shown.strip(), step.name


def test_the_tutorial_has_commands_and_files_up_to_systemd() -> None:
    assert len([step for step in HERE if isinstance(step, File)]) >= 3
    assert len([step for step in HERE if isinstance(step, Command)]) >= 10
    assert any("systemctl" in step.typed for step in STEPS if isinstance(step, Command))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("at 2026-11-25T02:29:01.672+00:00 it", "at TIME it"),
        ("call_id=1795573741.42670", "call_id=CALL"),
        ("all passed (0.05 s)", "all passed (SECONDS)"),
        ("rule 0301234 of 101  ", "rule 0301234 of 101"),
    ],
)
def test_only_what_is_another_one_each_time_is_not_compared(text: str, word: str) -> None:
    assert alike(text) == word
