"""Folders watched for changes, by looking now and then: few files, and no more to install."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

POLL_S = 0.3
SETTLE_S = 0.1
"""An editor writes in several steps: after a change it is waited until nothing more changes."""
Seen = dict[str, tuple[int, int]]
"""The files of folders, with when each was changed last, and how long it is."""


def seen(folders: Iterable[Path]) -> Seen:
    """All that stands in *folders* now, and can be looked at."""
    found: Seen = {}
    for folder in folders:
        try:
            entries = list(os.scandir(folder))
        except OSError:  # it is gone for the moment
            continue
        for entry in entries:
            try:
                told = entry.stat()
            except OSError:
                continue
            found[entry.path] = told.st_mtime_ns, told.st_size
    return found


def wait_for_change(folders: Iterable[Path], before: Seen) -> Seen:
    """Wait until something in *folders* is other than *before*; what is there then."""
    folders = tuple(folders)
    now = seen(folders)
    while now == before:
        time.sleep(POLL_S)
        now = seen(folders)
    while True:
        time.sleep(SETTLE_S)
        later = seen(folders)
        if later == now:
            return now
        now = later
