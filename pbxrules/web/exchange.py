"""One request on its way: what every form of it has in common, and all those under way."""

import asyncio
import logging
from abc import ABC, abstractmethod

from tornado.iostream import IOStream

from pbxrules.errors import ReportError, StoreError
from pbxrules.intake import Intake, Receipt
from pbxrules.web import answers
from pbxrules.web.answers import Answer

logger = logging.getLogger("pbxrules.web")

MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024
MAX_DISCARDED = 1024 * 1024
"""A body that is too large is read up to this much, so that its sender reads the answer."""
PATHS = ("/", "/events")
NOT_ALLOWED, TOO_LARGE = 405, 413


class Exchanges:
    """The requests under way."""

    def __init__(self, intake: Intake, header_timeout_s: float, body_timeout_s: float) -> None:
        self.intake = intake
        self.header_timeout_s = header_timeout_s
        self.body_timeout_s = body_timeout_s
        self.loop = asyncio.get_running_loop()
        self._heads: set[Exchange] = set()
        """Connections that have not sent a whole head yet."""
        self._open: set[Exchange] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def awaits_head(self, exchange: "Exchange") -> None:
        """It is connected, and has asked for nothing yet."""
        self._heads.add(exchange)

    def began(self, exchange: "Exchange") -> None:
        """Its head was read."""
        self._heads.discard(exchange)
        self._open.add(exchange)
        self._idle.clear()

    def ended(self, exchange: "Exchange") -> None:
        """It was answered, or nobody waits for an answer any more."""
        self._heads.discard(exchange)
        self._open.discard(exchange)
        if not self._open:
            self._idle.set()

    @property
    def connected(self) -> int:
        """How many connections sent no whole head yet, or wait for an answer."""
        return len(self._heads) + len(self._open)

    async def all_answered(self) -> None:
        """Come back once no request is under way."""
        await self._idle.wait()

    def cut(self) -> None:
        """Close what is still not answered."""
        for exchange in (*self._heads, *self._open):
            exchange.cut()


class Exchange(ABC):
    """One request and its answer.

    How the request is read and the answer written is its form's own: ``plain`` for what the
    PBX sends, ``general`` for everything else.
    """

    def __init__(self, exchanges: Exchanges, stream: IOStream) -> None:
        self._exchanges = exchanges
        self._stream = stream
        self._timer: asyncio.TimerHandle | None = None
        self._asked = b""
        """Its request line."""
        self._chunks: list[bytes] = []
        self._size = 0

    @abstractmethod
    def _write(self, answer: Answer) -> None:
        """Write *answer*; the stream is open."""

    def cut(self) -> None:
        """Close it without an answer."""
        self._stream.close()
        self._end()

    def _close_after(self, seconds: float) -> None:
        """Close it then, unless it came on.

        One timer of ours: Tornado's timeouts make a future and a task for each.
        """
        self._timer = self._exchanges.loop.call_later(seconds, self._stream.close)

    def _in_time(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _keep(self, chunk: bytes) -> None:
        """Count a piece of the body, and keep it, up to 64 KiB in all."""
        left = MAX_BODY - self._size
        self._size += len(chunk)
        if left >= len(chunk):
            self._chunks.append(chunk)
        elif left > 0:
            self._chunks.append(chunk[:left])

    def _take(self, body: bytes) -> None:
        try:
            self._exchanges.intake.accept(body, self._reply)
        except ReportError as exc:
            self._answer(answers.refused(exc))
        except Exception:  # else its sender waits for ever
            logger.exception("a report broke its reading")
            self._answer(answers.broken())

    def _refuse(self, error: ReportError) -> None:
        """Answer *error*, which the intake does not know of yet."""
        self._keep_refused(error)
        self._answer(refusal(error))

    def _keep_refused(self, error: ReportError) -> None:
        """Keep what was refused to look at: the body if that is why, else the request line."""
        body = b"".join(self._chunks) if error.status == TOO_LARGE else b""
        self._chunks.clear()
        self._exchanges.intake.refuse(body or self._asked, error)

    def _reply(self, fate: Receipt | StoreError) -> None:
        if isinstance(fate, StoreError):
            self._answer(answers.unavailable(fate))
        else:
            self._answer(answers.accepted(fate))

    def _answer(self, answer: Answer) -> None:
        if not self._stream.closed():
            self._write(answer)
        self._end()

    def _end(self) -> None:
        self._exchanges.ended(self)


def seen(writing: "asyncio.Future[None]") -> None:
    """Nobody waits for a written answer; a sender that has gone is no news."""
    if not writing.cancelled():
        writing.exception()


def too_large() -> ReportError:
    """What is said of a body of more than 64 KiB."""
    return ReportError(TOO_LARGE, f"A report has at most {MAX_BODY} bytes")


def refusal(error: ReportError) -> Answer:
    """The answer that says *error*."""
    allow = (("Allow", "POST"),) if error.status == NOT_ALLOWED else ()
    return answers.refused(error, allow)
