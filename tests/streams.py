"""Random rules, and random streams of what may happen to them.

Few values and short times, so that things meet: at the same moment, in the same lane, of the
same call.  All times are halves of a second, which floats have exactly.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

SPANS = st.sampled_from(["1s", "2s", "3s", "4s"])
EXPIRES = st.sampled_from(["2s", "5s", "never"])
STATE = {"n": 0, "word": "a"}
CONDITIONS = st.sampled_from(
    [
        [{"extension": "101"}],
        [{"event": ["ring", "alert"]}],
        [{"state": {"n": ["0", "1"]}}],
        ["{{ state.n < 2 }}"],
        [{"extension": "102"}, "{{ state.n == 1 }}"],
        ["{{ state.word == 'b' }}"],
        ["{{ trigger.id == '1' }}"],
    ]
)
TRIGGERS = st.fixed_dictionaries(
    {"event": st.sampled_from(["ring", "ring", ["ring", "answer"], "alert", "extension_status"])},
    optional={"extension": st.sampled_from(["101", ["101", "102"]]), "id": st.just("door")},
)
FORS = st.fixed_dictionaries(
    {"for": SPANS},
    optional={"until": st.sampled_from(["answer", ["bye", "cdr"], ["call_failed", "answer"]])},
)
COUNTS = st.fixed_dictionaries(
    {
        "count": st.fixed_dictionaries(
            {"at_least": st.sampled_from([2, 2, 3]), "within": SPANS},
            optional={"of": st.sampled_from(["calls", "reports"])},
        )
    }
)
WITH_TIME = st.one_of(st.just({}), FORS, COUNTS)
TRIGGER = st.tuples(TRIGGERS, WITH_TIME).map(lambda parts: {**parts[0], **parts[1]})
RETRY = st.fixed_dictionaries(
    {"delay": st.sampled_from(["1s", "2s"])},
    optional={"attempts": st.sampled_from([1, 2, 3]), "max_delay": st.sampled_from(["2s", "4s"])},
)
ACTIONS = st.tuples(
    st.sampled_from([{"log": "?"}, {"mqtt": {"topic": "t", "payload": "?"}}, {"shell": ["a", "?"]}]),
    st.fixed_dictionaries(
        {},
        optional={
            "continue_on_error": st.just(True),
            "retry": RETRY,
            "expires": EXPIRES,
            "register": st.sampled_from(["r", "q"]),
        },
    ),
).map(lambda parts: {**parts[0], **{k: v for k, v in parts[1].items() if fits_beside(k, parts[0])}})
SETS = st.sampled_from(
    [
        {"set": {"n": "{{ state.n + 1 }}"}},
        {"set": {"n": "{{ state.n + 1 }}"}},
        {"set": {"n": 0}},
        {"set": {"word": "b"}},
        {"set": {"n": "{{ extension }}"}},
    ]
)
WAITS = st.fixed_dictionaries(
    {
        "wait_for": st.sampled_from(
            [
                {"event": ["answer", "bye"]},
                {"event": "bye"},
                {"event": "answer"},
                {"event": ["ring", "alert"], "extension": "102"},
                {"event": "extension_status", "status": "idle"},
            ]
        )
    },
    optional={
        "timeout": SPANS,
        "else": st.sampled_from(["stop", "continue"]),
        "same": st.sampled_from(["none", ["extension"], ["caller"], "call"]),
        "register": st.sampled_from(["w", "r"]),
    },
)
PARALLEL = st.fixed_dictionaries(
    {"parallel": st.lists(ACTIONS, min_size=1, max_size=3)},
    optional={"continue_on_error": st.just(True)},
)
SIMPLE = st.one_of(
    ACTIONS, ACTIONS, ACTIONS, SPANS.map(lambda span: {"delay": span}), WAITS, WAITS, SETS, PARALLEL
)


def fits_beside(key: str, action: Mapping[str, Any]) -> bool:
    return key != "register" or "shell" in action


def nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Steps that hold other steps."""
    listed = st.lists(steps, min_size=1, max_size=3)
    branch = st.fixed_dictionaries({"when": CONDITIONS, "do": listed})
    return st.one_of(
        st.fixed_dictionaries({"if": CONDITIONS, "then": listed}, optional={"else": listed}),
        st.fixed_dictionaries(
            {"choose": st.lists(branch, min_size=1, max_size=2)}, optional={"default": listed}
        ),
        st.fixed_dictionaries(
            {
                "repeat": st.one_of(
                    st.fixed_dictionaries({"count": st.sampled_from([2, 3]), "do": listed}),
                    st.fixed_dictionaries({"until": CONDITIONS, "count": st.just(3), "do": listed}),
                    st.fixed_dictionaries({"while": CONDITIONS, "count": st.just(3), "do": listed}),
                )
            }
        ),
        st.just({"stop": "enough"}),
    )


