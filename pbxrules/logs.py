"""The log: one line a record, on stderr, as logfmt or JSON.

Whoever can place a call chooses text that comes here, so nothing in a value can end a
line, begin a field or move a terminal's cursor.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

from pbxrules.clock import iso

PRIORITIES = {
    logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2,
}  # fmt: skip
"""journald's levels, by sd-daemon(3)."""
LEVELS = ("debug", "info", "warning", "error")


def escape(text: str) -> str:
    r"""*text* on one line, with whatever is not printable as ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode()
        for char in text
    )


_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")
"""ASCII without space, quote, ``=`` and backslash."""


def _logfmt_value(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if _PLAIN.fullmatch(text):
        return text
    return '"' + escape(text).replace('"', '\\"') + '"'


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
        fields: dict[str, object] = {}
        if self._time:
            fields["time"] = iso(record.created)
        fields["level"] = record.levelname.lower()
        fields["msg"] = record.getMessage()
        fields |= getattr(record, "fields", {})
        if record.name != "pbxrules" and not record.name.startswith("pbxrules."):
            fields["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            fields["trace"] = self.formatException(record.exc_info)
        prefix = f"<{PRIORITIES.get(record.levelno, 6)}>" if self._priority else ""
        return prefix + self._line(fields)

    def _line(self, fields: Mapping[str, object]) -> str:
        if self._form == "json":
            # As ASCII: what a terminal or a log's reader might obey is escaped.
            return json.dumps(fields, default=str)
        return " ".join(f"{name}={_logfmt_value(value)}" for name, value in fields.items())


def start(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all logging to *stream* (stderr), one line a record."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
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
