"""Named times: spans of the day, on certain days, by the wall clock of a zone.

``compile_time`` checks what a file says of one time, and raises one ``TimeError`` with all
that is wrong; ``Time.holds`` looks at a moment.  Neither reads a clock or a zone's file.

A time asks two things of a moment: does the wall clock stand between ``after`` and
``before``, and is the day one that the other keys ask for?  A span over midnight belongs
to the day on which it began: at 05:00 of a span from 22:00 to 06:00 it is yesterday that
must be a Friday.  The wall clock is all that counts: what it skips in spring does not
occur, and what it shows twice in autumn counts twice.
"""

from pbxrules.conditions.times.compiling import OTHER_WORDS, compile_time
from pbxrules.conditions.times.problems import TimeError, TimeProblem
from pbxrules.conditions.times.spans import Time

__all__ = ["OTHER_WORDS", "Time", "TimeError", "TimeProblem", "compile_time"]
