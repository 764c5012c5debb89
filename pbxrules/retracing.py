"""What rules would remember, had they been in force for all events that are kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pbxrules.explaining.explanation import Remembered
from pbxrules.language import Language
from pbxrules.memory import Memory
from pbxrules.model import Moment
from pbxrules.progress import tracked
from pbxrules.replaying.past import Past, Timeline
from pbxrules.replaying.player import Player
from pbxrules.replaying.remembering import remembers, topics
from pbxrules.rules import RuleSet
from pbxrules.store import history, reading
from pbxrules.testing.filling import placeholders

NEVER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """Up to where the past is gone through."""

    came: Moment
    id: int = NEVER
    """The event that is asked about: it is none of the past."""
    moved: bool = False
    """It is asked about at another moment than its own: later events count, too."""

    def ends(self, past: Past) -> bool:
        """Whether *past*, and all behind it, is not of the past any more."""
        if self.id and not self.moved:
            return past.id >= self.id
        return past.came.wall_s > self.came.wall_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraced:
    """Memory at a moment."""

    memory: Memory
    now: Moment
    remembered: Remembered


def retrace(path: Path | None, ruleset: RuleSet, language: Language, until: Until) -> Retraced:
    """What *ruleset* remembers at a moment.

    Args:
        path: Of the store; None: there is none.
        ruleset: The rules.
        language: Theirs.
        until: The moment.

    Raises:
        StoreError: The store can't be read.
        EndlessError: A rule would go on for ever.
    """
    needed = remembers(ruleset)
    player = Player(ruleset, language.verbs, placeholders(language.secrets))
    timeline = Timeline()
    count, since_s = 0, None
    for past in _pasts(path) if needed and path is not None else ():
        if until.ends(past):
            break
        if past.id != until.id:
            since_s = past.came.wall_s if since_s is None else since_s
            player.go_on_to(timeline.at(past.came))
            player.take(past.event, past.id)
            count += 1
    now = timeline.at(until.came)
    player.go_on_to(now)
    remembered = Remembered(needed=needed, events=count, since_s=since_s, topics=topics(ruleset))
    return Retraced(memory=player.memory, now=now, remembered=remembered)


def _pasts(path: Path) -> Iterator[Past]:
    with reading.opened(path) as db:
        oldest, newest = history.span(db)
        pasts = history.events(db)
        yield from tracked(pasts, "what came before", newest - oldest + 1, lambda p: p.id - oldest)
