"""The reports that are sent: one inbound RING, as the PBX writes it, with ids of its own.

The shape, header lines included, is the manufacturer's own example
(``wire/openvox/6-ring-inbound.http``).  Only the ids differ from report to
report.  A callid is ``epoch.counter``, and a receiver may take ids that are near
each other for one call, so here each call is 5 s and 10 counters from the next.
"""

from collections.abc import Iterable

EXTENSION = "101"
TRUNK = "to-18-16-2"
FIRST_EPOCH = 1_589_948_512
FIRST_COUNTER = 1709
EPOCH_STEP = 5
COUNTER_STEP = 10

# The two %s are the callid and the inboundid, which is smaller by 2.
BODY = (
    '{"action":"RING","callid":"%s","ext":{"extid":"'
    + EXTENSION
    + '"},"inbound":{"from":"103","to":"101","trunk":"'
    + TRUNK
    + '","inboundid":"%s"},"sn":"a09805021987"}'
)


def head(*, port: int, path: str) -> str:
    """Return the report's head with ``%d`` for the length of the body.

    The example's request line has no path; neither wrk nor ``webhook`` takes
    that, so all contestants get the one that HTTP asks for.
    """
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host:127.0.0.1:{port}",
        "Content-Length:%d",
        "Accept: application/json",
        "Content-Type:application/json",
        "Connection:close",
    )
    return "".join(f"{line}\r\n" for line in lines) + "\r\n"


def call_id(number: int) -> str:
    """Return the callid of call *number*; ``report.lua`` makes the same."""
    return f"{FIRST_EPOCH + EPOCH_STEP * number}.{FIRST_COUNTER + COUNTER_STEP * number}"


def number_of(call: str) -> int:
    """Return the number whose :func:`call_id` is *call*.

    Raises:
        ValueError: No report of this bench has that callid.
    """
    number = (int(call.partition(".")[2]) - FIRST_COUNTER) // COUNTER_STEP
    if call_id(number) != call:
        msg = f"{call!r} is no callid of this bench"
        raise ValueError(msg)
    return number


def report(number: int, *, port: int, path: str) -> bytes:
    """Return the whole request for call *number*."""
    call = call_id(number)
    epoch, _, counter = call.partition(".")
    body = BODY % (call, f"{epoch}.{int(counter) - 2}")
    return (head(port=port, path=path) % len(body) + body).encode()


def missing(delivered: Iterable[str], numbers: range) -> list[int]:
    """Return those of *numbers* whose callid is not among *delivered*, in order."""
    return sorted(set(numbers) - {number_of(call) for call in set(delivered)})
