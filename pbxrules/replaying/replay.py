"""Take events again, one after the other, and compare."""

from collections.abc import Iterable

from pbxrules.replaying.comparing import Comparison
from pbxrules.replaying.past import Past, Timeline
from pbxrules.replaying.player import Player


def replay(pasts: Iterable[Past], player: Player, comparison: Comparison) -> None:
    """Take all of *pasts*, in the order in which they came.

    Raises:
        EndlessError: A rule would go on for ever.
    """
    timeline = Timeline()
    for past in pasts:
        if comparison.is_over(past):
            break
        player.go_on_to(timeline.at(past.came))
        comparison.decided(past, player.take(past.event, past.id))
        for later in player.later():
            comparison.later(later)
    player.finish()
    for later in player.later():
        comparison.later(later)
    comparison.finish()
