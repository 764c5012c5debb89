"""Test files' values become cases, or every ``Problem`` of a file."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pbxrules.errors import Fault, Location, Problem
from pbxrules.rulefile import RuleFile, Told, last_begun
from pbxrules.schema import Mismatch, Path, Schema
from pbxrules.template import RenderError, Tree
from pbxrules.testing import filling
from pbxrules.testing.around import Around
from pbxrules.testing.cases import Case, Expected
from pbxrules.testing.events import happenings
from pbxrules.testing.expectations import answers, expectations, state_values
from pbxrules.testing.moments import start_s
from pbxrules.yamlsource import Document


def cases_of(document: Document, around: Around) -> tuple[list[Case], list[Problem]]:
    """The cases of a test file, and everything that is wrong with it, sorted."""
    told = Told()
    if around.ruleset is None:
        told.unread.update(("rule", "state"))
    file = _checked(document, around.schema, told)
    found: list[Case] = []
    tests = file.value.get("tests") if isinstance(file.value, Mapping) else None
    names: dict[str, Location] = {}
    for place, test in enumerate(tests if isinstance(tests, list) else []):
        path: Path = ("tests", place)
        if isinstance(test, Mapping):
            _tell_name(test, path, file, names)
            found += _Test(path, test, file, around).cases()
    return found, sorted(set(told.problems))


def _checked(document: Document, schema: Schema, told: Told) -> RuleFile:
    """*document*, with what reading it and its schema find wrong told."""
    told.problems += document.problems
    mismatches: list[Mismatch] = []
    if document.value is not None:
        mismatches = schema.mismatches(document.value)
    elif not document.problems:
        message = "the file is empty"
        told.problems.append(Problem(document.place(), "wrong-value", message, "write 'tests:'"))
    file = RuleFile(
        document=document,
        told=told,
        wrong=frozenset(one.path for one in mismatches),
        mismatches=tuple(mismatches),
        cut=None if document.complete else last_begun(document),
    )
    file.tell_mismatches()
    return file


def _tell_name(
    test: Mapping[str, Any], path: Path, file: RuleFile, names: dict[str, Location]
) -> None:
    name = test.get("name")
    if not isinstance(name, str):
        return
    where = file.document.place((*path, "name"))
    before = names.setdefault(name, where)
    if before != where:
        message = f"the test '{name}' stands also at {before}"
        file.tell([Fault((*path, "name"), "duplicate-test", message, "give it another name")])


class _Test:
    """One test while it is read."""

    def __init__(self, path: Path, test: Mapping[str, Any], file: RuleFile, around: Around) -> None:
        self.path = path
        self.file = file
        self.around = around
        self.test = self._good(self._as_written(test))
        self._told: set[Fault] = set()
        """What is wrong with several combinations is told of the first."""

    def _good(self, test: dict[str, Any]) -> dict[str, Any]:
        """The test without the parts with which something is wrong already."""
        if self.file.usable(self.path):
            return test
        known = self.around.schema.document["$defs"]["a_test"]["properties"]
        good = {}
        for key in known:
            path = (*self.path, key)
            if key in test and self.file.usable(path):
                good[key] = test[key]
            elif key in test and path not in self.file.wrong:
                good[key] = self._good_parts(test[key], path)
        return {"name": "", "events": [], **good}

    def _good_parts(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            usable = (self.file.usable((*path, place)) for place in range(len(value)))
            return [item if good else None for item, good in zip(value, usable, strict=True)]
        if isinstance(value, Mapping):
            return {k: inner for k, inner in value.items() if self.file.usable((*path, k))}
        return None

    def _as_written(self, test: Mapping[str, Any]) -> dict[str, Any]:
        """The test, with the numbers of its events and cases as their digits."""
        document, path = self.file.document, self.path
        made = dict(test)
        for key in ("cases", "events"):
            if key in made:
                made[key] = document.as_written(made[key], (*path, key))
        events = made.get("events")
        if isinstance(events, list):
            sent = test["events"]
            made["events"] = [
                self._with_report(event, sent[place], (*path, "events", place))
                for place, event in enumerate(events)
            ]
        return made

    def _with_report(self, event: Any, sent: Any, path: Path) -> Any:
        """The event, with what it has of a report as that is sent."""
        if not isinstance(event, Mapping):
            return event
        own = {key: sent[key] for key in ("report", "payload") if key in event}
        return {**event, **{k: self._as_sent(v, (*path, k)) for k, v in own.items()}}

    def _as_sent(self, value: Any, path: Path) -> Any:
        """JSON's value; an id such as 1589947952.1670 without quotes is no number of it."""
        match value:
            case Mapping():
                return {key: self._as_sent(inner, (*path, key)) for key, inner in value.items()}
            case list():
                return [self._as_sent(inner, (*path, i)) for i, inner in enumerate(value)]
            case float():
                text = self.file.document.written(path)
                return value if text is None or str(value) == text else text
        return value

    def cases(self) -> Iterator[Case]:
        """Its cases; what is wrong with it is told."""
        whole = self.file.usable(self.path)
        if not whole and not self.file.usable((*self.path, "cases")):
            return  # nobody knows what its templates may name
        faults = list(self._faults_of_whole()) if whole else []
        secrets = self.around.language.secrets
        tree = filling.compiled(self.test, self.path, secrets, faults)
        if tree is not None and not faults:
            places = self._places()
            for given in filling.combinations(self.test):
                case = self._case(tree, given, places, faults)
                if case is not None and whole:
                    yield case
        self.file.tell(faults)

    def _faults_of_whole(self) -> Iterator[Fault]:
        if not {"expect", "expect_no"} & self.test.keys():
            hint = "such as expect: [{rule: hall-lamp}]"
            yield Fault(self.path, "missing-key", "'expect' is missing from a test", hint)
        count = 1
        for values in self.test.get("cases", {}).values():
            count *= len(values)
        if count > filling.MOST:
            message = f"{count:,} combinations are more than {filling.MOST:,}"
            yield Fault((*self.path, "cases"), "wrong-value", message, "make several tests of it")

    def _places(self) -> dict[str, list[Location]]:
        """Where each expectation stands."""
        place = self.file.document.place
        return {
            key: [place((*self.path, key, n)) for n in range(len(self.test.get(key, ())))]
            for key in ("expect", "expect_no")
        }

    def _case(
        self,
        tree: Tree,
        given: Mapping[str, Any],
        places: Mapping[str, list[Location]],
        faults: list[Fault],
    ) -> Case | None:
        """The case of one combination; None, and *faults*, where something is wrong with it."""
        found: list[Fault] = []
        try:
            test = filling.filled(self.test, tree, given, self.around.language.secrets)
        except RenderError as exc:
            found.append(Fault(self.path, "wrong-value", f"a template can't be filled in: {exc}"))
            test = None
        if test is not None and not tree.is_literal and self.file.usable(self.path):
            found += self._misfits(test)
        case = None if test is None or found else self._made(test, given, places, found)
        for fault in found:
            if fault not in self._told:
                self._told.add(fault)
                faults.append(replace(fault, message=fault.message + _with(given)))
        return None if found else case

    def _misfits(self, test: Mapping[str, Any]) -> Iterator[Fault]:
        """What the schema finds wrong with a test once it is filled in."""
        for one in self.around.schema.mismatches({"tests": [test]}):
            path = (*self.path, *one.path[2:])
            path = path if one.key is None else (*path, one.key)
            yield Fault(path, one.code, one.message, one.hint, at_key=one.key is not None)

    def _made(
        self,
        test: Mapping[str, Any],
        given: Mapping[str, Any],
        places: Mapping[str, list[Location]],
        found: list[Fault],
    ) -> Case:
        around, path = self.around, self.path
        began_s = start_s(test.get("start"), (*path, "start"), around.language.zone, found)
        expected: dict[str, tuple[Expected, ...]] = {
            key: tuple(expectations(test.get(key, ()), (*path, key), around, places[key], found))
            for key in ("expect", "expect_no")
        }
        return Case(
            test=test["name"],
            given=given,
            where=self.file.document.place((*path, "name")),
            began_s=began_s,
            state=state_values(test.get("state", {}), (*path, "state"), around, found),
            answers=answers(test.get("answers", {}), (*path, "answers"), around, found),
            happens=tuple(
                happenings(test["events"], (*path, "events"), around.language, began_s, found)
            ),
            expected=expected["expect"],
            unexpected=expected["expect_no"],
        )


def _with(given: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in given.items())
    return f" (with {told})" if told else ""
