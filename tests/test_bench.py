"""What the bench measures is what it says: its rules load, and its rings fire some of them."""

from pathlib import Path

import pytest

from bench import deciding, house, peers, replaying, testing
from pbxrules import casefiles, loading
from pbxrules.replaying.comparing import Comparison, Difference, Span
from pbxrules.replaying.player import Player
from pbxrules.replaying.replay import replay
from pbxrules.rules import RuleSet
from pbxrules.store import history, reading
from pbxrules.testing import coverage, running

RINGS = 200


def ruleset(folder: Path, size: int) -> RuleSet:
    house.write(folder / "rules", size)
    return loading.load(loading.rule_files(folder / "rules"), loading.language()).ruleset


@pytest.mark.parametrize("size", [10, 1200])
def test_a_ring_meets_a_handful_of_rules_in_a_house_of_any_size(size: int, tmp_path: Path) -> None:
    rules = ruleset(tmp_path, size)
    assert len(rules.rules) == size
    rings = house.rings(size, RINGS)
    fired = [deciding.fires(rules, ring) for ring in rings]
    assert 0.3 < sum(map(bool, fired)) / RINGS < 0.8, "some rings fire rules, some do not"
    met = sum(len(rules.index.candidates(ring)) for ring in rings)
    assert 0.5 < met / RINGS < 6


def test_rule_engine_fires_the_same_rules(tmp_path: Path) -> None:
    rules = ruleset(tmp_path, 200)
    fires = peers.rule_engine_of(house.house(200))
    for ring in house.rings(200, RINGS):
        assert fires(ring) == deciding.fires(rules, ring)


def test_the_tests_of_rules_are_as_many_as_it_says_and_all_pass(tmp_path: Path) -> None:
    testing.write(tmp_path)
    loaded = casefiles.load(tmp_path, casefiles.case_files(tmp_path), loading.language())
    found = list(running.results(loaded))
    assert (len(found), len(loaded.coverage.rules)) == (testing.CASES, testing.RULES)
    assert [result.failures for result in found if not result.passed] == []
    assert coverage.percent({"": loaded.coverage}) == 100.0


def test_the_events_to_replay_are_as_many_as_it_says_and_the_same_rules_fire(
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.yaml").write_text(replaying.rules(0))
    snapshot = loading.load(loading.rule_files(rules), loading.language())
    written = replaying.write(tmp_path / "state", rules, 15_000)
    told: list[Difference] = []
    comparison = Comparison(snapshot.ruleset, Span(), told.append)
    player = Player(snapshot.ruleset, snapshot.language.verbs, {})
    with reading.opened(tmp_path / "state" / "pbxrules.db") as db:
        replay(history.events(db), player, comparison)
    assert (comparison.counts.events, told) == (written, [])
    assert len(snapshot.ruleset.rules) == replaying.RULES
    assert {*comparison.counts.now} == {*snapshot.ruleset.by_id}, "every rule fires"


def test_every_kind_of_rule_is_there() -> None:
    operators = {name for test in house.house(1000).triggers for _, name, _ in house.fields(test)}
    assert operators == {"in", "prefix", "glob", "regex"}
    assert sum(house.SHARES.values()) == 100
