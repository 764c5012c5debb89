"""Which reports were already accepted, so that one sent again starts nothing twice.

The PBX sends a report again until it is answered 200.  A resend is the same bytes within
a span of when they were last seen (``span_s``), or, for the status of an extension, while
no other status of that extension came between.  Source: the design's ``wire.md``.
"""

from array import array
from collections import OrderedDict
from dataclasses import dataclass

from pbxrules.model import Event, Moment

SHORT_S = 10.0
LONG_S = 86_400.0
MAX_REMEMBERED = 100_000
"""Of each kind; beyond it the ones that were not seen for longest are forgotten."""
MAX_TELLINGS = 1_000
TRIM = 4_096
"""Forgotten rows that may stand before the first one that is remembered."""


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
    """The reports last seen, by the digest of their bytes."""

    def __init__(self, now: Moment) -> None:
        """Remember nothing yet; *now* says which boot this is."""
        self._by_span = {span: _Recent(span, now) for span in (SHORT_S, LONG_S)}
        self._statuses: OrderedDict[str, Seen] = OrderedDict()

    def find(self, digest: bytes, now: Moment) -> Seen | None:
        """The accepted report that these bytes repeat."""
        for recent in self._by_span.values():
            seen = recent.find(digest, now)
            if seen is not None:
                return seen
        return None

    def find_status(self, subject: str, digest: bytes) -> Seen | None:
        """As ``find``, for the status of an extension: only its last one is repeated."""
        seen = self._statuses.get(subject)
        return None if seen is None or seen.digest != digest else seen

    def again(self, seen: Seen, now: Moment) -> None:
        """A resend of *seen* is on disk: its span counts from *now*."""
        seen.last_seen = now
        if seen.subject is None:
            self._by_span[seen.resend_s].again(seen)
        elif self._statuses.get(seen.subject) is seen:
            self._statuses.move_to_end(seen.subject)

    def add(self, seen: Seen) -> None:
        """Remember an accepted report, and forget those that are too old or too many."""
        if seen.subject is None:
            self._by_span[seen.resend_s].add(seen)
            return
        seen.before = self._statuses.get(seen.subject)
        self._statuses[seen.subject] = seen
        self._statuses.move_to_end(seen.subject)
        if len(self._statuses) > MAX_REMEMBERED:
            self._statuses.popitem(last=False)

    def settle(self, seen: Seen) -> None:
        """The report is on disk: no status before it can become the last one again."""
        seen.before = None
        if seen.subject is None:
            self._by_span[seen.resend_s].settle(seen)

    def forget(self, seen: Seen) -> None:
        """Forget a report that could not be written: it was never seen."""
        if seen.subject is None:
            self._by_span[seen.resend_s].forget(seen)
        else:
            self._forget_status(seen, seen.subject)

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


class _Recent:
    """The reports of one span.

    At a thousand reports a second ten thousand of them are remembered for ten seconds.  So
    one that is on disk is a row in columns of plain numbers: 160 bytes of memory, not 530.
    """

    def __init__(self, span_s: float, start: Moment) -> None:
        self._span_s = span_s
        self._start = start
        self._waiting: OrderedDict[bytes, Seen] = OrderedDict()
        """Those that are not on disk yet, in order of last seen."""
        self._rows: dict[bytes, int] = {}
        """The number of each row; rows are numbered on and on."""
        self._first = self._head = 0
        """The number of the columns' first row; how many of the first rows are forgotten."""
        self._digests: list[bytes] = []
        self._ids = array("q")
        self._seen_s = array("d")
        """When each was last seen, in uptime of this boot."""
        self._told: list[_Told] = []
        self._again: set[bytes] = set()
        """Rows that were seen again, and do not stand in order any more."""
        self._tellings: dict[_Told, _Told] = {}
        """Few differ: each is kept once."""

    def find(self, digest: bytes, now: Moment) -> Seen | None:
        seen = self._waiting.get(digest)
        if seen is not None:
            return seen if now.since(seen.last_seen) < self._span_s else None
        row = self._rows.get(digest)
        if row is None or self._uptime(now) - self._seen_s[row - self._first] >= self._span_s:
            return None
        event, rules = self._told[row - self._first]
        return Seen(
            id=self._ids[row - self._first],
            event=event,
            digest=digest,
            subject=None,
            resend_s=self._span_s,
            rules=rules,
            last_seen=now,
        )

    def add(self, seen: Seen) -> None:
        if self._rows.pop(seen.digest, None) is not None:  # too old to be repeated
            self._again.discard(seen.digest)
        self._waiting[seen.digest] = seen
        self._waiting.move_to_end(seen.digest)
        self._forget_old(seen.last_seen)

    def settle(self, seen: Seen) -> None:
        if self._waiting.get(seen.digest) is not seen:
            return
        del self._waiting[seen.digest]
        told = (seen.event, seen.rules)
        if len(self._tellings) > MAX_TELLINGS:
            self._tellings.clear()
        self._append(
            seen.digest,
            seen.id,
            self._uptime(seen.last_seen),
            self._tellings.setdefault(told, told),
        )

    def again(self, seen: Seen) -> None:
        if self._waiting.get(seen.digest) is seen:
            self._waiting.move_to_end(seen.digest)
            return
        row = self._rows.get(seen.digest)
        if row is not None and self._ids[row - self._first] == seen.id:
            self._seen_s[row - self._first] = self._uptime(seen.last_seen)
            self._again.add(seen.digest)

    def forget(self, seen: Seen) -> None:
        if self._waiting.get(seen.digest) is seen:
            del self._waiting[seen.digest]

    def _append(self, digest: bytes, event_id: int, seen_s: float, told: "_Told") -> None:
        self._rows[digest] = self._first + len(self._ids)
        self._digests.append(digest)
        self._ids.append(event_id)
        self._seen_s.append(seen_s)
        self._told.append(told)

    def _forget_old(self, now: Moment) -> None:
        """Forget what is too old or too much, of the rows the oldest first."""
        before_s = self._uptime(now) - self._span_s
        while self._head < len(self._ids):
            digest = self._digests[self._head]
            if self._rows.get(digest) == self._first + self._head:
                many = len(self._rows) + len(self._waiting) > MAX_REMEMBERED
                if digest in self._again:
                    self._put_in_order(digest)
                elif self._seen_s[self._head] <= before_s or many:
                    del self._rows[digest]
                else:
                    break
            self._digests[self._head] = b""
            self._head += 1
        while len(self._waiting) > MAX_REMEMBERED:
            self._waiting.popitem(last=False)
        if self._head > TRIM:
            for column in (self._digests, self._ids, self._seen_s, self._told):
                del column[: self._head]
            self._first += self._head
            self._head = 0

    def _put_in_order(self, digest: bytes) -> None:
        """Put the first row, which was seen again, behind all others."""
        self._again.remove(digest)
        head = self._head
        self._append(digest, self._ids[head], self._seen_s[head], self._told[head])

    def _uptime(self, moment: Moment) -> float:
        if moment.boot == self._start.boot:
            return moment.uptime_s
        return self._start.uptime_s + (moment.wall_s - self._start.wall_s)


_Told = tuple[str, tuple[str, ...]]
"""What the answer to a resend says: the event, and the rules that it started."""
