"""``pbxrules calls``: which calls there were, from the reports that the store keeps."""

import asyncio
import json
import re
from pathlib import Path

from click.testing import CliRunner

from pbxrules import shipped
from pbxrules.cli import main
from pbxrules.language import duration_s, duration_text
from tests.daemon import Daemon

REQUESTS = [path.read_bytes() for path in sorted(shipped.folder("openvox").glob("*.http"))]


def kept(tmp_path: Path) -> Path:
    """A state folder that holds the manufacturer's six reports."""

    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            for request in REQUESTS:
                assert (await daemon.exchange(request)).status == 200

    asyncio.run(scenario())
    return tmp_path / "state"


def test_the_manufacturers_six_reports_are_three_calls(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["calls", "--json", "--state", str(kept(tmp_path))])

    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [(call["direction"], call["caller"], call["callee"]) for call in told] == [
        ("internal", "101", "106"),
        ("outbound", "106", "103"),
        ("inbound", "103", "101"),
    ]
    assert [[report["event"] for report in call["reports"]] for call in told] == [
        ["alert", "ring"]
    ] * 3
    assert not any(call["answered"] or call["ended"] for call in told)


def test_people_read_who_called_whom_and_what_came(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["calls", "-n", "1", "--state", str(kept(tmp_path))])

    (line,) = result.stdout.splitlines()
    assert "inbound  103 → 101  not answered, goes on  (alert ring)" in line


def test_its_json_has_the_members_that_the_readme_names(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["calls", "--json", "--state", str(kept(tmp_path))])
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    (named,) = re.findall(r"`calls --json` prints one object a line: `([a-z ]+)`", readme)
    assert {*json.loads(result.stdout.splitlines()[0])} == {*named.split()}


def test_where_there_were_none_it_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path):
            pass

    asyncio.run(scenario())
    state = str(tmp_path / "state")
    assert CliRunner().invoke(main, ["calls", "--state", state]).stdout == "no calls\n"
    assert CliRunner().invoke(main, ["calls", "--json", "--state", state]).stdout == ""


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["calls", "--state", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "no daemon has kept its state" in result.stderr


def test_a_duration_is_told_as_rules_write_it() -> None:
    for text in ("500ms", "20s", "5m", "36h", "30d", "1500ms"):
        assert duration_text(duration_s(text)) == text
    assert duration_text(duration_s("120m")) == "2h"
    assert duration_text(0) == "0s"
