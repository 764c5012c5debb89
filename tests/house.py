"""A daemon on a virtual clock that tries its actions, for tests that tell a story."""

from dataclasses import replace
from typing import Any

from pbxrules import runs
from pbxrules.memory import TIMED
from pbxrules.model import Decision, Done, Event, Moment, Outcome
from tests import rulefiles
from tests.virtual import STARTS, Daemon, Stop, between


class House(Daemon):
    """A daemon whose actions are tried as soon as they are owed."""

    def __init__(self, text: str) -> None:
        super().__init__(rulefiles.ruleset(text), STARTS)
        self.began = STARTS
        """This boot."""
        self._before_s = 0.0
        self.up = True
        """Whether actions can be tried."""
        self.answers: dict[str, Outcome] = {}
        """By what an action tells; without one it is done."""
        self.blocked: set[str] = set()
        """Actions that can't be tried, by what they tell."""
        self.slow: set[str] = set()
        """Actions whose tries end by ``finish`` only."""
        self.told: list[tuple[float, str]] = []
        """When what was tried, in seconds since the start."""

    def tell(
        self, kind: str = "ring", call: str = "c1", *, sure: bool = True, **more: str
    ) -> Decision:
        """Let an event come."""
        fields = {"event": kind, "action": "A", "received_at": "now", "call_id": call, **more}
        self.wait(0)
        call = "" if kind == "extension_status" else call
        decision = self.report(Event(fields=fields, payload={}), call, sure=sure)
        self.wait(0)
        return decision

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what is due."""
        self._try()
        while (stops := self.stops()) and stops[0][0] <= seconds:
            left = max(0.0, stops[0][0])
            seconds -= left
            self.now = self.now.after(left)
            self._do(stops[0])
            self._try()
        self.now = self.now.after(seconds)

    def finish(self, says: str, outcome: Outcome | None = None) -> None:
        """Let a try that is under way end."""
        (run_id,) = (run_id for run_id in self.under_way if self.says(run_id) == says)
        self.tried(run_id, outcome or Done())
        self._try()

    def die(self, down_s: float = 0.0) -> None:
        """Be killed, and start again after a time."""
        self.crash(self.now.after(down_s))
        self.wait(0)

    def set_wall_clock(self, by_s: float) -> None:
        """Set it by so much; the uptime goes on."""
        self.now = replace(self.now, wall_s=self.now.wall_s + by_s)

    def boot(self, *, down_s: float = 0.0, by_s: float = 0.0) -> None:
        """Start in a new boot, in which the wall clock is *by_s* too late or early."""
        name = f"boot {int(self.now.boot.removeprefix('boot ')) + 1}"
        wall_s = self.now.wall_s + down_s + by_s
        self._before_s += between(self.began, self.now) + down_s
        self.began = Moment(boot=name, uptime_s=10.0, wall_s=wall_s)
        self.crash(self.began)
        self.wait(0)

    def change(self, text: str) -> None:
        """Reload, with other rules."""
        self.reload(rulefiles.ruleset(text))
        self.wait(0)

    def _do(self, stop: Stop) -> None:
        _, name, says, what = stop
        for run_id in [*self.open]:
            if self.name(self.whole(run_id).run) == name and self.says(run_id) == says:
                if what == "expires":
                    self.expire(run_id)
                elif what != "again" and not self.whole(run_id).run.parent:
                    self.wake(run_id)
                return

    def _try(self) -> None:
        while self.up and (owed := self._can_be_tried()):
            run_id = min(owed, key=lambda one: self.whole(one).run.due.uptime_s)
            if runs.expired(self.whole(run_id).run, self.now):
                self.expire(run_id)
                continue
            says = self.says(run_id)
            self.told.append((self._before_s + between(self.began, self.now), says))
            self.begin(run_id)
            if says not in self.slow:
                self.tried(run_id, self.answers.get(says, Done()))

    def _can_be_tried(self) -> list[int]:
        return [
            run_id
            for run_id in self.open
            if self.whole(run_id).run.verb not in TIMED
            and run_id not in self.under_way
            and self.left_s(run_id) <= 0
            and self.says(run_id) not in self.blocked
        ]

    @property
    def said(self) -> list[str]:
        """What was tried, in that order."""
        return [says for _, says in self.told]

    @property
    def state(self) -> dict[str, Any]:
        return self.memory.state(self.ruleset.state)

    @property
    def ends(self) -> list[str]:
        """How the runs that have ended did, in the order of their events."""
        ended = sorted(self.ended.items())
        return [run.outcome or run.tried[-1].state for _, run in ended if not run.parent]