STEPS = st.lists(st.recursive(SIMPLE, nested, max_leaves=5), min_size=1, max_size=4)
LAST = st.lists(
    st.one_of(
        ACTIONS,
        ACTIONS,
        SETS,
        st.fixed_dictionaries(
            {"if": st.just(["{{ outcome == 'done' }}"]), "then": st.lists(ACTIONS, min_size=1)}
        ).map(lambda step: {**step, "then": step["then"][:2]}),
    ),
    min_size=1,
    max_size=3,
)
BODIES = st.fixed_dictionaries(
    {"triggers": st.lists(TRIGGER, min_size=1, max_size=2), "actions": STEPS},
    optional={
        "conditions": CONDITIONS,
        "per": st.sampled_from(["call", "extension", ["extension", "caller"]]),
        "once_per": st.just("call"),
        "cooldown": SPANS,
        "max": st.sampled_from([1, 2, 3]),
        "expires": EXPIRES,
        "finally": LAST,
    },
)
MODES = st.sampled_from(["parallel", "single", "restart", "queued", "queued", "restart"])


@st.composite
def rule_sets(draw: Callable[..., Any]) -> list[list[dict[str, Any]]]:
    """The rules of a start and of two reloads: of each rule its mode stays."""
    modes = draw(st.lists(MODES, min_size=1, max_size=3))
    first = [
        labelled({"id": f"r{place}", "mode": mode, **draw(BODIES)})
        for place, mode in enumerate(modes)
    ]
    others = []
    for _ in range(2):
        fates = draw(st.lists(st.sampled_from(["same", "same", "other", "gone"]), min_size=3))
        others.append(
            [
                rule if fate == "same" else labelled({**draw(BODIES), **only(rule, "id", "mode")})
                for rule, fate in zip(first, fates, strict=False)
                if fate != "gone"
            ]
        )
    return [first, *others]


def only(rule: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: rule[key] for key in keys}


def labelled(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule, with a text of its own for each action, which tells all that it can know."""
    copy: dict[str, Any] = json.loads(json.dumps(rule))
    known: dict[str, None] = {}
    for number, (step, last) in enumerate(_actions(copy, known)):
        tells = [f"a{number}", "{{ extension }}"]
        if "shell" not in step:
            tells += ["{{ state.n }}", "{{ state.word }}", *known]
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

HALVES = st.sampled_from([0.5, 1, 1, 1.5, 2, 2, 3, 4, 5, 8, 60])
JUMPS_S = st.sampled_from([3600.0, -3600.0, 31_536_000.0, -31_536_000.0])
REPORTS = st.fixed_dictionaries(
    {
        "event": st.sampled_from(
            ["ring", "ring", "ring", "alert", "answer", "bye", "call_failed", "cdr"]
        ),
        "extension": st.sampled_from(["101", "102"]),
        "call": st.sampled_from(["c1", "c1", "c2", "c3", ""]),
    },
    optional={"caller": st.just("7"), "doubtful": st.just(True)},
)
STATUSES = st.fixed_dictionaries(
    {
        "event": st.just("extension_status"),
        "extension": st.sampled_from(["101", "102"]),
        "status": st.sampled_from(["idle", "busy"]),
    }
)
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), REPORTS),
        st.tuples(st.just("report"), REPORTS),
        st.tuples(st.just("report"), REPORTS),
        st.tuples(st.just("report"), STATUSES),
        st.tuples(st.just("wait"), HALVES),
        st.tuples(st.just("wait"), HALVES),
        st.tuples(
            st.just("outcome"),
            st.tuples(
                st.integers(0, 5),
                st.sampled_from(["done", "done", "done", "again", "again", "failed"]),
                st.sampled_from([0.0, 1.0]),
            ),
        ),
        st.tuples(
            st.just("outcome"),
            st.tuples(
                st.just(0), st.sampled_from(["done", "done", "again", "failed"]), st.just(1.0)
            ),
        ),
        st.tuples(st.just("targets"), st.booleans()),
        st.tuples(
            st.just("crash"),
            st.tuples(st.booleans(), HALVES, st.one_of(st.just(0.0), st.just(0.0), JUMPS_S)),
        ),
        st.tuples(st.just("clock"), JUMPS_S),
        st.tuples(st.just("reload"), st.integers(0, 2)),
    ),
    min_size=1,
    max_size=30,
)
