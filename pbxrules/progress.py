"""How far a long reading has come: a bar on stderr, where that is a terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
EVERY = 2_000
"""Items between two looks at the clock."""


def tracked(
    items: Iterable[Item], what: str, total: int, done: Callable[[Item], int]
) -> Iterator[Item]:
    """*items* as they are, with a bar while they are asked for.

    Args:
        items: What is gone through.
        what: It, in a word.
        total: How much there is in all.
        done: How much of it is done, with an item.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=max(1, total))
        for number, item in enumerate(items):
            if number % EVERY == 0:
                progress.update(task, completed=done(item))
            yield item
