"""Random rules, and random streams of what may happen to them.

Few values and short times, so that things meet: at the same moment, in the same lane, of the
same call.  All times are halves of a second, which floats have exactly.  What can be drawn as
one number is: hypothesis takes its time for each.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from hypothesis import strategies as st

Drawn = st.SearchStrategy[Any]
Happening = tuple[str, Any]
RARELY = 4
"""Of so many maps one has a key that ``sometimes`` gives."""


def one(*values: Any) -> Drawn:
    """One of these; the first is the simplest."""
    return st.sampled_from(values)


def of(*strategies: tuple[int, Drawn]) -> Drawn:
    """By one of these, each as often as its number says; ``one_of`` drops what is there twice."""
    often = [strategy for times, strategy in strategies for _ in range(times)]
    return st.sampled_from(often).flatmap(lambda strategy: strategy)


def every(**values: Sequence[Any]) -> list[dict[str, Any]]:
    """All maps of these keys, each with one of its values."""
    return [dict(zip(values, row, strict=True)) for row in product(*values.values())]


def sometimes(**values: Sequence[Any]) -> Drawn:
    """A map that has each of these keys now and then: with all at once nothing would happen."""
    sizes = {name: RARELY * len(options) for name, options in values.items()}

    def told(number: int) -> dict[str, Any]:
        found = {}
        for name, options in values.items():
            number, place = divmod(number, sizes[name])
            if place >= sizes[name] - len(options):
                found[name] = options[place - sizes[name]]
        return found

    return st.integers(0, math.prod(sizes.values()) - 1).map(told)


def both(*strategies: Drawn) -> Drawn:
    """The members of several maps in one."""
    return st.tuples(*strategies).map(lambda maps: {k: v for each in maps for k, v in each.items()})


# --- rules -----------------------------------------------------------------------------------

SPANS = ("1s", "2s", "3s", "4s")
EXPIRES = ("2s", "5s", "never")
TOPIC = "home/armed"
STATE = {"n": 0, "word": "a", "armed": {"mqtt": TOPIC}}
SCRIPTS: Mapping[str, list[Any]] = {
    "tell": [{"log": "{{ vars.what }} {{ extension }} {{ state.n }}"}],
    "blink": [
        {"repeat": {"count": 2, "do": [{"shell": ["a", "{{ vars.what }}"]}, {"delay": "1s"}]}},
    ],
    "ask": [
        {"wait_for": {"event": "answer"}, "timeout": "2s", "register": "asked"},
        {"if": ["{{ asked.timed_out }}"], "then": [{"stop": "no answer"}]},
        {"script": {"name": "tell", "with": {"what": "answered"}}},
    ],
    "raise": [
        {"set": {"n": "{{ state.n + vars.by }}"}},
        {"script": {"name": "tell", "with": {"what": "raised"}}},
    ],
}
"""What rules put in, at the start; a reload knows ``blink`` and ``tell`` by other steps."""
CHANGED_SCRIPTS = {
    **SCRIPTS,
    "tell": [{"delay": "1s"}, *SCRIPTS["tell"]],
    "blink": [{"log": "{{ vars.what }}"}],
}


def text_of(rules: Sequence[Mapping[str, Any]], number: int = 0) -> str:
    """A file of rules: those of the start, or of the reload of that *number*."""
    scripts = json.dumps(scripts_of(number))
    return f"state: {json.dumps(STATE)}\nscripts: {scripts}\nrules: {json.dumps(rules)}\n"


def scripts_of(number: int) -> Mapping[str, Any]:
    """The scripts of the start, or of a reload."""
    return CHANGED_SCRIPTS if number == 2 else SCRIPTS


CONDITIONS = (
    [{"extension": "101"}],
    [{"event": ["ring", "alert"]}],
    [{"state": {"n": ["0", "1"]}}],
    ["{{ state.n < 2 }}"],
    [{"extension": "102"}, "{{ state.n == 1 }}"],
    ["{{ state.word == 'b' }}"],
    ["{{ trigger.id == '1' }}"],
    ["{{ not call.answered }}"],
    ["{{ call.sure }}"],
    [{"state": {"armed": "true"}}],
    ["{{ state.armed == 'true' }}"],
)
FORS = [
    *every(**{"for": SPANS}),
    *every(**{"for": SPANS, "until": ("answer", ["bye", "cdr"], ["call_failed", "answer"])}),
]
COUNTS = [{"count": count} for count in every(at_least=(2, 2, 3), within=(*SPANS, "60s"))] + [
    {"count": count} for count in every(at_least=(2, 3), within=SPANS, of=("reports", "calls"))
]
TRIGGER = both(
    one(*every(event=("ring", "ring", "ring", ["ring", "answer"], "alert", "extension_status"))),
    sometimes(extension=("101", ["101", "102"]), id=("door",)),
    one(*[{}] * 30, *FORS, *COUNTS),
)
RETRY = every(delay=("1s", "2s"), max_delay=("2s", "4s", "60s")) + every(
    delay=("1s", "2s"), attempts=(1, 2, 3)
)
URL = "http://127.0.0.1:9000/"


def _registering(step: dict[str, Any]) -> dict[str, Any]:
    """An action as it was drawn; only of some there is something to register."""
    if "register" not in step or "shell" in step:
        return step
    return {k: v for k, v in step.items() if k != "register"} | (
        {"register": "h"} if "http" in step else {}
    )


ACTION = both(
    one(
        {"log": "?"},
        {"mqtt": {"topic": "t", "payload": "?"}},
        {"shell": ["a", "?"]},
        {"http": {"url": URL, "body": "?"}},
    ),
    sometimes(continue_on_error=(True,), retry=RETRY, expires=EXPIRES, register=("r", "q")),
).map(_registering)
SET = one(
    {"set": {"n": "{{ state.n + 1 }}"}},
    {"set": {"n": "{{ state.n + 1 }}"}},
    {"set": {"n": 0}},
    {"set": {"word": "b"}},
    {"set": {"n": "{{ extension }}"}},
)
WAIT = both(
    one(
        *every(
            wait_for=(
                {"event": ["answer", "bye"]},
                {"event": "answer"},
                {"event": ["ring", "alert"]},
                {"event": ["ring", "alert"], "extension": "102"},
                {"event": "extension_status", "status": "idle"},
            ),
            same=("call", "call", "none", ["extension"], ["caller"]),
            timeout=(*SPANS, "8s", "60s"),
        )
    ),
    sometimes(**{"else": ("stop", "continue"), "register": ("w", "r")}),
)
PARALLEL = both(
    st.lists(ACTION, min_size=1, max_size=3).map(lambda actions: {"parallel": actions}),
    sometimes(continue_on_error=(True,)),
)
DELAY = one(*every(delay=SPANS))
ENDLESS = st.just(
    {
        "repeat": {
            "while": ["{{ state.n < 2 }}"],
            "do": [{"if": ["{{ state.n > 5 }}"], "then": [{"stop": "never"}]}],
        }
    }
)
SCRIPT = one(
    {"script": {"name": "tell", "with": {"what": "told"}}},
    {"script": {"name": "blink", "with": {"what": "lamp"}}},
    {"script": {"name": "ask"}},
    {"script": {"name": "raise", "with": {"by": 2}}},
)
SIMPLE = of((8, ACTION), (2, DELAY), (4, WAIT), (4, SET), (4, PARALLEL), (1, SCRIPT))


def nested(steps: Drawn) -> Drawn:
    """Steps that hold others."""
    listed = st.lists(steps, min_size=1, max_size=3)
    when = one(*CONDITIONS)
    rounds = one({"count": 2}, {"count": 3}, {"until": 0, "count": 3}, {"while": 0, "count": 3})
    return of(
        (2, st.tuples(when, listed).map(lambda it: {"if": it[0], "then": it[1]})),
        (2, st.tuples(when, listed, listed).map(_either)),
        (2, st.tuples(when, listed, when, listed).map(_first)),
        (2, st.tuples(when, listed, listed).map(_default)),
        (4, st.tuples(rounds, when, listed).map(_repeat)),
        (1, when.map(lambda it: {"if": it, "then": [{"stop": "enough"}]})),
    )


def _either(it: tuple[Any, ...]) -> dict[str, Any]:
    return {"if": it[0], "then": it[1], "else": it[2]}


def _first(it: tuple[Any, ...]) -> dict[str, Any]:
    return {"choose": [{"when": it[n], "do": it[n + 1]} for n in (0, 2)]}


def _default(it: tuple[Any, ...]) -> dict[str, Any]:
    return {"choose": [{"when": it[0], "do": it[1]}], "default": it[2]}


def _repeat(it: tuple[Any, ...]) -> dict[str, Any]:
    rounds, when, steps = it
    how = {key: value if key == "count" else when for key, value in rounds.items()}
    return {"repeat": {**how, "do": steps}}


TREE = st.recursive(SIMPLE, nested, max_leaves=5)
STEPS = st.lists(of((40, TREE), (1, ENDLESS)), min_size=1, max_size=4)
OUTCOMES = (["{{ outcome == 'done' }}"], ["{{ outcome != 'restarted' }}"])
IF_LAST = st.tuples(one(*OUTCOMES), st.lists(ACTION, min_size=1, max_size=2)).map(
    lambda it: {"if": it[0], "then": it[1]}
)
LAST = st.lists(of((3, ACTION), (1, SET), (1, IF_LAST)), min_size=1, max_size=3)
BODY = both(
    st.tuples(st.lists(TRIGGER, min_size=1, max_size=2), STEPS).map(
        lambda it: {"triggers": it[0], "actions": it[1]}
    ),
    sometimes(
        conditions=CONDITIONS,
        per=("call", "extension", ["extension", "caller"]),
        once_per=("call",),
        cooldown=SPANS,
        max=(1, 2, 3),
        expires=EXPIRES,
        variables=({"who": "somebody"}, {"who": 2}),
    ),
    st.one_of(st.just({}), LAST.map(lambda steps: {"finally": steps})),
)
MODES = one("parallel", "single", "restart", "queued", "queued", "restart")


@st.composite
def rule_sets(draw: Callable[..., Any]) -> list[list[dict[str, Any]]]:
    """The rules of a start and of two reloads."""
    modes = draw(st.lists(MODES, min_size=1, max_size=3))
    first = [
        labelled({"id": f"r{place}", "mode": mode, **draw(BODY)})
        for place, mode in enumerate(modes)
    ]
    return [first, *([*_changed(draw, first)] for _ in range(2))]


def _changed(draw: Callable[..., Any], rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for rule in rules:
        fate = draw(one("same", "same", "same", "other", "gone"))
        if fate == "same":
            yield rule
        elif fate == "other":
            mode = draw(of((3, st.just(rule["mode"])), (1, MODES)))
            yield labelled({**draw(BODY), "id": rule["id"], "mode": mode})


def labelled(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule, with a text of its own for each action, which tells all that it can know."""
    copy: dict[str, Any] = json.loads(json.dumps(rule))
    known: dict[str, None] = {}
    for number, (step, last) in enumerate(_actions(copy, known)):
        tells = [f"a{number}", "{{ extension }}"]
        if "shell" not in step:
            tells += ["{{ state.n }}", "{{ call.answered }}", "{{ state.armed }}", *known]
            tells += ["{{ vars.who }}"] if "variables" in rule else []
            tells += ["{{ outcome }}"] if last else []
        text = " ".join(tells)
        if "log" in step:
            step["log"] = text
        elif "mqtt" in step:
            step["mqtt"] = {"topic": "t", "payload": text}
        elif "http" in step:
            step["http"] = {"url": URL, "body": text}
        else:
            step["shell"] = ["a", text]
    return copy


