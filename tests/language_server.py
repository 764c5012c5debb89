"""A language server under way, and what an editor asks it (LSP 3.17, over its stdin and stdout).

It is a child of the test and ends with its block.  Nothing sleeps: whatever the server says
next is waited for by a ``select`` with a deadline.
"""

import itertools
import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PATIENCE_S = 30.0

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing that an editor underlines."""

    line: int
    """From 1."""
    under: str
    """The text that is underlined, as far as it stands on that line."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One entry of the list that an editor offers."""

    label: str
    documentation: str
    accepted: str
    """The whole file once this entry was chosen, its places to write over left as they are."""


class LanguageServer:
    """Runs while it is entered."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        settings: Mapping[str, Any],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            argv: The server, told to speak over stdio.
            settings: The editor's, by the section that the server asks for.
            env: None: that of the test.
        """
        self._argv = argv
        self._settings = settings
        self._env = env
        self._ids = itertools.count(1)
        self._unread = b""
        self._texts: dict[str, str] = {}
        self._found: dict[str, list[Message]] = {}

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._argv, stdin=pipe, stdout=pipe, env=self._env)
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "completion": {
                    "completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}
                },
                "hover": {"contentFormat": ["markdown"]},
            },
        }
        self.ask("initialize", processId=os.getpid(), rootUri=None, capabilities=capabilities)
        self.tell("initialized")
        self._receive(lambda said: said.get("method") == "workspace/configuration")

    def __exit__(self, *_: object) -> None:
        # It holds nothing that a slower end would save.
        self._process.kill()
        self._process.communicate()

    # --- What an editor asks ----------------------------------------------------------------

    def open(self, path: Path, text: str) -> None:
        """Show *text* as the file *path*, which need not be there."""
        uri = path.as_uri()
        assert uri not in self._texts, "what is published next may be about the first opening"
        self._texts[uri] = text
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", textDocument=document)

    def diagnostics(self, path: Path) -> list[Diagnostic]:
        """What is wrong with an open file, by the places where it stands."""
        uri = path.as_uri()
        while uri not in self._found:
            self._receive(lambda said: said.get("method") == "textDocument/publishDiagnostics")
        found = [_diagnostic(one, self._texts[uri]) for one in self._found[uri]]
        return sorted(found, key=lambda one: (one.line, one.message))

    def complete(self, path: Path, offset: int) -> list[Completion]:
        """What is offered at *offset* of an open file, in the order in which it is shown."""
        answer = self.ask("textDocument/completion", **self._place(path, offset))
        items = sorted(answer["items"], key=lambda item: item.get("sortText", item["label"]))
        return [_completion(item, self._texts[path.as_uri()]) for item in items]

    def hover(self, path: Path, offset: int) -> str:
        """What is shown for the word at *offset* of an open file; empty if nothing is."""
        answer = self.ask("textDocument/hover", **self._place(path, offset))
        return str(answer["contents"]["value"]) if answer else ""

    def _place(self, path: Path, offset: int) -> dict[str, Any]:
        uri = path.as_uri()
        before = self._texts[uri][:offset]
        # Columns are counted in UTF-16.
        column = len(before.rpartition("\n")[2].encode("utf-16-le")) // 2
        position = {"line": before.count("\n"), "character": column}
        return {"textDocument": {"uri": uri}, "position": position}

    # --- JSON-RPC ---------------------------------------------------------------------------

    def ask(self, method: str, **params: Any) -> Any:
        """The result of *method*."""
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        said = self._receive(lambda said: "method" not in said and said["id"] == number)
        assert "error" not in said, said["error"]
        return said["result"]

    def tell(self, method: str, **params: Any) -> None:
        """Say what has no answer."""
        self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin = self._process.stdin
        assert stdin
        stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        stdin.flush()

    def _receive(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message that is *wanted*; what comes before it is answered or kept."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            said = self._next(deadline)
            if "method" in said and "id" in said:
                self._send({"id": said["id"], "result": self._answer(said)})
            elif said.get("method") == "textDocument/publishDiagnostics":
                self._found[said["params"]["uri"]] = said["params"]["diagnostics"]
            if wanted(said):
                return said

    def _answer(self, said: Message) -> Any:
        if said["method"] == "workspace/configuration":
            return [self._settings.get(item["section"]) for item in said["params"]["items"]]
        return None

    def _next(self, deadline: float) -> Message:
        while b"\r\n\r\n" not in self._unread:
            self._read_more(deadline)
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n"))
        length = int(fields["Content-Length"])
        while len(self._unread) < length:
            self._read_more(deadline)
        body, self._unread = self._unread[:length], self._unread[length:]
        message: Message = json.loads(body)
        return message

    def _read_more(self, deadline: float) -> None:
        stdout = self._process.stdout
        assert stdout
        ready, _, _ = select.select([stdout], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"the language server said nothing for {PATIENCE_S:g} s"
        data = os.read(stdout.fileno(), 1 << 16)
        assert data, "the language server has ended"
        self._unread += data


def _diagnostic(found: Message, text: str) -> Diagnostic:
    start, end = found["range"]["start"], found["range"]["end"]
    line = text.splitlines()[start["line"]]
    last = end["character"] if end["line"] == start["line"] else len(line)
    return Diagnostic(
        line=start["line"] + 1, under=line[start["character"] : last], message=found["message"]
    )


def _completion(item: Message, text: str) -> Completion:
    documentation = item.get("documentation") or ""
    if isinstance(documentation, dict):
        documentation = documentation["value"]
    return Completion(
        label=item["label"], documentation=documentation, accepted=_accepted(item["textEdit"], text)
    )


def _accepted(edit: Message, text: str) -> str:
    start, end = (_offset(edit["range"][which], text) for which in ("start", "end"))
    line = text[:start].rpartition("\n")[2]
    # Editors give each further line the indentation of the first.
    indentation = line[: len(line) - len(line.lstrip())]
    inserted = edit["newText"].replace("\n", f"\n{indentation}")
    inserted = re.sub(r"\$\{\d+:((?:\\.|[^\\}])*)\}|\$\d+", r"\1", inserted)
    return text[:start] + re.sub(r"\\([\\$}])", r"\1", inserted) + text[end:]


def _offset(position: Message, text: str) -> int:
    """Where a position is in *text*, whose lines up to it are ASCII."""
    lines = text.splitlines(keepends=True)[: position["line"]]
    return sum(map(len, lines)) + int(position["character"])
