"""Random rules, and random streams of what may happen to them.

Few values and short times, so that things meet: at the same moment, in the same lane, of the
same call.  All times are halves of a second, which floats have exactly.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

Drawn = st.SearchStrategy[Any]


def sometimes(**strategies: Drawn) -> Drawn:
    """A map that has each of these keys now and then: with all at once nothing would happen."""
    none = st.none()
    rarely = {name: st.one_of(none, none, none, one) for name, one in strategies.items()}
    return st.fixed_dictionaries(rarely).map(
        lambda drawn: {name: value for name, value in drawn.items() if value is not None}
    )


def both(*strategies: Drawn) -> Drawn:
    """The members of several maps in one."""
    return st.tuples(*strategies).map(lambda maps: {k: v for each in maps for k, v in each.items()})


def one(*values: Any) -> Drawn:
    """One of these; the first is the simplest."""
    return st.sampled_from(values)


# --- rules -----------------------------------------------------------------------------------

SPANS = one("1s", "2s", "3s", "4s")
EXPIRES = one("2s", "5s", "never")
STATE = {"n": 0, "word": "a"}
CONDITIONS = one(
    [{"extension": "101"}],
    [{"event": ["ring", "alert"]}],
    [{"state": {"n": ["0", "1"]}}],
    ["{{ state.n < 2 }}"],
    [{"extension": "102"}, "{{ state.n == 1 }}"],
    ["{{ state.word == 'b' }}"],
    ["{{ trigger.id == '1' }}"],
    ["{{ not call.answered }}"],
    ["{{ call.sure }}"],
)
FORS = both(
    st.fixed_dictionaries({"for": SPANS}),
    sometimes(until=one("answer", ["bye", "cdr"], ["call_failed", "answer"])),
)
COUNTS = both(
    st.fixed_dictionaries({"at_least": one(2, 2, 3), "within": SPANS}),
    sometimes(of=one("reports", "calls")),
).map(lambda count: {"count": count})
EVENTS = one("ring", "ring", "ring", ["ring", "answer"], "alert", "extension_status")
TRIGGER = both(
    st.fixed_dictionaries({"event": EVENTS}),
    sometimes(extension=one("101", ["101", "102"]), id=st.just("door")),
    st.one_of(st.just({}), st.just({}), FORS, COUNTS),
)
RETRY = both(
    st.fixed_dictionaries({"delay": one("1s", "2s")}),
    sometimes(attempts=one(1, 2, 3), max_delay=one("2s", "4s")),
)
BESIDE = sometimes(continue_on_error=st.just(value=True), retry=RETRY, expires=EXPIRES)
ACTION = st.one_of(
    both(st.just({"log": "?"}), BESIDE),
    both(st.just({"mqtt": {"topic": "t", "payload": "?"}}), BESIDE),
    both(st.just({"shell": ["a", "?"]}), BESIDE, sometimes(register=one("r", "q"))),
)
SET = one(
    {"set": {"n": "{{ state.n + 1 }}"}},
    {"set": {"n": "{{ state.n + 1 }}"}},
    {"set": {"n": 0}},
    {"set": {"word": "b"}},
    {"set": {"n": "{{ extension }}"}},
)
WAIT = both(
    st.fixed_dictionaries(
        {
            "wait_for": one(
                {"event": ["answer", "bye"]},
                {"event": "bye"},
                {"event": "answer"},
                {"event": ["ring", "alert"], "extension": "102"},
                {"event": "extension_status", "status": "idle"},
            ),
            "same": one("call", "call", "none", ["extension"], ["caller"]),
            "timeout": SPANS,
        }
    ),
    sometimes(**{"else": one("stop", "continue"), "register": one("w", "r")}),
).map(lambda step: {k: v for k, v in step.items() if (k, v) != ("timeout", "4s")})
PARALLEL = both(
    st.fixed_dictionaries({"parallel": st.lists(ACTION, min_size=1, max_size=3)}),
    sometimes(continue_on_error=st.just(value=True)),
)
DELAY = SPANS.map(lambda span: {"delay": span})
SIMPLE = st.one_of(ACTION, ACTION, ACTION, DELAY, WAIT, WAIT, SET, SET, PARALLEL)


def nested(steps: Drawn) -> Drawn:
    """Steps that hold others."""
    listed = st.lists(steps, min_size=1, max_size=3)
    branch = st.fixed_dictionaries({"when": CONDITIONS, "do": listed})
    rounds = st.one_of(
        st.fixed_dictionaries({"count": one(2, 3), "do": listed}),
        st.fixed_dictionaries({"until": CONDITIONS, "count": st.just(3), "do": listed}),
        st.fixed_dictionaries({"while": CONDITIONS, "count": st.just(3), "do": listed}),
    )
    return st.one_of(
        both(
            st.fixed_dictionaries({"if": CONDITIONS, "then": listed}), sometimes(**{"else": listed})
        ),
        both(
            st.fixed_dictionaries({"choose": st.lists(branch, min_size=1, max_size=2)}),
            sometimes(default=listed),
        ),
        rounds.map(lambda repeat: {"repeat": repeat}),
        rounds.map(lambda repeat: {"repeat": repeat}),
        st.just({"stop": "enough"}),
    )


STEPS = st.lists(st.recursive(SIMPLE, nested, max_leaves=5), min_size=1, max_size=4)
IF_LAST = st.fixed_dictionaries(
    {
        "if": one(["{{ outcome == 'done' }}"], ["{{ outcome == 'restarted' }}"]),
        "then": st.lists(ACTION, min_size=1, max_size=2),
    }
)
LAST = st.lists(st.one_of(ACTION, ACTION, SET, IF_LAST), min_size=1, max_size=3)
BODY = both(
    st.fixed_dictionaries(
        {"triggers": st.lists(TRIGGER, min_size=1, max_size=2), "actions": STEPS}
    ),
    sometimes(
        conditions=CONDITIONS,
        per=one("call", "extension", ["extension", "caller"]),
        once_per=st.just("call"),
        cooldown=SPANS,
        max=one(1, 2, 3),
        expires=EXPIRES,
    ),
    st.one_of(st.just({}), st.fixed_dictionaries({"finally": LAST})),
)
MODES = one("parallel", "single", "restart", "queued", "queued", "restart")


@st.composite
def rule_sets(draw: Callable[..., Any]) -> list[list[dict[str, Any]]]:
    """The rules of a start and of two reloads, in which a rule keeps its mode."""
    modes = draw(st.lists(MODES, min_size=1, max_size=3))
    first = [
        labelled({"id": f"r{place}", "mode": mode, **draw(BODY)})
        for place, mode in enumerate(modes)
    ]
    return [first, *([*_changed(draw, first)] for _ in range(2))]


def _changed(draw: Callable[..., Any], rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for rule in rules:
        fate = draw(one("same", "same", "other", "gone"))
        if fate == "same":
            yield rule
        elif fate == "other":
            yield labelled({**draw(BODY), "id": rule["id"], "mode": rule["mode"]})


def labelled(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule, with a text of its own for each action, which tells all that it can know."""
    copy: dict[str, Any] = json.loads(json.dumps(rule))
    known: dict[str, None] = {}
    for number, (step, last) in enumerate(_actions(copy, known)):
        tells = [f"a{number}", "{{ extension }}"]
        if "shell" not in step:
            tells += ["{{ state.n }}", "{{ call.answered }}", *known]
            tells += ["{{ outcome }}"] if last else []
        text = " ".join(tells)
        if "log" in step:
            step["log"] = text
        elif "mqtt" in step:
            step["mqtt"] = {"topic": "t", "payload": text}
        else:
            step["shell"] = ["a", text]
    return copy


