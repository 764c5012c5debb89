"""Whatever a call says: it changes no destination, reaches nothing, and fails in one way only."""

import time
from datetime import UTC
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.template import (
    FILTERS,
    TESTS,
    Context,
    Instant,
    Names,
    RenderError,
    Scope,
    TemplateError,
    TemplateProblem,
    compile_template,
    rule_vars,
)

NAMES = Names(
    fields=frozenset({"caller", "duration", "extensions"}),
    members={"vars": None, "secret": None, "state": None, "result": None, "now": None},
)
TOPICS = [
    "calls/{{ caller }}/ring",
    "{{ caller }}/x",
    "{{ vars.room }}/{{ caller }}",
    "a/{{ caller + caller }}{{ caller | trim }}/b",
    "a/{{ caller or 'x/y' }}/b",
    "a/b-{{ caller if caller else 'y' }}",
]
URLS = [
    "http://host:80/a/{{ caller }}/b?q=1",
    "http://host/a?q={{ caller }}&r=2#f",
    "http://host/a/{{ caller }}",
    "https://host/{{ vars.room }}/{{ caller }}.{{ caller }}/",
    "http://host/a/x{{ caller }}?{{ caller }}",
]
# Any code point, a half of a pair too; and the characters that mean something more often.
CALLERS = st.one_of(
    st.text(st.characters()),
    st.text(st.characters(codec=None, categories=None) | st.characters(categories=["Cs"])),
    st.text("./%+#$-{}\\?&@:;\0\r\n2eEfF \ufffe\ud800"),
)
ATOMS = st.sampled_from(
    ["caller", "duration", "extensions", "vars.room", "vars", "payload.a", "state.x", "secret.y",
     "result", "now", "now.hour", "now.nothing", "'a'", "''", "1", "0", "2.5", "true", "none",
     "[]", "{}", "nope", "1e300", "-1"]
)  # fmt: skip
CONTEXTS = st.sampled_from(Context)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def scope(caller: str, **extras: Any) -> Scope:
    return Scope(
        fields={"caller": caller, "duration": 5, "extensions": ("100", caller)},
        payload={"a": caller},
        vars=rule_vars({"room": "hall/lamp"}),
        secrets={"y": caller},
        extras={"state": {"x": caller}, "now": Instant(1e9, UTC), **extras},
    )


def rendered(source: str, context: Context, given: Scope) -> Any:
    try:
        return compile_template(source, context, NAMES).render(given)
    except RenderError:
        return None


@given(st.sampled_from(TOPICS), CALLERS)
def test_no_caller_changes_a_topic(source: str, caller: str) -> None:
    topic = rendered(source, Context.TOPIC, scope(caller))
    if topic is None:
        return
    plain = rendered(source, Context.TOPIC, scope("x"))
    assert topic.count("/") == plain.count("/")
    assert all(topic.split("/"))
    assert not set(topic) & set("+#$\0\n\r\ufffe\uffff")
    assert topic.encode()
    if source == TOPICS[0]:
        assert unquote(topic.split("/")[1], errors="surrogatepass") == caller


@given(st.sampled_from(URLS), CALLERS)
def test_no_caller_changes_where_a_url_goes(source: str, caller: str) -> None:
    url = rendered(source, Context.URL, scope(caller))
    if url is None:
        return
    found, plain = urlsplit(url), urlsplit(rendered(source, Context.URL, scope("x")))
    assert (found.scheme, found.netloc, found.fragment) == (
        plain.scheme, plain.netloc, plain.fragment,
    )  # fmt: skip
    segments = [unquote(segment) for segment in found.path.split("/")[1:]]
    assert len(segments) == plain.path.count("/")
    assert not {".", ".."} & set(segments)
    assert all(segments[:-1])
    for mark in "&=?":
        assert found.query.count(mark) == plain.query.count(mark)
    assert url.isascii()
    assert url.isprintable()


@given(CALLERS)
def test_no_caller_becomes_an_option(caller: str) -> None:
    found = rendered("{{ caller }}", Context.ARGUMENT, scope(caller))
    assert found is None or not found.startswith("-")
    assert (found is None) == caller.startswith("-")
    if found is not None:
        assert "\0" not in found.encode().decode()


@given(CALLERS, st.sampled_from(["{{ caller }}", "{{ payload.a }}", "{{ state.x }}"]))
def test_no_caller_is_read_as_a_template_or_a_value(caller: str, source: str) -> None:
    assert rendered(source, Context.VALUE, scope(caller)) == caller
    assert rendered(f"<{source}>", Context.TEXT, scope(caller)) == f"<{caller}>"


