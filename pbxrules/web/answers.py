"""What the PBX, or a person with curl, is answered."""

import json
from dataclasses import field

from pbxrules.errors import ReportError, StoreError
from pbxrules.intake import Receipt
from pbxrules.records import record

RETRY_AFTER_S = 5
REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    413: "Content Too Large", 422: "Unprocessable Content",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


@record(kw_only=False)
class Answer:
    """One HTTP response."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = field(default=())


def accepted(receipt: Receipt) -> Answer:
    """200, and no other 2xx: the PBX sends again until it reads exactly that."""
    text = json.dumps(
        {
            "id": receipt.id,
            "event": receipt.event,
            "rules": receipt.rules,
            "duplicate": receipt.duplicate,
        }
    )
    return Answer(200, text.encode() + b"\n", "application/json", ())


def refused(error: ReportError, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """The problem document of RFC 9457, with every error."""
    document = {
        "title": error.title,
        "status": error.status,
        "errors": [{"pointer": e.pointer, "message": e.message} for e in error.errors],
    }
    return Answer(
        status=error.status,
        body=json.dumps(document).encode() + b"\n",
        content_type="application/problem+json",
        headers=headers,
    )


def unavailable(_: StoreError) -> Answer:
    """503: the report can't be written now, and is to be sent again."""
    error = ReportError(503, "The report can't be stored now; send it again later")
    return refused(error, (("Retry-After", str(RETRY_AFTER_S)),))


def broken() -> Answer:
    """500: a defect of ours."""
    return refused(ReportError(500, "A defect of pbxrules; its log says more"))


def raw(answer: Answer) -> bytes:
    """The whole response as bytes, for a connection that is closed after it."""
    head = [
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin1") + answer.body
