"""The log: one line a record, on stderr, as logfmt or JSON.

Whoever can place a call chooses text that comes here, so nothing in a value can end a
line, begin a field or move a terminal's cursor.
"""

import contextlib
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from pbxrules.clock import iso
from pbxrules.printable import escape

PRIORITIES = {
    logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2,
}  # fmt: skip
"""journald's levels, by sd-daemon(3)."""
LEVELS = ("debug", "info", "warning", "error")


_is_plain = re.compile(r"[!#-<>-\[\]-~]+").fullmatch
"""ASCII without space, quote, ``=`` and backslash."""


def _logfmt_value(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if _is_plain(text) else '"' + escape(text).replace('"', '\\"') + '"'


class Formatter(logging.Formatter):
    """Renders a record, with its ``fields``, as one line."""

    def __init__(self, style: str, *, priority: bool, time: bool) -> None:
        """Render as *style* (``logfmt`` or ``json``).

        Args:
            style: The form of the line.
            priority: Begin it with journald's ``<6>``.
            time: Say when; journald knows by itself.
        """
        super().__init__()
        self._form = style
        self._priority = priority
        self._time = time

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told: dict[str, object] = {"msg": record.getMessage(), **getattr(record, "fields", {})}
        if record.name != "pbxrules" and not record.name.startswith("pbxrules."):
            told["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            told["trace"] = self.formatException(record.exc_info)
        prefix = f"<{PRIORITIES.get(record.levelno, 6)}>" if self._priority else ""
        time = iso(record.created) if self._time else ""
        level = record.levelname.lower()
        if self._form == "json":
            first = {"time": time} if time else {}
            # As ASCII: what a terminal or a log's reader might obey is escaped.
            return prefix + json.dumps({**first, "level": level, **told}, default=str)
        line = f"{prefix}time={time} level={level}" if time else f"{prefix}level={level}"
        # One line for each report: this loop is a tenth of all the time that a report takes.
        for name, value in told.items():
            if type(value) is str and _is_plain(value):
                line += f" {name}={value}"
            else:
                line += f" {name}={_logfmt_value(value)}"
        return line


class LineHandler(logging.StreamHandler):  # type: ignore[type-arg]  # not at run time
    """Writes the lines of one turn of the loop at once; a warning or worse at once with them.

    A write for each report, and giving up the interpreter for it, cost a tenth of the reports.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._soon: Callable[..., object] | None = None
        self._thread = 0

    def gather(self, soon: Callable[..., object] | None) -> None:
        """Write when *soon* comes to it (the loop's ``call_soon``, here); None: at once."""
        self.flush()
        self._soon, self._thread = soon, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; the caller holds the lock."""
        try:
            self._lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - a line must not stop what it tells of
            self.handleError(record)
            return
        here = threading.get_ident() == self._thread
        if self._soon is None or not here or record.levelno >= logging.WARNING:
            self.flush()
        elif len(self._lines) == 1:
            self._soon(self.flush)

    def flush(self) -> None:
        """Write what waits; where nobody can read it any more, it is gone."""
        assert self.lock is not None
        with self.lock, contextlib.suppress(OSError, ValueError):
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()


def gather(soon: Callable[..., object] | None) -> None:
    """Let the log write once a turn of the loop; None: each line at once again."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LineHandler):
            handler.gather(soon)


def start(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all logging to *stream* (stderr), one line a record."""
    stream = stream or sys.stderr
    handler = LineHandler(stream)
    journal = "JOURNAL_STREAM" in os.environ
    terminal = stream.isatty()
    handler.setFormatter(Formatter(style, priority=not terminal, time=not journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("pbxrules").setLevel(level.upper())
    # Nobody reads who called the logger; finding it out costs more than the line.
    logging._srcfile = None  # noqa: SLF001 - logging's own advice
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Tornado tells of every broken request; those that matter are told by web.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
