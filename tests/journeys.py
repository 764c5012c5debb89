"""One run on its way through a program, in a memory of its own: what a test does with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pbxrules import runs, walking
from pbxrules.memory import Draft, Memory, Whole
from pbxrules.model import (
    RUNS_PER_EVENT,
    Delivery,
    Done,
    Event,
    GiveUp,
    Moment,
    Outcome,
    Program,
    Run,
    Tried,
)
from tests.rulefiles import event, program

BEGAN = Moment(boot="one", uptime_s=1000.0, wall_s=1_700_000_000.0)
EVENT_ID = 7
CALL = "c1"
STATE = "state: {n: 0, open: false, word: shut, half: 0.5, armed: {mqtt: home/armed}}\n"


def after(seconds: float) -> Moment:
    return BEGAN.after(seconds)


def program_of(actions: str, *, head: str = "", **beside: str) -> Program:
    """The program of a rule with these actions.

    *head*: what stands above the rules; *beside*: other keys of the rule, ``finally_`` too.
    """
    keys = "".join(f"  {key.rstrip('_')}: {value}\n" for key, value in beside.items())
    rules = f"rules:\n- id: r\n  triggers: any\n{keys}  actions: {actions}\n"
    return program(STATE + head + rules)


def new(of: Program, told: Event | None = None, **changes: Any) -> Whole:
    """A run that has matched, and that has not begun."""
    run = Run(
        id=EVENT_ID * RUNS_PER_EVENT + 1,
        event_id=EVENT_ID,
        rule=of.rule,
        program=of.digest,
        trigger="door",
        position="lane",
        verb="lane",
        due=BEGAN,
        expires_s=60.0,
        next_try=BEGAN,
        attempt=0,
        tried=(),
        call=CALL,
    )
    told = told or event(caller="030", extension="101", call_id=CALL)
    return Whole(replace(run, **changes), told, of)


class Journey:
    """A run, and what became of it so far."""

    def __init__(self, of: Program | str, told: Event | None = None, **changes: Any) -> None:
        """Begin the run, with the rule's actions; *changes* are those of what it begins as."""
        self.memory = Memory()
        self.now = BEGAN
        self.wholes: dict[int, Whole] = {}
        """This run and its branches, those that have ended too."""
        self._branches: list[int] = []
        self._last_event = EVENT_ID
        begins = new(program_of(of) if isinstance(of, str) else of, told, **changes)
        self._id = begins.run.id
        self._do(lambda draft: walking.start(draft, begins))

    # --- what is done with it ----------------------------------------------------------------

    def _do(self, change: Callable[[Draft], None]) -> None:
        draft = Draft(self.memory, self.now)
        change(draft)
        moves = draft.moves()
        self.memory.apply(moves)
        open_ = [whole.run.id for whole in self.wholes.values() if not whole.run.ended]
        forked = [
            whole.run.id
            for whole in moves.runs
            if whole.run.parent and not whole.run.ended and whole.run.id not in open_
        ]
        self._branches = forked or self._branches
        self.wholes |= {whole.run.id: whole for whole in moves.runs}

    def wait(self, seconds: float) -> None:
        """Let time pass; nothing comes of that by itself."""
        self.now = self.now.after(seconds)

    def begin(self, branch: int | None = None) -> Whole:
        """Begin a try of what it owes."""
        whole = self.whole if branch is None else self.branches[branch]
        whole = Whole(runs.tried_once(whole.run), whole.event, whole.program)
        self.wholes[whole.run.id] = whole
        self.memory.touch(whole)
        if whole.run.parent:
            self.memory.begun(whole.run.parent)
            self.wholes[self._id] = self.memory.runs.get(self._id, self.whole)
        return whole

    def settle(
        self, outcome: Outcome | None = None, *, branch: int | None = None, jitter: float = 1.0
    ) -> None:
        """Try what it owes, with this outcome."""
        whole = self.begin(branch)
        made = outcome or Done()
        self._do(lambda draft: runs.settled(draft, whole, made, jitter=jitter))

    def wake(self) -> None:
        """Let the time come that it waits for."""
        self.now = self.run.next_try
        self._do(lambda draft: runs.woken(draft, self.whole))

    def expire(self, branch: int | None = None) -> None:
        whole = self.whole if branch is None else self.branches[branch]
        self._do(lambda draft: runs.expire(draft, whole))

    def restart(self) -> None:
        self._do(lambda draft: runs.restart(draft, self.whole))

    def tell(self, kind: str, *, sure: bool = True, **fields: Any) -> None:
        """Let it know of an event."""
        self._last_event += 1
        told, number = event(event=kind, **fields), self._last_event
        self._do(lambda draft: walking.arrive(draft, self.whole, number, told, sure=sure))

    # --- what is seen of it ------------------------------------------------------------------

    @property
    def whole(self) -> Whole:
        return self.wholes[self._id]

    @property
    def run(self) -> Run:
        return self.whole.run

    @property
    def branches(self) -> list[Whole]:
        """The branches of its last ``parallel``, in their order."""
        return [self.wholes[id_] for id_ in self._branches]

    @property
    def rests(self) -> str:
        """Where it rests, and for what; or how it ended."""
        run = self.run
        return f"{run.verb} at {run.position}" if run.position else f"ended {run.outcome}"

    @property
    def tried(self) -> list[str]:
        """What was settled, each as its place, its end and the reason."""
        return [told_of(one) for one in self.run.tried]

    @property
    def state(self) -> dict[str, Any]:
        return self.memory.state(self.whole.program.state)

    def delivery(self, branch: int | None = None) -> Delivery | GiveUp:
        """What it owes, with its templates filled in."""
        whole = self.whole if branch is None else self.branches[branch]
        draft = Draft(self.memory, self.now)
        state = self.memory.state(whole.program.state)
        names = walking.names_of(draft.call(whole.run.call), whole.event, state)
        return runs.delivery(whole, names=names, secrets={}, store_id="store", now=self.now)

    @property
    def says(self) -> str:
        """The text of the ``log`` that it owes."""
        made = self.delivery()
        assert isinstance(made, Delivery), made
        return str(made.args["text"])

    def to_the_end(self) -> list[str]:
        """The text of each ``log``, and each wait, on its way to its end; then its outcome."""
        found: list[str] = []
        while not self.run.ended:
            if self.run.verb == "log":
                found.append(self.says)
                self.settle()
            else:
                found.append(self.run.verb)
                self.wake()
        return [*found, self.run.outcome]


def told_of(one: Tried) -> str:
    why = f": {one.reason}" if one.reason else ""
    return f"{one.verb} at {one.position} {one.state}{why}"
