"""Time zones: found by their names, with the machine's files and without."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pbxrules import zones

SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The ``/etc/localtime`` of a machine in Berlin."""
    link = tmp_path / "localtime"
    link.symlink_to(str(files("tzdata") / "zoneinfo" / "Europe" / "Berlin"))
    return link


def test_a_zone_by_its_name() -> None:
    assert SUMMER.astimezone(zones.find("Europe/Berlin")).hour == 14


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="nothing"),
        pytest.param("Berlin", id="a city alone"),
        pytest.param("Europe", id="a folder of zones"),
        pytest.param("Europe/Berlin/", id="a zone as a folder"),
        pytest.param("../../etc/passwd", id="a way out of the folder"),
        pytest.param("/etc/localtime", id="a file by its path"),
        pytest.param("tzdata.zi", id="a file that is no zone"),
        pytest.param("x\0y", id="a text that no file can be called"),
        pytest.param("x" * 5000, id="a text too long for a file"),
    ],
)
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(KeyError):
        zones.find(name)


def test_the_names_of_zones_are_those_that_can_be_found() -> None:
    names = zones.names()
    assert {"Europe/Berlin", "America/New_York", "UTC"} <= set(names)
    assert names == sorted(names)
    assert all(zones.find(name) for name in names)


def test_a_machine_without_zone_files_finds_the_same_ones() -> None:
    code = (
        "from pbxrules import zones; from datetime import datetime;"
        "print(len(zones.names()) > 500);"
        "print(datetime(2026, 7, 1, tzinfo=zones.find('America/Santiago')).utcoffset())"
    )
    environment = {**os.environ, "PYTHONTZPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stderr, done.stdout.split("\n")[:2]) == ("", ["True", "-1 day, 20:00:00"])


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        pytest.param({"TZ": "Asia/Tokyo"}, "Asia/Tokyo", id="TZ is a zone"),
        pytest.param({"TZ": ":Asia/Tokyo"}, "Asia/Tokyo", id="TZ is a zone behind a colon"),
        pytest.param({"TZ": "CET-1CEST"}, "Europe/Berlin", id="TZ is no zone's name"),
        pytest.param({"TZ": ""}, "Europe/Berlin", id="TZ is empty"),
        pytest.param({}, "Europe/Berlin", id="no TZ"),
    ],
)
def test_the_machines_zone(environment: dict[str, str], key: str, machine: Path) -> None:
    found = zones.of_machine(environment, machine)
    assert isinstance(found, ZoneInfo)
    assert found.key == key
    assert SUMMER.astimezone(found).utcoffset() == SUMMER.astimezone(ZoneInfo(key)).utcoffset()


def test_the_zone_of_a_machine_whose_file_is_a_copy_has_no_name(
    machine: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(machine.read_bytes())
    found = zones.of_machine({}, copy)
    assert isinstance(found, ZoneInfo)
    assert not found.key
    assert SUMMER.astimezone(found).hour == 14


@pytest.mark.parametrize("content", [None, b"", b"no zone"], ids=["none", "empty", "other"])
def test_a_machine_that_has_no_zone_has_utc(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "localtime"
    if content is not None:
        file.write_bytes(content)
    assert zones.of_machine({}, file) is UTC
