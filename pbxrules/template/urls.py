"""URLs: the author writes scheme, host and port; no text of a call changes where it goes.

A segment ``..`` is resolved by clients and proxies (RFC 3986, 5.2.4), written ``%2e%2e`` as
well, and an empty one is dropped by many a server, so a call that makes one fails.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from pbxrules.template.parts import Fault, Part, unfit
from pbxrules.template.problems import Finding
from pbxrules.template.topics import marked, of_templates, percent
from pbxrules.template.values import RenderError, bounded

_UNFIT: Final = re.compile(r"[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]|%(?![0-9A-Fa-f]{2})")
_ENCODED: Final = re.compile(r"[^A-Za-z0-9\-._~]")
_AUTHORITY: Final = re.compile(r"https?://[^/?#]*")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_DOUBTFUL: Final = re.compile(r"/(?:\.|%2[eE]){0,2}(?:[/?#]|$)")
_LAST_PORT: Final = 65_535


def fault(text: str) -> Fault | None:
    """Why the author's *text* can't be a part of a URL."""
    found = _UNFIT.search(text)
    if found is None:
        return None
    instead = quote(found[0], safe="", errors="surrogatepass")
    return unfit(found[0], "a URL", f"write {instead}")


def encoded(text: str) -> str:
    """*text* of a call as a part of one segment, or of one value of a query."""
    if text.isascii() and text.isalnum():
        return text
    return _ENCODED.sub(percent, text)


def finished(pieces: Sequence[str], blanks: Sequence[int]) -> str:
    """The URL of *pieces*, of which those at *blanks* were templates.

    Raises:
        RenderError: It is too long, or a template made a segment empty, ``.`` or ``..``.
    """
    url = bounded("".join(pieces))
    origin = _AUTHORITY.match(url)
    if blanks and origin and _DOUBTFUL.search(url, origin.end()):
        path = re.split("[?#]", marked(pieces, blanks), maxsplit=1)[0]
        for segment in of_templates(path):
            if segment.lower().replace("%2e", ".") in ("", ".", ".."):
                raise RenderError("a segment of the URL's path is empty, '.' or '..'")
    return url


def findings(parts: Sequence[Part]) -> list[Finding]:
    """What is wrong with scheme, host and port."""
    first = parts[0] if parts and isinstance(parts[0], str) else ""
    found = _AUTHORITY.match(first)
    if found is None:
        message = "a URL begins with http:// or https:// and a host, which are no templates"
        return [Finding(code="bad-url", message=message, hint="write them out")]
    host = found[0].partition("://")[2]
    if len(parts) > 1 and found.end() == len(first):
        message = "the host and port of a URL are no templates"
        return [_finding(message, "write them out, and '/' before the first '{{'", found[0])]
    if "@" in host:
        return [_finding("a URL holds no user and password", "put them into 'headers'", "@")]
    form = _HOST.fullmatch(host)
    if form is None or int(form[1] or 0) > _LAST_PORT:
        return [_finding("the URL's host and port are not host:port", "", found[0])]
    return []


def _finding(message: str, hint: str, word: str) -> Finding:
    return Finding(code="bad-url", message=message, hint=hint, word=word, in_text=True)
