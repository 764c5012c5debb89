"""Follows a document as its reader would: its files are written, its commands typed.

A file is a ``yaml`` block behind a line that ends with its name and a colon.  In a ``console``
block what stands behind ``$`` is typed, and what follows is what the terminal has to show then.
Nothing but the standard library, for it also runs where nothing else is installed.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PATIENCE_S = 60.0
_BLOCK = re.compile(
    r"^(?:(?P<before>[^\n]*)\n\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NAME = re.compile(r"`([^`]+)`[^`]*:$")
_CHANGES = (
    (re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?"), "TIME"),
    (re.compile(r"\b\d{10}\.\d+"), "CALL"),
    (re.compile(r"\(\d+\.\d\d s\)"), "(SECONDS)"),
)
"""What is another one each time."""


@dataclass(frozen=True, slots=True)
class File:
    """One that the reader writes."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One that the reader types, and what the terminal then shows."""

    typed: str
    shown: str


def steps(document: str) -> Iterator[File | Command]:
    """What its reader does, in order."""
    for found in _BLOCK.finditer(document):
        name = _NAME.search(found["before"] or "")
        if found["kind"] == "yaml" and name is not None:
            yield File(name[1], found["text"])
        elif found["kind"] == "console":
            for part in re.split(r"^\$ ", found["text"], flags=re.MULTILINE)[1:]:
                typed, _, shown = part.partition("\n")
                yield Command(typed, shown)


def alike(text: str) -> str:
    """*text* with one word for whatever is another one each time."""
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


@dataclass(slots=True)
class Terminal:
    """A shell that stays, so that folders and background jobs do."""

    folder: Path
    environment: Mapping[str, str]
    instead: Mapping[str, str] = field(default_factory=dict)
    """What is typed in place of what the document says, such as other ports."""
    _shell: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        shell, self._shell = self._shell, None
        assert shell is not None
        assert shell.stdin
        assert shell.stdout
        with shell.stdin, shell.stdout:
            # Whatever stays in the background is of its process group.
            shell.stdin.write("trap '' TERM; kill 0; wait; exit\n")
            shell.stdin.flush()
            shell.wait(PATIENCE_S)

    def follow(self, step: File | Command) -> str:
        """Do it; what the terminal shows, in the document's words."""
        if isinstance(step, File):
            return self.type(f"cat > {step.name} <<'END'\n{step.text}END")
        shown = self.type(step.typed)
        if step.typed.endswith("&"):
            self._await_port()
        return shown

    def type(self, command: str) -> str:
        """Run *command*; its output."""
        assert self._shell is not None
        assert self._shell.stdin
        assert self._shell.stdout
        for said, meant in self.instead.items():
            command = command.replace(said, meant)
        self._shell.stdin.write(f"{command}\necho; echo END-OF-$?\n")
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith("END-OF-"):
                break
            lines.append(line)
        shown = "".join(lines)
        for said, meant in self.instead.items():
            shown = shown.replace(meant, said)
        return shown.replace(str(self.folder), "~")

    def _await_port(self) -> None:
        """Where a server was started, wait until it listens, as its reader does."""
        where = self.environment.get("PBXRULES_LISTEN", "127.0.0.1:8080")
        host, _, port = where.rpartition(":")
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"nothing listens on {where}")


def main() -> None:
    """Follow the document that the first argument names, and say how it differs."""
    told: list[str] = []
    good = True
    with Terminal(Path.cwd(), os.environ) as terminal:
        for step in steps(Path(sys.argv[1]).read_text("utf-8")):
            shown = alike(terminal.follow(step))
            wanted = alike(step.shown) if isinstance(step, Command) else ""
            told += [f"$ {step.typed}" if isinstance(step, Command) else f"# {step.name}", shown]
            if shown != wanted:
                good = False
                told.append(f"!!! the document says:\n{wanted}")
    sys.stdout.write("\n".join(told) + "\n")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
