"""Deliveries as the dispatcher hands them to an action."""

from collections.abc import Mapping
from typing import Any

from pbxrules.model import Delivery, Event, FieldValue

RING: Mapping[str, FieldValue] = {
    "event": "ring",
    "action": "RING",
    "received_at": "2026-03-29T01:59:50+00:00",
    "caller": "+4930123456",
    "extension": "101",
}


def delivery(
    verb: str,
    args: Mapping[str, Any],
    *,
    fields: Mapping[str, FieldValue] | None = None,
    payload: Mapping[str, Any] | None = None,
    timeout_s: float = 20.0,
    uses_secret: bool = False,
) -> Delivery:
    """A first try of *verb*, started by a ring on 101 with *fields* besides."""
    return Delivery(
        id="run-7/actions/0",
        verb=verb,
        args=args,
        event=Event(fields={**RING, **(fields or {})}, payload=payload or {"action": "RING"}),
        attempt=1,
        timeout_s=timeout_s,
        left_s=None,
        uses_secret=uses_secret,
    )
