"""The language of rules by the plainest way to work it out: what the engine is compared with.

Made from the words of the language, not from the engine, and slow.  A rule is the map that
stands in its file.  A run is a generator that goes through the steps as they are nested, and
stands still where it has to wait: there are no positions, and a crash leaves nothing to
restore.  What depends on the past is looked up, each time anew, in the lists of all that ever
happened.
"""

from tests.reference.things import At, Owed, Run, UnclearError, Wait, passed
from tests.reference.words import TRIES
from tests.reference.world import Reference

__all__ = ["TRIES", "At", "Owed", "Reference", "Run", "UnclearError", "Wait", "passed"]