TOLD = {
    "shell": "{{ NAME.exit_code }}",
    "http": "{{ NAME.status }}",
    "wait_for": "{{ NAME.timed_out }}",
}


def _actions(rule: Any, known: dict[str, None]) -> Iterator[tuple[Any, bool]]:
    """The actions in their order, and whether each stands in ``finally``."""
    for key in ("actions", "finally"):
        for step in rule.get(key, ()):
            for action in _inside(step, known):
                yield action, key == "finally"


def _inside(step: Any, known: dict[str, None]) -> Iterator[Any]:
    if not step.keys().isdisjoint(("log", "mqtt", "shell", "http")):
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

KINDS = ("ring", "ring", "ring", "ring", "alert", "answer", "bye", "call_failed", "cdr")
EXTENSIONS = ("101", "102")
REPORTS = every(event=KINDS, extension=EXTENSIONS, call=("c1", "c1", "c2", "c3", "c4", "")) * 2
MORE_REPORTS = every(event=KINDS, extension=EXTENSIONS, call=("c1", "c2"), caller=("7",)) + every(
    event=KINDS, extension=EXTENSIONS, call=("c1", "c2"), doubtful=(True,)
)
STATUSES = every(event=["extension_status"], extension=EXTENSIONS, status=("idle", "busy")) * 10
SPANS_S = [0.5, 1.0, 1.0, 1.5, 2.0, 2.0, 3.0, 4.0, 5.0, 8.0, 60.0] * 20
OUTCOMES_OF_TRIES = product(
    range(6), ("done", "done", "done", "again", "again", "again", "failed"), (0.0, 1.0)
)
JUMPS_S = (3_600.0, -3_600.0, 31_536_000.0, -31_536_000.0)
CRASHES = [*product((False, True), (0.5, 1.0, 2.0, 4.0, 8.0, 60.0), (0.0, 0.0, 0.0, 0.0, *JUMPS_S))]
HAPPENINGS = [
    *(("report", told) for told in (*REPORTS, *MORE_REPORTS, *STATUSES)),
    *(("lost", told) for told in REPORTS[::3]),
    *(("wait", span_s) for span_s in SPANS_S),
    *(("outcome", told) for told in [*OUTCOMES_OF_TRIES] * 6),
    *(("targets", up) for up in (False, True, True) * 30),
    *(("crash", told) for told in CRASHES * 2),
    *(("clock", by_s) for by_s in JUMPS_S * 15),
    *(("reload", number) for number in (0, 1, 2) * 40),
    *(("message", text) for text in ("true", "true", "false", None) * 20),
]


def streams(happenings: Sequence[Happening]) -> Drawn:
    """Some of these, one after the other."""
    # Several lists: of one hypothesis draws about six.
    return st.tuples(*[st.lists(st.sampled_from(happenings), max_size=20)] * 12).map(
        lambda lists: [happening for each in lists for happening in each]
    )


STREAMS = streams(HAPPENINGS)


def reported(told: Mapping[str, Any]) -> tuple[dict[str, str], str, bool]:
    """The fields of a report that was drawn, its call, and whether that is sure."""
    fields = {name: told[name] for name in told if name not in ("call", "doubtful")}
    call = told.get("call", "")
    if told["event"] != "extension_status":
        fields["call_id"] = f"{call}-{told['extension']}"
    fields |= {"action": "A", "received_at": "now"}
    return fields, call, not told.get("doubtful")
