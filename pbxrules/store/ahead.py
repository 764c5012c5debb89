"""Room for the write-ahead log, made before it is needed.

A sync of a file that has grown also writes its new size: 290 µs here, of 200 where the bytes
were there.  SQLite begins the log again from its start whenever its pages are in the database
(each 1,000), so it grows only behind a start, and every report waited for that.
"""

import contextlib
import os
from pathlib import Path

SIZE = 1_100 * (4096 + 24)
"""Bytes of 1,000 pages with their headers, and of the commit that reaches them."""
_ZEROS = bytes(64 * 1024)
"""Written at a time: memory that is asked for in one great piece stays with the process."""


def make_room(log: Path) -> None:
    """Let *log*, that of an open database, have ``SIZE`` bytes; those it has are kept.

    Zeros are no frames: their salt is not the log's.  Where the disk has no room, the log grows
    as it always may.
    """
    with contextlib.suppress(OSError):
        file = os.open(log, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for place in range(os.fstat(file).st_size, SIZE, len(_ZEROS)):
                os.pwrite(file, _ZEROS[: SIZE - place], place)
            os.fsync(file)
        finally:
            os.close(file)
