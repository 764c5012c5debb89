"""Rule files and event schemas from disk, as one value that a reload swaps whole."""

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pbxrules import lint, programs, rules, shipped, zones
from pbxrules.errors import Location, Problem, ProblemsError, why_unreadable
from pbxrules.language import Language, controls, verbs
from pbxrules.model import Program
from pbxrules.rules import RuleSet
from pbxrules.schema import EventSchema, Schema, event_schemas
from pbxrules.store import LoadedRun
from pbxrules.yamlsource import Document, read

MAX_BYTES = 1 << 20
FOLDER = "say where the rules are: --rules DIR, or the key 'rules' of the configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The rules and schemas in force."""

    ruleset: RuleSet
    language: Language
    warnings: tuple[Problem, ...] = ()
    """What is doubtful about the rules, sorted."""

    @property
    def event_schemas(self) -> Mapping[str, EventSchema]:
        """The schema of each report, by the PBX's word for it."""
        return self.language.event_schemas

    def program_of(self, loaded: LoadedRun) -> Program:
        """The program of a run that was read back.

        Raises:
            ValueError: This release does not understand it.
        """
        rule = self.ruleset.by_id.get(loaded.run.rule)
        if rule is not None and rule.program.digest == loaded.run.program:
            return rule.program
        return programs.program(loaded.source, self.language)


def language(
    *,
    schemas: Path | None = None,
    variables: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
    timezone: str | None = None,
) -> Language:
    """What rules may say, by our schemas and those of the folder *schemas*.

    Args:
        schemas: The user's own events.
        variables: Those of the configuration.
        secrets: Their names.
        timezone: A zone's name, which there is; None: the machine's own.

    Raises:
        ProblemsError: A schema of that folder can't be read, or is none.
    """
    document = shipped.schema("rules")
    if schemas is not None and not schemas.is_dir():
        raise _unreadable(schemas, "there is no such folder")
    try:
        events = event_schemas(shipped.event_schemas(schemas))
    except (OSError, ValueError) as exc:
        raise _unreadable(schemas or Path("schemas"), str(exc)) from exc
    return Language(
        rules_schema=Schema(document),
        verbs=verbs(document),
        controls=controls(document),
        event_schemas=events,
        variables=variables or {},
        secrets=frozenset(secrets),
        zone=zones.of_machine(os.environ) if timezone is None else zones.find(timezone),
        zones=zones.find,
        zone_names=zones.names,
    )


def _unreadable(path: Path, why: str, hint: str = "") -> ProblemsError:
    return ProblemsError([Problem(Location(str(path), 0, 0), "unreadable", why, hint)])


def rule_files(folder: Path) -> list[Path]:
    """The rule files of a folder, sorted; its ``*.test.yaml`` hold tests, no rules.

    Those misnamed ``*.yml`` are among them: ``load`` refuses them.

    Raises:
        ProblemsError: There is no such folder, or it can't be listed.
    """
    found = files_of(folder)
    return [path for path in found if path.suffix in (".yaml", ".yml") and not holds_tests(path)]


def files_of(folder: Path) -> list[Path]:
    """All that stands in a folder of rules, sorted.

    Raises:
        ProblemsError: There is no such folder, or it can't be listed.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        raise _unreadable(folder, "there is no such folder", FOLDER) from None
    except OSError as exc:
        raise _unreadable(folder, why_unreadable(exc), FOLDER) from exc


def holds_tests(path: Path) -> bool:
    """Whether a file holds tests of rules, no rules."""
    return path.name.endswith(".test.yaml")


@contextmanager
def collected_in_pieces() -> Iterator[None]:
    """Keep the garbage collector, for the length of the block, to what is young.

    Its look at all of 10,000 new rules takes 85 ms, in which no thread has its turn; it has
    several such looks while they are loaded, and finds nothing: rules have no cycles.
    """
    before = gc.get_threshold()
    gc.set_threshold(5_000, 2, 1 << 30)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def let_go(pieces: list[Any]) -> None:
    """Free what only *pieces* still holds, one by one: other threads have turns in between.

    All 10,000 rules at once take 45 ms.
    """
    while pieces:
        pieces.pop()


@collected_in_pieces()
def load(files: Iterable[Path], language: Language) -> Snapshot:
    """The rules of *files*, together.

    Raises:
        ProblemsError: With everything that is wrong with any of them.
    """
    problems: list[Problem] = []
    documents = list(_documents(files, problems))
    try:
        ruleset = rules.load(documents, language, partial=bool(problems))
        warnings = () if problems else lint.warnings(documents, ruleset, language)
    except ProblemsError as exc:
        raise ProblemsError([*problems, *exc.problems]) from exc
    finally:
        let_go(documents)
    if problems:
        raise ProblemsError(problems)
    return Snapshot(ruleset=ruleset, language=language, warnings=warnings)


def _documents(files: Iterable[Path], problems: list[Problem]) -> Iterator[Document]:
    """What can be read of *files*; what can't goes to *problems*."""
    for path in files:
        if path.suffix == ".yml":
            hint = f"rename it to {path.stem}.yaml"
            where = Location(str(path), 0, 0)
            problems.append(Problem(where, "wrong-suffix", "rule files end in .yaml", hint))
            continue
        try:
            yield read(text_of(path), file=str(path))
        except (OSError, UnicodeDecodeError) as exc:
            problems.append(Problem(Location(str(path)), "unreadable", why_unreadable(exc)))


def text_of(path: Path) -> str:
    """What stands in a file.

    Raises:
        OSError: It can't be read.
        UnicodeDecodeError: It is no UTF-8.
    """
    with path.open("rb") as file:
        # One byte more than is allowed: the reader says that it is too large.
        return file.read(MAX_BYTES + 1).decode("utf-8")
