"""Extensions, groups and trunks as a person writes them: ``101..140``, a number of them, names."""

import re
from collections.abc import Sequence

from pbxrules.pbx.people import TRUNKS

MOST = 50_000
MOST_TRUNKS = 1_000
_FIRST = 101
_FIRST_OF_MANY = 10_001
"""Beyond 899 the numbers are five digits, so that none is the beginning of another."""
_USUAL_MEMBERS = 4
_EXTENSIONS_TO_A_GROUP = 20
_RANGE = re.compile(r"([0-9]{1,10})\.\.([0-9]{1,10})", re.ASCII)
_NUMBER = re.compile(r"[0-9*#]{1,20}", re.ASCII)
_COUNT = re.compile("[0-9]{1,9}", re.ASCII)


def extensions(text: str) -> tuple[str, ...]:
    """The extensions of ``40``, ``101..140`` or ``101,105,110..119``.

    Raises:
        ValueError: Why they are none.
    """
    if _COUNT.fullmatch(text):
        count = int(text)
        if not 1 <= count <= MOST:
            raise ValueError(f"{text} is no number of extensions (1 to {MOST:,})")
        first = _FIRST if count <= 1000 - _FIRST else _FIRST_OF_MANY
        return tuple(str(first + place) for place in range(count))
    found = [name for part in text.split(",") for name in _range(part.strip())]
    if len(found) > MOST:
        raise ValueError(f"{text} are {len(found):,} extensions, at most {MOST:,}")
    return _once(found)


def _range(part: str) -> list[str]:
    both = _RANGE.fullmatch(part)
    if both is None:
        if not _NUMBER.fullmatch(part):
            raise ValueError(f"'{part}' is no extension (such as 40, 101..140, or 101,105,110)")
        return [part]
    first, last = both.groups()
    if int(last) < int(first):
        raise ValueError(f"{part} runs backwards (write {last}..{first})")
    if int(last) - int(first) >= MOST:
        raise ValueError(f"{part} are {int(last) - int(first) + 1:,} extensions, at most {MOST:,}")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _once(names: Sequence[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name} is given twice")
        seen.add(name)
    return tuple(names)


def trunks(text: str) -> tuple[str, ...]:
    """The trunks of ``2`` or ``to-18-16-2,sip-berlin``; of ``0`` none.

    Raises:
        ValueError: Why they are none.
    """
    if _COUNT.fullmatch(text):
        count = int(text)
        if count > MOST_TRUNKS:
            raise ValueError(f"{text} is no number of trunks (0 to {MOST_TRUNKS:,})")
        more = (f"trunk-{number}" for number in range(len(TRUNKS) + 1, count + 1))
        return (*TRUNKS[:count], *more)
    names = [name.strip() for name in text.split(",")]
    if not all(name and name.isprintable() for name in names):
        raise ValueError(f"{text!r} has an empty or unprintable name (such as 2, or sip-a,sip-b)")
    return _once(names)


Groups = int | tuple[tuple[str, ...], ...]
"""So many, or who they are."""


def groups(text: str) -> Groups:
    """The groups of ``2``, or ``101..104,105+107``.

    Raises:
        ValueError: Why they are none.
    """
    if _COUNT.fullmatch(text):
        if int(text) > MOST // 2:
            raise ValueError(f"{text} is no number of groups (0 to {MOST // 2:,})")
        return int(text)
    return tuple(_group(part.strip()) for part in text.split(","))


def _group(part: str) -> tuple[str, ...]:
    members = _once([name for each in part.split("+") for name in _range(each.strip())])
    if len(members) == 1:
        raise ValueError(f"'{part}' is one phone and no group (such as 2, 101..104, or 101+105)")
    return members


def grouped(wished: Groups | None, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The groups among the extensions *names*; by nobody's wish one of four in twenty.

    Raises:
        ValueError: They don't fit.
    """
    if isinstance(wished, tuple):
        strangers = sorted({name for group in wished for name in group} - set(names))
        if strangers:
            more = "" if len(strangers) == 1 else f" and {len(strangers) - 1:,} more"
            raise ValueError(f"{strangers[0]}{more} is none of --extensions")
        return wished
    usual = -(-len(names) // _EXTENSIONS_TO_A_GROUP) if len(names) > _USUAL_MEMBERS else 0
    count = usual if wished is None else wished
    if not count:
        return ()
    size = min(_USUAL_MEMBERS, len(names) // count)
    if size < 2:  # noqa: PLR2004 - one phone is no group
        raise ValueError(f"{count} groups need {2 * count} extensions, there are {len(names)}")
    return tuple(tuple(names[n * size : (n + 1) * size]) for n in range(count))
