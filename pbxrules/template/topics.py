"""MQTT topics: no text of a call adds a level, a wildcard or what a broker hangs up on.

mosquitto 2.0.11 drops the connection at control characters, non-characters and more than 200
levels, and paho then sends the same message first again, for ever.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from pbxrules.template.parts import Fault, unfit
from pbxrules.template.values import RenderError, size

LONGEST: Final = 65_535
"""UTF-8 bytes: MQTT's length field has 16 bits."""
LEVELS: Final = 200
_NONCHARACTERS = "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_REFUSED = f"+#\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}"
_UNFIT: Final = re.compile(f"[{_REFUSED}]")
_ENCODED: Final = re.compile(f"[%/${_REFUSED}]")


def fault(text: str) -> Fault | None:
    """Why the author's *text* can't be a part of a topic."""
    if text.isascii() and text.isprintable() and "+" not in text and "#" not in text:
        return None  # Three times as fast as the search, for nearly all topics there are.
    found = _UNFIT.search(text)
    if found is None:
        return None
    wildcard = "wildcards are for who subscribes" if found[0] in "+#" else ""
    return unfit(found[0], "a topic", wildcard)


def encoded(text: str) -> str:
    """*text* of a call as a part of one level."""
    if text.isascii() and text.isalnum():
        return text
    return _ENCODED.sub(percent, text)


def percent(found: re.Match[str]) -> str:
    """The one character *found* as ``%XX`` of its UTF-8 bytes."""
    return _percent(found[0])


@lru_cache(maxsize=256)
def _percent(character: str) -> str:
    return quote(character, safe="", errors="surrogatepass")


def finished(pieces: Sequence[str], blanks: Sequence[int]) -> str:
    """The topic of *pieces*, of which those at *blanks* were templates.

    Raises:
        RenderError: It is empty, too long, too deep, or a template left a level empty.
    """
    topic = "".join(pieces)
    if not topic:
        raise RenderError("the topic is empty")
    if len(topic) > LONGEST // 4 and size(topic) > LONGEST:
        raise RenderError("the topic is longer than 65,535 bytes")
    if topic.count("/") >= LEVELS:
        raise RenderError(f"the topic has more than {LEVELS} levels")
    # The author's own 'a//b' and '/a' are his to choose.
    doubtful = "//" in topic or topic[0] == "/" or topic[-1] == "/"
    if doubtful and "" in of_templates(marked(pieces, blanks)):
        raise RenderError("a level of the topic is empty")
    return topic


def marked(pieces: Sequence[str], blanks: Sequence[int]) -> str:
    """*pieces* as one text, with NUL around each template's.

    NUL is in no piece: it is refused in the author's text and encoded in all other.
    """
    return "".join(f"\0{piece}\0" if i in blanks else piece for i, piece in enumerate(pieces))


def of_templates(path: str) -> list[str]:
    """The texts between slashes of a ``marked`` *path* in which a template stands."""
    return [level.replace("\0", "") for level in path.split("/") if "\0" in level]
