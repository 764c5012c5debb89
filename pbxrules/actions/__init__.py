"""How each verb is performed; one module for each, named as the verb in the YAML."""

from collections.abc import Awaitable
from typing import Protocol

from pbxrules.model import Delivery, Outcome

KEPT_BYTES = 64 * 1024
"""Of what a command prints or a target answers, in the result that ``register`` keeps."""


def kept_text(output: bytes, most: int = KEPT_BYTES, *, encoding: str = "utf-8") -> str:
    """*output* as text of at most so many bytes in UTF-8; what is no text becomes U+FFFD."""
    text = output[:most].decode(encoding, "replace")
    # U+FFFD has three bytes, and other encodings' letters have two.
    return text.encode("utf-8", "replace")[:most].decode(errors="ignore")


class Performer(Protocol):
    """Performs the deliveries of one verb."""

    concurrency: int
    """How many deliveries may be under way at once."""
    per_rule: int | None
    """How many of them may be one rule's, so that a slow one leaves room for the others."""

    def ready(self) -> bool:
        """False: hold deliveries back, such as while there is no broker."""

    def perform(self, delivery: Delivery) -> Awaitable[Outcome]:
        """Try *delivery* once; never raises but when cancelled, and then leaves nothing."""

    async def close(self) -> None:
        """Let go of everything; what was under way is owed still."""
