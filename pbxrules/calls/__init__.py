"""Which reports belong to one call.

The PBX gives no one id to a call.  It gives one to each leg, ``epoch.counter`` as Asterisk
does: the second in which the leg was made, and a number that goes up by one with each leg of
any call.  A report names one leg, or two where a trunk takes part.  In the manufacturer's
examples of a call that goes out the RING and the first BYE name its first leg (…178.1690), the
ALERT and the second BYE its second (…179.1692), and only the ANSWER names both.

So a report belongs to the call with which it shares an id.  If there is none, to the one
whose legs were made within two seconds and some counters of its own, on the same PBX, whose
parties agree, and which was not told the same thing of another leg already; or to one that
was just transferred and waits for a leg like this.  Else it is the first of a new call.

A call keeps its key for ever, and calls never merge.  Where it is in doubt, a report goes to
the best call, but is not ``sure`` of it: it teaches the call nothing, and must cancel nothing
there, for a false join may silence a siren.
"""

from pbxrules.calls.joining import assign
from pbxrules.calls.known import Call, Known, surely_one
from pbxrules.calls.table import Calls, Change

__all__ = ["Call", "Calls", "Change", "Known", "assign", "surely_one"]
