"""What a case expected beside what came: every difference, and why a rule did not fire."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbxrules.hints import example
from pbxrules.language import duration_text
from pbxrules.rules import RuleSet
from pbxrules.testing.cases import EXACT_S, Case, Expected, Report
from pbxrules.testing.comparing import differences, of_arguments
from pbxrules.testing.reasons import why_not
from pbxrules.testing.trial import Deed, Trial

NOT_OF_CALLS = ("extension_status", "other")
FEW = 3
"""So many of what came instead are told."""


NO_CALL = "an event without call_id belongs to no call: none ends what another one began"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One expectation that was not met."""

    expected: Expected | None
    """None: the case was stopped."""
    says: str
    """What was expected, or was not to come."""
    came: tuple[str, ...]
    """What came instead, the most alike first."""
    because: tuple[str, ...] = ()
    """Why the rule did not fire, the nearest miss first."""


def judge(case: Case, trial: Trial, ruleset: RuleSet) -> list[Failure]:
    """Every expectation of *case* that was not met."""
    if trial.endless:
        says = f"the rules go on for ever: they were stopped after {trial.endless}"
        return [Failure(expected=None, says=says, came=())]
    return [
        *(found for one in case.expected for found in _missing(one, trial, ruleset)),
        *(found for one in case.unexpected for found in _unwanted(one, trial)),
    ]


def notes(case: Case, ruleset: RuleSet) -> Iterator[str]:
    """What is worth a look where *case* failed, though nothing is wrong with it."""
    calls = [one.event for one in case.happens if isinstance(one, Report)]
    lone = [e for e in calls if e.kind not in NOT_OF_CALLS and "call_id" not in e.fields]
    if ruleset.about_calls and lone and len(calls) > 1:
        yield NO_CALL


def _missing(wanted: Expected, trial: Trial, ruleset: RuleSet) -> Iterator[Failure]:
    says = f"expected {wanted.says}"
    if wanted.is_state:
        wrong = _state_differs(wanted, trial)
        if wrong:
            yield Failure(expected=wanted, says=says, came=tuple(wrong))
        return
    fits = [deed for deed in trial.deeds if not _misfit(deed, wanted)]
    if fits if wanted.times is None else len(fits) == wanted.times:
        return
    if fits:
        came = [f"it came {_times(len(fits))}: {_moments(fits)}"]
        yield Failure(expected=wanted, says=says, came=tuple(came))
        return
    same_rule = any(deed.rule == wanted.rule and not deed.verb for deed in trial.deeds)
    because = why_not(ruleset, wanted.rule, trial) if wanted.rule and not same_rule else []
    yield Failure(
        expected=wanted,
        says=says,
        came=tuple(_nearest(wanted, trial.deeds)),
        because=tuple(because),
    )


def _unwanted(unwanted: Expected, trial: Trial) -> Iterator[Failure]:
    says = f"did not expect {unwanted.says}"
    if unwanted.is_state:
        if not _state_differs(unwanted, trial):
            yield Failure(expected=unwanted, says=says, came=("just that",))
        return
    found = [deed for deed in trial.deeds if not _misfit(deed, unwanted)]
    if found:
        came = tuple(f"{duration_text(deed.at_s)}: {_shown(deed)}" for deed in found[:FEW])
        more = len(found) - FEW
        yield Failure(
            expected=unwanted, says=says, came=(*came, f"and {more} more") if more > 0 else came
        )


def _state_differs(wanted: Expected, trial: Trial) -> list[str]:
    until = float("inf") if wanted.at_s is None else wanted.at_s + EXACT_S
    state = next(values for at_s, values in reversed(trial.states) if at_s <= until)
    return list(differences(state, wanted.state))


# --- Deeds -----------------------------------------------------------------------------------


def _misfit(deed: Deed, wanted: Expected) -> bool:
    """Whether *deed* is not what is *wanted*."""
    return (
        deed.verb != wanted.verb
        or (wanted.rule not in ("", deed.rule))
        or bool(_time_differs(deed, wanted))
        or bool(of_arguments(deed.verb, deed.args, wanted.args))
    )


def _time_differs(deed: Deed, wanted: Expected) -> str:
    at_s = deed.at_s
    exactly = wanted.at_s is not None and abs(at_s - wanted.at_s) > EXACT_S
    early = wanted.after_s is not None and at_s < wanted.after_s
    late = wanted.before_s is not None and at_s >= wanted.before_s
    if exactly and wanted.at_s is not None:
        return f"not at {duration_text(wanted.at_s)}"
    if early or late:
        bound = wanted.after_s if early else wanted.before_s
        return f"not {'after' if early else 'before'} {duration_text(bound or 0.0)}"
    return ""


def _nearest(wanted: Expected, deeds: Sequence[Deed]) -> Iterator[str]:
    """What came instead, the most alike first."""
    alike: dict[str, int] = {}
    for deed in deeds:
        if deed.verb != wanted.verb or (not wanted.verb and deed.rule != wanted.rule):
            continue
        wrong = [f"it is of {deed.rule}"] if wanted.rule not in ("", deed.rule) else []
        late = _time_differs(deed, wanted)
        wrong += [late] if late else []
        wrong += of_arguments(deed.verb, deed.args, wanted.args)
        told = f"{_shown(deed)} at {duration_text(deed.at_s)}, but {'; '.join(wrong)}"
        alike.setdefault(told, len(wrong))
    found = sorted(alike, key=lambda told: alike[told])
    if not found and wanted.verb:
        found = [f"no {wanted.verb} action"]
    return iter(found[:FEW])


def _shown(deed: Deed) -> str:
    if not deed.verb:
        return f"rule {deed.rule} started"
    return f"{deed.verb} {example(dict(deed.args))} of {deed.rule}"


def _moments(deeds: Sequence[Deed]) -> str:
    return ", ".join(f"at {duration_text(deed.at_s)}" for deed in deeds[:10])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
