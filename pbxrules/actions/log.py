"""The action ``log``: a line among the daemon's own."""

import logging

from pbxrules.model import Delivery, Done, GiveUp, Outcome

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_logger = logging.getLogger("pbxrules.rules")


class Log:
    """Writes at once; there is nothing to wait for, so nothing to bound."""

    concurrency = 64
    per_rule: int | None = None

    def ready(self) -> bool:
        """Always."""
        return True

    async def perform(self, delivery: Delivery) -> Outcome:
        """Done as soon as it is handed to the log, which escapes what is no plain text."""
        text, level = delivery.args["text"], delivery.args.get("level", "info")
        if level not in LEVELS:
            return GiveUp(reason=f"'{level}' is no level: {' '.join(LEVELS)}")
        # As an argument: a '%' of a caller's name is no place for a value.
        _logger.log(LEVELS[level], "%s", text)
        return Done()

    async def close(self) -> None:
        """Nothing is held."""
