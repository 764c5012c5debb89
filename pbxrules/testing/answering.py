"""What becomes of a try, by the answers that a test gives."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from pbxrules.language import Verb
from pbxrules.model import Delivery, Done, GiveUp, Outcome, TryAgain
from pbxrules.outcomes import of_exit, of_status, of_time_out
from pbxrules.testing.cases import Answer
from pbxrules.testing.comparing import of_arguments

Result = Mapping[str, Any]


class Answers:
    """The answers of one case; those that count for so many tries are used up."""

    def __init__(self, given: Mapping[str, tuple[Answer, ...]], verbs: Mapping[str, Verb]) -> None:
        self._given = given
        self._verbs = verbs
        self._used: Counter[int] = Counter()

    def to(self, rule: str, delivery: Delivery) -> Outcome:
        """What becomes of a try of *rule*."""
        answer = self._answer(rule, delivery)
        result = _result(delivery, answer)
        if delivery.uses_secret:  # as the daemon does: what a target says may repeat it
            said = self._verbs[delivery.verb].said
            result = {name: value for name, value in result.items() if name not in said}
        if answer.fails_for_good:
            return GiveUp(reason=answer.fails_for_good, result=result)
        if answer.fails:
            return TryAgain(reason=answer.fails, result=result)
        outcome = _MEANS[delivery.verb](result, delivery) if delivery.verb in _MEANS else Done()
        match outcome:
            case Done(detail=detail):
                return Done(detail=detail, result=result)
            case GiveUp(reason=reason):
                return GiveUp(reason=reason, result=result)
            case TryAgain(reason=reason):
                return TryAgain(reason=reason, result=result)

    def _answer(self, rule: str, delivery: Delivery) -> Answer:
        for answer in self._given.get(delivery.verb, ()):
            misfits = of_arguments(delivery.verb, delivery.args, answer.when)
            if misfits or answer.rule not in ("", rule):
                continue
            if answer.times is None or self._used[id(answer)] < answer.times:
                self._used[id(answer)] += 1
                return answer
        return _SUCCESS


_SUCCESS = Answer()


def _result(delivery: Delivery, answer: Answer) -> dict[str, Any]:
    """What ``register`` keeps: what is usual, and what the answer says."""
    told = dict(answer.result)
    failed = bool(answer.fails or answer.fails_for_good)
    if delivery.verb == "http":
        if "json" in told:
            told.setdefault("body", json.dumps(told["json"], ensure_ascii=False))
        elif "body" in told:
            told["json"] = _read(told["body"])
        usual: Result = {"status": None if failed else 200, "body": "", "json": None}
    elif delivery.verb == "shell":
        ended = not (failed or told.get("timed_out"))
        code = 0 if ended else None
        usual = {"exit_code": code, "stdout": "", "stderr": "", "timed_out": False}
    else:
        usual = {}
    return {**usual, **told}


def _read(body: Any) -> Any:
    try:
        return json.loads(body)
    except (TypeError, ValueError, RecursionError):
        return None


def _of_request(result: Result, _: Delivery) -> Outcome:
    status = result["status"]
    return of_status(status) if isinstance(status, int) else TryAgain(reason="no answer")


def _of_command(result: Result, delivery: Delivery) -> Outcome:
    if result["timed_out"] is True:
        return of_time_out(delivery.timeout_s)
    code = result["exit_code"]
    said = str(result.get("stderr", "")).partition("\n")[0]
    return of_exit(code if isinstance(code, int) else 1, complained=said)


_MEANS: Mapping[str, Callable[[Result, Delivery], Outcome]] = {
    "http": _of_request,
    "shell": _of_command,
}
"""What an answer means for the action, by its verb; else it is done."""
