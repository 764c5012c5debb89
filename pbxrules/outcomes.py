"""What an answer means for the action that asked: done, to be tried again, or given up."""

from pbxrules.model import Done, GiveUp, Outcome, TryAgain

TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})
"""The statuses of HTTP after which another try may help."""


def of_status(status: int, *, pointed: str = "") -> Outcome:
    """What a status of HTTP means; *pointed* says where a redirect leads."""
    said = f"answered {status}"
    if status in TRY_AGAIN:
        return TryAgain(reason=said)
    match status // 100:
        case 2:
            return Done(detail=said)
        case 3:
            return GiveUp(reason=f"{said}{pointed}; redirects are not followed")
    return GiveUp(reason=said)


def of_exit(code: int, *, printed: str = "", complained: str = "") -> Outcome:
    """What the exit code of a command means, with the first lines of its outputs."""
    if code == 0:
        return Done(detail=printed)
    return TryAgain(reason=f"exit {code}: {complained}" if complained else f"exit {code}")


def of_time_out(timeout_s: float) -> Outcome:
    """What it means that a command was killed because its time was over."""
    return TryAgain(reason=f"timed out after {timeout_s:g} s")
