"""Text that a stranger chose, so that it can do nothing to a line or a terminal."""


def escape(text: str) -> str:
    r"""*text* on one line, with whatever is not printable as ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode()
        for char in text
    )
