"""Where in a file a character of a text stands."""


def within(source: str, start: int, value: str, offset: int) -> int:
    """Where the character at *offset* of *value* stands, whose scalar begins at *start*.

    Known for what is written in one line without escapes, and behind ``|``; else *start*.
    """
    if offset >= len(value):
        return start
    if source.startswith("|", start):
        at = _in_lines(source, start, value, offset)
    else:
        begin = start + source.startswith(("'", '"'), start)
        at = begin + offset if source.startswith(value[: offset + 1], begin) else start
    return at if source[at : at + 1] == value[offset : offset + 1] else start


def _in_lines(source: str, start: int, value: str, offset: int) -> int:
    head = value[:offset]
    line = start
    for _ in range(head.count("\n") + 1):
        line = source.find("\n", line) + 1
    text = value.split("\n")[head.count("\n")]
    written = source[line:].partition("\n")[0].rstrip("\r")
    indent = len(written) - len(text)
    return line + indent + offset - (head.rfind("\n") + 1)