TOLD = {"shell": "{{ NAME.exit_code }}", "wait_for": "{{ NAME.timed_out }}"}


def _actions(rule: Any, known: dict[str, None]) -> Iterator[tuple[Any, bool]]:
    """The actions in their order, and whether each stands in ``finally``."""
    for key in ("actions", "finally"):
        for step in rule.get(key, ()):
            for action in _inside(step, known):
                yield action, key == "finally"


def _inside(step: Any, known: dict[str, None]) -> Iterator[Any]:
    if not step.keys().isdisjoint(("log", "mqtt", "shell")):
        yield step
    elif "parallel" in step:
        yield from step["parallel"]  # none sees the results of another
        for action in step["parallel"]:
            _register(action, known)
    for inner in _lists(step):
        for one in inner:
            yield from _inside(one, known)
    _register(step, known)


def _lists(step: Any) -> Iterator[Any]:
    """The lists of steps inside one, in the order in which they are read."""
    yield from (branch["do"] for branch in step.get("choose", ()))
    yield from (step[key] for key in ("then", "else", "default") if isinstance(step.get(key), list))
    if "repeat" in step:
        yield step["repeat"]["do"]


def _register(step: Any, known: dict[str, None]) -> None:
    verb = next((verb for verb in TOLD if verb in step), None)
    if verb is not None and "register" in step:
        known[TOLD[verb].replace("NAME", step["register"])] = None


# --- what happens ----------------------------------------------------------------------------

HALVES = one(0.5, 1, 1, 1.5, 2, 2, 3, 4, 5, 8, 60)
JUMPS_S = one(3600.0, -3600.0, 31_536_000.0, -31_536_000.0)
REPORT = both(
    st.fixed_dictionaries(
        {
            "event": one("ring", "ring", "ring", "alert", "answer", "bye", "call_failed", "cdr"),
            "extension": one("101", "102"),
            "call": one("c1", "c1", "c2", "c3", ""),
        }
    ),
    sometimes(caller=st.just("7"), doubtful=st.just(value=True)),
)
STATUS = st.fixed_dictionaries(
    {
        "event": st.just("extension_status"),
        "extension": one("101", "102"),
        "status": one("idle", "busy"),
    }
)
OUTCOME = st.tuples(
    st.integers(0, 5),
    one("done", "done", "done", "again", "again", "failed"),
    one(0.0, 1.0),
)
CRASH = st.tuples(st.booleans(), HALVES, st.one_of(st.just(0.0), st.just(0.0), JUMPS_S))


def named(name: str, told: Drawn) -> Drawn:
    """Something of that name happens."""
    return st.tuples(st.just(name), told)


HAPPENING = st.one_of(
    named("report", REPORT),
    named("report", REPORT),
    named("report", REPORT),
    named("report", STATUS),
    named("wait", HALVES),
    named("wait", HALVES),
    named("outcome", OUTCOME),
    named("outcome", OUTCOME),
    named("outcome", OUTCOME),
    named("targets", st.booleans()),
    named("crash", CRASH),
    named("clock", JUMPS_S),
    named("reload", st.integers(0, 2)),
)
# Several lists: of one hypothesis draws about six.
HAPPENINGS = st.tuples(*[st.lists(HAPPENING, max_size=12)] * 6).map(
    lambda lists: [happening for each in lists for happening in each]
)
