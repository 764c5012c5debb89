"""Simulated reports in a file: as lines of JSON, or as a test of the rules beside it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from pbxrules.errors import Location
from pbxrules.loading import Snapshot
from pbxrules.pbx import openvox
from pbxrules.pbx.arrivals import Sent
from pbxrules.pbx.compose import encode
from pbxrules.rules import RuleSet
from pbxrules.testing import trial
from pbxrules.testing.cases import Case, Report
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.filling import placeholders
from pbxrules.testing.moments import received_at

LARGEST_TEST = 1 << 20
"""Bytes; a file of rules or tests may hold no more."""
_HEAD = """\
# A simulated PBX: what the rules beside this file made of its reports when it was written is
# expected of them. If they are to do something else, have it written anew.
tests:
"""


def lines(reports: Iterable[Sent], *, start_s: float, zone: tzinfo) -> Iterator[str]:
    """One line for each report: the moment at which it arrives, in *zone*, and the report."""
    for sent in reports:
        at = datetime.fromtimestamp(start_s + sent.at_s, zone).isoformat(timespec="milliseconds")
        yield f'{{"at":"{at}","report":{encode(sent.report).decode()}}}\n'


def case_text(
    reports: Iterable[Sent], rules: Snapshot, *, name: str, start_s: float, zone: tzinfo
) -> str:
    """A test of *rules*: that of each so many runs start as these reports do now.

    What the PBX sends twice stands there once, for in tests every event counts.

    Raises:
        ValueError: No test can be made of them; the message says why.
    """
    if not rules.ruleset.rules:
        raise ValueError("there are no rules beside it, of which it would be a test")
    happens = [(round(one.at_s * 1000), one) for one in reports if not one.again]
    if not happens:
        raise ValueError("there is no report, of which it would be a test")
    start = datetime.fromtimestamp(start_s, zone).isoformat()
    parts = [_HEAD, f"- name: {json.dumps(name)}\n  start: {json.dumps(start)}\n  events:\n"]
    for at_ms, one in happens:
        report = json.dumps(one.report, ensure_ascii=False)
        parts.append(f'  - {{"at": "{at_ms}ms", "report": {report}}}\n')
    parts += _expectations(_runs(happens, start_s, rules), rules.ruleset)
    return _usable("".join(parts), len(happens))


def _usable(text: str, reports: int) -> str:
    if "{{" in text:
        raise ValueError("a name holds '{{', which a test would read as a template")
    if len(text.encode()) > LARGEST_TEST:
        hint = "a shorter --duration, or fewer --calls-per-hour"
        raise ValueError(f"{reports:,} reports are too many for one test, of 1 MiB ({hint})")
    return text


def _runs(happens: Iterable[tuple[int, Sent]], start_s: float, rules: Snapshot) -> Counter[str]:
    """How many runs of each rule start."""
    language = rules.language
    case = Case(
        test="",
        given={},
        where=Location("simulated", 0, 0),
        began_s=start_s,
        state={},
        answers={},
        happens=tuple(
            Report(
                at_s=at_ms / 1000,
                event=openvox.read(
                    one.report,
                    schemas=language.event_schemas,
                    received_at=received_at(start_s, at_ms / 1000),
                ),
            )
            for at_ms, one in happens
        ),
        expected=(),
        unexpected=(),
    )
    came = trial.run(
        case, Coverage(rules.ruleset), verbs=language.verbs, secrets=placeholders(language.secrets)
    )
    if came.endless:
        raise ValueError(f"the rules would go on for ever ({came.endless})")
    return Counter(deed.rule for deed in came.deeds if not deed.verb)


def _expectations(runs: Counter[str], ruleset: RuleSet) -> Iterator[str]:
    names = [rule.id for rule in ruleset.rules]
    fired = [f"  - {{rule: {json.dumps(n)}, times: {runs[n]}}}\n" for n in names if runs[n]]
    silent = [f"  - {{rule: {json.dumps(n)}}}\n" for n in names if not runs[n]]
    if fired:
        yield "  expect:\n"
        yield from fired
    if silent:
        yield "  expect_no:\n"
        yield from silent
