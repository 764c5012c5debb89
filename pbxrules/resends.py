"""Which reports were already accepted, so that one sent again starts nothing twice.

The PBX sends a report again until it is answered 200.  A resend is the same bytes within
a span of when they were last seen (``span_s``), or, for the status of an extension, while
no other status of that extension came between.  Source: the design's ``wire.md``.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from pbxrules.model import Event, Moment

SHORT_S = 10.0
LONG_S = 86_400.0
MAX_REMEMBERED = 100_000
"""Of each kind; beyond it the ones that were not seen for longest are forgotten."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """A report that was accepted, or is about to be."""

    id: int
    event: str
    digest: bytes
    subject: str | None
    resend_s: float
    rules: tuple[str, ...]
    last_seen: Moment
    before: "Seen | None" = None
    """The status that this one followed, until this one is on disk."""


def span_s(event: Event) -> float:
    """For how many seconds since it was last seen the same bytes are a resend."""
    if event.kind in ("ring", "alert") or "call_id" not in event.fields:
        return SHORT_S
    return LONG_S


def subject(event: Event) -> str | None:
    """Whose status the event tells, for an ``extension_status``; else None."""
    if event.kind != "extension_status":
        return None
    return f"{event.fields.get('pbx', '')}/{event.fields.get('extension', '')}"


class Resends:
    """The reports last seen, by the digest of their bytes; each kind in order of last seen."""

    def __init__(self) -> None:
        self._by_span: Mapping[float, OrderedDict[bytes, Seen]] = {
            SHORT_S: OrderedDict(),
            LONG_S: OrderedDict(),
        }
        self._statuses: OrderedDict[str, Seen] = OrderedDict()

    def find(self, digest: bytes, now: Moment) -> Seen | None:
        """The accepted report that these bytes repeat."""
        for span, reports in self._by_span.items():
            seen = reports.get(digest)
            if seen is not None and now.since(seen.last_seen) < span:
                return seen
        return None

    def find_status(self, subject: str, digest: bytes) -> Seen | None:
        """As ``find``, for the status of an extension: only its last one is repeated."""
        seen = self._statuses.get(subject)
        return None if seen is None or seen.digest != digest else seen

    def again(self, seen: Seen, now: Moment) -> None:
        """A resend of *seen* is on disk: its span counts from *now*."""
        seen.last_seen = now
        if seen.subject is not None:
            if self._statuses.get(seen.subject) is seen:
                self._statuses.move_to_end(seen.subject)
        elif self._by_span[seen.resend_s].get(seen.digest) is seen:
            self._by_span[seen.resend_s].move_to_end(seen.digest)

    def add(self, seen: Seen) -> None:
        """Remember an accepted report, and forget those that are too old or too many."""
        if seen.subject is not None:
            seen.before = self._statuses.get(seen.subject)
            self._statuses[seen.subject] = seen
            self._statuses.move_to_end(seen.subject)
            if len(self._statuses) > MAX_REMEMBERED:
                self._statuses.popitem(last=False)
            return
        reports = self._by_span[seen.resend_s]
        reports[seen.digest] = seen
        reports.move_to_end(seen.digest)
        while reports:
            oldest = next(iter(reports.values()))
            age = seen.last_seen.since(oldest.last_seen)
            if age < seen.resend_s and len(reports) <= MAX_REMEMBERED:
                break
            del reports[oldest.digest]

    def settle(self, seen: Seen) -> None:
        """The report is on disk: no status before it can become the last one again."""
        seen.before = None

    def forget(self, seen: Seen) -> None:
        """Forget a report that could not be written: it was never seen."""
        if seen.subject is not None:
            self._forget_status(seen, seen.subject)
        elif self._by_span[seen.resend_s].get(seen.digest) is seen:
            del self._by_span[seen.resend_s][seen.digest]

    def _forget_status(self, seen: Seen, subject: str) -> None:
        later = self._statuses.get(subject)
        if later is not seen:
            # Others came behind it, and wait for their own commits.
            while later is not None and later.before is not seen:
                later = later.before
            if later is not None:
                later.before = seen.before
        elif seen.before is None:
            del self._statuses[subject]
        else:
            self._statuses[subject] = seen.before
