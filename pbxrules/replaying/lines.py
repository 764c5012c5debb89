"""Events in a file, one JSON object a line: reports with their moments, or what ``events`` prints.

``{"at": "2026-11-24T12:00:00.250+01:00", "report": {"action": "RING", …}}`` is a report as the
PBX sent it; what ``pbxrules events --json`` prints is an event, and knows what fired.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pbxrules import resends
from pbxrules.errors import ReportError
from pbxrules.language import Language
from pbxrules.model import NOTHING, Event, FieldValue, Moment
from pbxrules.pbx import openvox
from pbxrules.pbx.body import parse
from pbxrules.replaying.past import BOOT, Past
from pbxrules.replaying.player import FOR
from pbxrules.resends import Resends, Seen

MOST_BAD = 100
"""Beyond it nothing more is read: it is some other file."""
FORM = 'write {"at": "2026-11-24T12:00:00+01:00", "report": {"action": "RING"}}'
_NEEDED = ("event", "action", "received_at")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that holds no event, and why."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    """What is wrong with a line."""


class Reader:
    """Reads lines one after the other, and gathers what is wrong with them."""

    def __init__(self, name: str, language: Language) -> None:
        self.bad: list[BadLine] = []
        self.again = 0
        """Reports that were sent again: the daemon would not take them a second time."""
        self._name = name
        self._language = language
        self._last_s = 0.0
        self._resends: Resends | None = None

    def events(self, lines: Iterable[bytes]) -> Iterator[Past]:
        """The events of *lines*, numbered as these are."""
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                past = self._past(number, line)
            except _Wrong as exc:
                self.bad.append(BadLine(self._name, number, str(exc)))
                if len(self.bad) == MOST_BAD:
                    return
                continue
            if past is not None:
                yield past

    def _past(self, number: int, line: bytes) -> Past | None:
        """The event of a line; None where the daemon would know it."""
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            raise _Wrong(f"it is no JSON ({FORM})") from None
        if not isinstance(told, dict):
            raise _Wrong(f"it is no JSON object ({FORM})")
        if "report" in told:
            return self._report(number, told)
        if "fields" in told:
            return self._event(number, told)
        if "action" in told:
            raise _Wrong(f"when the report came is not told ({FORM})")
        raise _Wrong(f"it holds no report ({FORM})")

    # --- reports -----------------------------------------------------------------------------

    def _report(self, number: int, told: Mapping[str, Any]) -> Past | None:
        came = self._moment("at", told.get("at"))
        body = json.dumps(told["report"], separators=(",", ":")).encode()
        digest = hashlib.blake2b(body, digest_size=12).digest()
        if self._resends is None:
            self._resends = Resends(came)
        if self._is_known(self._resends.find(digest, came), came):
            return None
        event = self._read(body, came)
        subject = resends.subject(event)
        known = None if subject is None else self._resends.find_status(subject, digest)
        if self._is_known(known, came):
            return None
        seen = Seen(
            id=number, event=event.kind, digest=digest, subject=subject,
            resend_s=resends.span_s(event), rules=(), last_seen=came,
        )  # fmt: skip
        self._resends.add(seen)
        self._resends.settle(seen)
        return Past(id=number, came=came, event=event, fired=None)

    def _read(self, body: bytes, came: Moment) -> Event:
        at = datetime.fromtimestamp(came.wall_s, UTC).isoformat(timespec="milliseconds")
        schemas = self._language.event_schemas
        try:
            return openvox.read(parse(body), schemas=schemas, received_at=at)
        except ReportError as exc:
            errors = (f"{error.pointer} {error.message}".strip() for error in exc.errors)
            raise _Wrong("; ".join([exc.title, *errors])) from None

    def _is_known(self, seen: Seen | None, came: Moment) -> bool:
        if seen is None or self._resends is None:
            return False
        self._resends.again(seen, came)
        self.again += 1
        return True

    # --- events ------------------------------------------------------------------------------

    def _event(self, number: int, told: Mapping[str, Any]) -> Past:
        fields = told["fields"]
        if not isinstance(fields, dict):
            raise _Wrong("'fields' is no map")
        payload = fields.get("payload", {})
        if not isinstance(payload, dict):
            raise _Wrong("'payload' is no map")
        values = {name: _value(name, fields[name]) for name in fields if name != "payload"}
        lacking = [name for name in _NEEDED if not isinstance(values.get(name), str)]
        if lacking:
            raise _Wrong(f"'{lacking[0]}' is missing from its fields, or no text")
        came = self._moment("received_at", values["received_at"])
        event = Event(fields=values, payload=payload)
        fired, ended = _fired(told)
        return Past(id=number, came=came, event=event, fired=fired, ended=ended)

    def _moment(self, name: str, text: Any) -> Moment:
        if not isinstance(text, str):
            raise _Wrong(f"'{name}', when it came, is missing or no text ({FORM})")
        try:
            came = datetime.fromisoformat(text)
            zoned = came if came.tzinfo else came.replace(tzinfo=self._language.zone)
            wall_s = zoned.timestamp()
        except (ValueError, OverflowError):
            raise _Wrong(f"'{text}' is no moment ({FORM})") from None
        if wall_s < self._last_s:
            raise _Wrong(f"'{text}' is before the line above it: put them in order")
        self._last_s = wall_s
        return Moment(boot=BOOT, uptime_s=wall_s, wall_s=wall_s)


def _value(name: str, value: Any) -> FieldValue:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    raise _Wrong(f"the field '{name}' is no text, number or list of texts")


def _fired(told: Mapping[str, Any]) -> tuple[frozenset[str] | None, Mapping[str, str]]:
    """The rules that fired, None where nobody knows; and why a ``for`` did not."""
    rules, actions = told.get("rules"), told.get("actions", [])
    if not isinstance(rules, list) or not isinstance(actions, list):
        return None, NOTHING
    listed = [one for one in actions if isinstance(one, dict)]
    begun = [one.get("rule") for one in listed if one.get("action") != FOR]
    ended = {
        str(one.get("rule")): str(one.get("reason")) for one in listed if one.get("action") == FOR
    }
    return frozenset(str(rule) for rule in (*rules, *begun)), ended
