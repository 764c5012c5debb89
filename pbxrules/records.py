"""Records that are made for each report: frozen to mypy, and quick to make."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Made = TypeVar("Made")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(*, kw_only: bool = True) -> Callable[[type[Made]], type[Made]]:
    """A slotted dataclass that mypy holds to be frozen.

    At run time it is not: a frozen one is filled by a call of ``object.__setattr__`` for
    each field, which takes six times as long, and a report costs some thirty of these.  Where
    *kw_only* is false it may be made by position, which saves a dict for each.
    """
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
