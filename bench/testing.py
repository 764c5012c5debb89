"""How long ``pbxrules test`` takes for 1,000 cases of 30 rules, as a person waits for it.

The rules are of three kinds (a lamp, a siren that waits for the end of its call, a phone
that nobody answers); every third test is run for several callers, the others are written out.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

RULES = 30
CASES = 1_000
PER_FILE = 50
"""Tests in a file."""
CALLERS = ("+4930999", "anonymous", "null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Testing:
    """One run of all cases."""

    seconds: float
    """From the start of the command to its end."""
    failed: int


def measure(folder: Path, *, times: int) -> list[Testing]:
    """Return *times* runs of the same cases.

    Raises:
        BenchError: One did not run, or a case failed.
    """
    rules = folder / "testing"
    write(rules)
    return [_once(rules) for _ in range(times)]


def _once(rules: Path) -> Testing:
    code = "from pbxrules.cli import main; main(['test', *__import__('sys').argv[1:]])"
    argv = [sys.executable, "-c", code, str(rules), "--min-coverage", "100"]
    root = Path(__file__).parents[1]
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    seconds = time.perf_counter() - began
    if done.returncode or f"{CASES} cases in " not in done.stdout:
        message = f"the cases did not run well\n{done.stdout[-2000:]}{done.stderr}"
        raise BenchError(message)
    return Testing(seconds=seconds, failed=done.stdout.count("  FAIL  "))


def write(folder: Path) -> None:
    """Write the rules, and the tests with all their cases."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text("rules:\n" + "".join(map(_rule, range(RULES))), "utf-8")
    tests = list(_tests())
    for number, begin in enumerate(range(0, len(tests), PER_FILE)):
        text = "tests:\n" + "".join(tests[begin : begin + PER_FILE])
        (folder / f"part-{number:02}.test.yaml").write_text(text, "utf-8")


def _rule(number: int) -> str:
    phone = 100 + number
    lamp = f"""\
- id: rule-{number}
  triggers: {{event: ring, extension: {phone}"""
    match number % 3:
        case 0:
            return f"""{lamp}}}
  actions:
  - mqtt: {{topic: home/lamp/{number}/set, payload: {{state: "ON", by: "{{{{ caller }}}}"}}}}
"""
        case 1:
            return f"""{lamp}}}
  mode: restart
  actions:
  - mqtt: {{topic: home/siren/{number}/set, payload: "ON"}}
  - wait_for: {{event: [answer, bye]}}
    timeout: 10m
  finally:
  - mqtt: {{topic: home/siren/{number}/set, payload: "OFF"}}
"""
        case _:
            return f"""{lamp}, for: 20s}}
  conditions: ["{{{{ not call.answered }}}}"]
  actions:
  - log: "nobody answers {{{{ extension }}}}"
"""


def _tests() -> Iterator[str]:
    left = CASES
    number = 0
    while left:
        count = min(len(CALLERS), left) if number % 3 == 0 else 1
        yield _test(number, CALLERS[:count])
        left -= count
        number += 1


def _test(number: int, callers: tuple[str, ...]) -> str:
    rule = number % RULES
    phone = 100 + rule
    cases = f"\n  cases: {{caller: [{', '.join(callers)}]}}" if len(callers) > 1 else ""
    caller = '"{{ caller }}"' if cases else '"+4930999"'
    call = f'extension: {phone}, call_id: "1774746000.{number}"'
    # Every other siren is answered; the others sound for ten minutes.
    answered = rule % 3 == 1 and number // RULES % 2 == 0
    answer = f"\n  - {{at: 12s, event: answer, {call}}}" if answered else ""
    expected = {
        0: f"{{at: 0s, rule: rule-{rule}, mqtt: {{payload: {{state: ON}}}}, times: 1}}",
        1: f'{{at: {"12s" if answered else "10m"}, rule: rule-{rule}, mqtt: {{payload: "OFF"}}}}',
        2: f"{{at: 20s, rule: rule-{rule}, log: nobody answers {phone}}}",
    }[rule % 3]
    return f"""\
- name: the rule does what it is for, {number}{cases}
  events:
  - {{at: 0s, event: ring, caller: {caller}, {call}}}{answer}
  expect:
  - {expected}
  expect_no: [{{rule: rule-{(rule + 1) % RULES}}}]
"""
