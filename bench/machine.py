"""What the figures were taken on; without it they mean nothing."""

import os
import platform
from pathlib import Path

from bench.errors import BenchError


def facts(folder: Path) -> dict[str, str | int | float]:
    """Return what one has to know of this machine; *folder* holds the daemon's state.

    Raises:
        BenchError: *folder* is in memory, where an fsync costs nothing.
    """
    system = file_system(folder)
    if system in {"tmpfs", "ramfs"}:
        msg = f"{folder} is a {system}: an fsync there costs nothing; use --folder on a disk"
        raise BenchError(msg)
    return {
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "file_system": system,
        "load_average_before": os.getloadavg()[0],
    }


def cpu() -> str:
    """Return the processor's name, or its kind where the kernel gives none (ARM: the board's)."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    fields = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    return fields.get("model name") or fields.get("Model") or platform.machine()


def file_system(folder: Path) -> str:
    """Return the type of the file system that *folder* is on, ``ext4`` say.

    From proc(5): in mountinfo the mount point is the fifth field, and the type
    follows a lone hyphen.
    """
    inside = {str(folder.resolve()), *(str(parent) for parent in folder.resolve().parents)}
    found = ("", "unknown")
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4]
        # A later mount hides an earlier one on the same place, so >=.
        if point in inside and len(point) >= len(found[0]):
            found = (point, right.split()[0])
    return found[1]