def expressions() -> st.SearchStrategy[str]:
    pair = st.sampled_from(
        ["+", "-", "/", "//", "%", "==", "!=", "<", ">=", "in", "not in", "and", "or", "*", "**",
         "~", "|", ".", "is", "[", "("]
    )  # fmt: skip
    behind = st.sampled_from(
        [f" | {name}" for name in FILTERS] + [f" is {name}" for name in TESTS] +
        ["[0]", "[:2]", "['a']", ".a", "[caller]", "()", " | replace('a', caller)",
         " | default(caller)", " | join(caller)", " | int(0)", " | round(2)", " in [caller]"]
    )  # fmt: skip
    return st.recursive(
        ATOMS,
        lambda inner: st.one_of(
            st.tuples(inner, pair, inner).map(" ".join),
            st.tuples(inner, behind).map("".join),
            inner.map(lambda one: f"({one})"),
            st.tuples(inner, inner, inner).map(lambda of: f"({of[0]} if {of[1]} else {of[2]})"),
            st.tuples(inner, inner).map(lambda of: f"[{of[0]}, {of[1]}]"),
            inner.map(lambda one: f"not {one}"),
            inner.map(lambda one: f"-{one}"),
            inner.map(lambda one: f"{{'k': {one}}}"),
        ),
        max_leaves=8,
    )


@given(expressions(), CONTEXTS, CALLERS, JSON)
def test_templates_fail_in_two_ways_only(
    expression: str, context: Context, caller: str, value: Any
) -> None:
    prefix = "http://h/" if context is Context.URL else ""
    try:
        template = compile_template(f"{prefix}{{{{ {expression} }}}}", context, NAMES)
        found = template.render(scope(caller, result=value))
    except (TemplateError, RenderError):
        return
    if context is Context.CONDITION:
        assert isinstance(found, bool)
    elif context is not Context.VALUE:
        assert type(found) is str


MARKS = ["{{", "}}", "{%", "%}", "{#", "#}", "'", '"', "\\", "|", "(", "[", "-", "raw", "endraw"]


@given(
    st.lists(st.sampled_from(MARKS) | st.text(max_size=3) | ATOMS).map(" ".join)
    | st.lists(st.sampled_from(MARKS) | st.text(max_size=3) | ATOMS).map("".join),
    CONTEXTS,
)
def test_any_text_is_a_template_or_refused(source: str, context: Context) -> None:
    for problem in problems(source, context):
        assert 0 <= problem.offset <= len(source)
        assert problem.message


def problems(source: str, context: Context) -> tuple[TemplateProblem, ...]:
    try:
        compile_template(source, context, NAMES)
    except TemplateError as exc:
        return exc.problems
    return ()


@pytest.mark.parametrize(
    "expression",
    [
        "caller.__class__",
        "''.__class__.__mro__[1].__subclasses__()",
        "''.format",
        "'{0.__class__}'.format(caller)",
        "caller | attr('__class__')",
        "payload.__class__.__init__.__globals__",
        "payload['__class__']",
        "vars.__init__",
        "state.keys",
        "result.__globals__",
        "[].append",
        "{}.update",
        "(1).real",
        "1.5.hex",
        "self",
        "self.__dict__",
        "cycler.__init__.__globals__.os",
        "lipsum.__globals__",
        "config",
        "namespace()",
        "caller | map('upper')",
        "caller | format(1)",
        "caller | xmlattr",
        "caller is callable",
        "loop.index",
        "none.__class__",
        "true.__class__",
        "(caller | length).__class__",
        "caller[:1].__class__",
        "fields.__class__",
        "fields['__class__']",
        "now.__class__",
        "now.zone.key",
        "now.local",
        "now['wall_s']",
    ],
)
@pytest.mark.parametrize("context", [Context.VALUE, Context.TEXT])
def test_no_attribute_of_python_is_reachable(expression: str, context: Context) -> None:
    given = scope("x", result=lambda: 1)
    try:
        found = compile_template(f"{{{{ {expression} }}}}", context, NAMES).render(given)
    except (TemplateError, RenderError):
        return
    assert found in (None, "")


@pytest.mark.parametrize(
    "expression",
    [
        "caller | replace('x', caller) | replace('x', caller)",
        "[caller, caller] | join(caller)",
        "'%99999999d' % 1",
        "caller + caller + caller + caller",
        "[" + "caller, " * 2000 + "]",
        "[" + "extensions, " * 2000 + "] | to_json",
        "[" + "result, " * 2000 + "]",
        "result" + " + result" * 90,
        "(caller | replace('x', '%')) | urlencode | urlencode",
        "caller | round(99999999)",
        "caller | int",
        "caller | truncate(9999999999)",
    ],
)
def test_no_template_fills_memory_or_time(expression: str) -> None:
    began = time.process_time()
    given = scope("x" * 60_000, result=["y" * 10] * 5_000)
    with pytest.raises(RenderError):
        compile_template(f"{{{{ {expression} }}}}", Context.TEXT, NAMES).render(given)
    assert time.process_time() - began < 1
