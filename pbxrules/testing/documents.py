"""What came of cases, for programs: one JSON object, or JUnit's XML."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from pbxrules.errors import Location
from pbxrules.printable import escape
from pbxrules.testing.coverage import Coverage, percent
from pbxrules.testing.judging import Failure
from pbxrules.testing.running import Result
from pbxrules.testing.timeline import lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that came of a run of ``pbxrules test``."""

    results: Sequence[Result]
    coverages: Mapping[str, Coverage]
    """By folder."""
    seconds: float

    @property
    def failed(self) -> int:
        """How many cases."""
        return sum(not result.passed for result in self.results)

    def by_file(self) -> dict[str, list[Result]]:
        """The results of each file."""
        found: dict[str, list[Result]] = {}
        for result in self.results:
            found.setdefault(result.file, []).append(result)
        return found


# --- JSON ------------------------------------------------------------------------------------


def as_json(outcome: Outcome) -> dict[str, Any]:
    """*outcome* as ``--json`` prints it; keys are only ever added."""
    return {
        "cases": len(outcome.results),
        "failed": outcome.failed,
        "seconds": round(outcome.seconds, 3),
        "files": [
            {"file": file, "cases": [_case(result) for result in results]}
            for file, results in outcome.by_file().items()
        ],
        "coverage": coverage_json(outcome.coverages),
    }


def _case(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "name": case.name,
        "test": case.test,
        "given": dict(case.given),
        **_place(case.where),
        "passed": result.passed,
        "failures": [_failure(failure) for failure in result.failures],
        "notes": list(result.notes),
        "timeline": [
            {"at_s": round(one.at_s, 3), "kind": one.kind, "rule": one.rule, "text": one.text}
            for one in lines(result.happened)
        ],
    }


def _failure(failure: Failure) -> dict[str, Any]:
    place = {} if failure.expected is None else _place(failure.expected.where)
    return {
        "message": failure.says,
        "line": None,
        "column": None,
        **place,
        "came": list(failure.came),
        "because": list(failure.because),
    }


def _place(where: Location) -> dict[str, Any]:
    return {"line": where.line, "column": where.column}


def coverage_json(coverages: Mapping[str, Coverage]) -> dict[str, Any]:
    """What of the rules came into play."""
    each = coverages.values()
    return {
        "percent": round(percent(coverages), 1),
        "rules": sum(len(one.rules) for one in each),
        "branches": sum(len(one.branches) for one in each),
        "never_fired": [
            {"rule": rule.id, "file": rule.where.file, **_place(rule.where)}
            for one in each
            for rule in one.never_fired
        ],
        "never_taken": [
            {
                "rule": branch.rule,
                "file": branch.where.file,
                **_place(branch.where),
                "position": branch.path,
                "why": branch.lacking,
            }
            for one in each
            for branch in one.never_taken
        ],
    }


# --- JUnit -----------------------------------------------------------------------------------


def junit(outcome: Outcome) -> str:
    """*outcome* as JUnit's XML, as continuous integration reads it."""
    root = ET.Element("testsuites", _counts("pbxrules", outcome.results))
    root.set("time", f"{outcome.seconds:.3f}")
    for file, results in outcome.by_file().items():
        suite = ET.SubElement(root, "testsuite", _counts(file, results))
        for result in results:
            case = ET.SubElement(
                suite, "testcase", name=escape(result.case.name), classname=escape(file)
            )
            for failure in result.failures:
                told = ET.SubElement(case, "failure", message=escape(failure.says))
                told.text = "\n".join(escape(line) for line in failure_lines(failure))
            if result.failures:
                log = ET.SubElement(case, "system-out")
                log.text = "\n".join(escape(line) for line in timeline_lines(result))
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _counts(name: str, results: Sequence[Result]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    return {"name": escape(name), "tests": str(len(results)), "failures": str(failed)}


def failure_lines(failure: Failure) -> Iterable[str]:
    """A failure, line by line."""
    place = "" if failure.expected is None else f"{failure.expected.where}: "
    yield f"{place}{failure.says}"
    yield from (f"came: {came}" for came in failure.came)
    yield from (f"because: {why}" for why in failure.because)


def timeline_lines(result: Result) -> Iterable[str]:
    """What happened in a case that failed, line by line."""
    for line in lines(result.happened):
        of_rule = f"{line.rule} " if line.rule else ""
        yield f"{moment(line.at_s)} {of_rule}{line.text}"


def moment(at_s: float) -> str:
    """When something happened, for a timeline: ``25s``, ``1m30s``, ``0.5s``."""
    whole, rest = divmod(round(at_s, 3), 60)
    hours, minutes = divmod(int(whole), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n]
    return "".join([*parts, f"{rest:g}s" if rest or not parts else ""])
