"""A bar on stderr, where that is a terminal, and nothing anywhere else."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pasts import keep, ring
from tests.rulefiles import rule, ruleset

RING = rule("{event: ring}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``rules``, and the ``state`` that they left."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(RING + "  cooldown: 5m\n")
    keep(tmp_path / "state", ruleset(RING), [ring(n, extension="101") for n in range(5)])
    return tmp_path


def run(folder: Path, *args: str, shown: str = "", **env: str) -> tuple[bytes, bytes]:
    """What a command prints on stdout, and on a terminal, which is *shown*: stdout or stderr."""
    code = "from pbxrules.cli import main; main(__import__('sys').argv[1:])"
    argv = [sys.executable, "-c", code, *args, "--rules", "rules", "--state", "state"]
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env = {**inherited, "TERM": "xterm-256color", "COLUMNS": "200", **env}
    ours, its = pty.openpty()
    stdout = its if shown == "stdout" else subprocess.PIPE
    stderr = its if shown == "stderr" else subprocess.DEVNULL
    done = subprocess.run(argv, cwd=folder, env=env, stdout=stdout, stderr=stderr, check=True)
    os.close(its)
    text = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return done.stdout or b"", text


def _read(terminal: int) -> bytes:
    """Some of what is there; nothing at the end."""
    try:
        return os.read(terminal, 4096)
    except OSError:  # so ends a terminal that nobody holds any more
        return b""


BOTH = pytest.mark.parametrize("args", [["replay"], ["explain", "3"]], ids=["replay", "explain"])


@BOTH
def test_a_terminal_shows_a_bar_and_stdout_is_the_same_without(
    folder: Path, args: list[str]
) -> None:
    printed, bar = run(folder, *args, shown="stderr")
    assert "━".encode() in bar
    assert printed == run(folder, *args)[0]
    assert b"\x1b" not in printed


@BOTH
def test_a_terminal_shows_colours_unless_it_is_told_not_to(folder: Path, args: list[str]) -> None:
    colour = b"\x1b[3"
    assert colour in run(folder, *args, shown="stdout")[1]
    assert colour not in run(folder, *args, shown="stdout", NO_COLOR="1")[1]
