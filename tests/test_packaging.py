"""What is built from a checkout, and the versions it is installed with."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
}
DIRECT = [
    Requirement(line)
    for lines in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for line in lines
]


def tracked(pattern: str) -> set[str]:
    return {str(p.relative_to(ROOT)) for p in ROOT.glob(pattern) if p.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return folder


def test_the_wheel_holds_code_schemas_example_rules_and_reports(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        commands = archive.read(next(n for n in archive.namelist() if "entry_points" in n)).decode()
    expected = tracked("pbxrules/**/*.py")
    expected |= tracked("pbxrules/data/openvox/*")
    shared = tracked("schemas/**/*.json") | tracked("rules/**/*.yaml")
    expected |= {f"pbxrules/data/{name}" for name in shared}
    assert expected <= held
    assert not [name for name in held if not name.startswith("pbxrules/")]
    assert commands.split() == ["[console_scripts]", "pbxrules", "=", "pbxrules.cli:main"]


def test_the_sdist_holds_what_its_tests_need(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    expected = {"LICENSE", "Makefile", "README.md", "constraints.txt", "pyproject.toml"}
    expected |= tracked("tests/**/*.py") | tracked("schemas/**/*.json") | tracked("scripts/*")
    expected |= tracked("tests/editor/*")
    assert expected <= held
    assert not [name for name in held if name.startswith((".venv", ".node", ".bench"))]


@pytest.mark.parametrize("wanted", DIRECT, ids=str)
def test_each_requirement_is_bounded_and_its_pin_is_within(wanted: Requirement) -> None:
    if wanted.name == PROJECT["name"]:
        return  # an extra that includes another
    pin = PINS[canonicalize_name(wanted.name)]
    assert wanted.specifier.contains(pin)
    operators = {bound.operator for bound in wanted.specifier}
    assert operators == {">=", "<"}


def test_all_that_is_installed_for_development_is_pinned() -> None:
    installed: dict[str, str] = {}
    waiting = [(PROJECT["name"], "dev")]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        for line in metadata.requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            installed[canonicalize_name(wanted.name)] = metadata.version(wanted.name)
            new = {(wanted.name, extra) for extra in ("", *wanted.extras)} - seen
            waiting += new
            seen |= new
    installed.pop(PROJECT["name"], None)  # an extra that includes another
    assert installed.items() <= PINS.items()


def test_the_language_server_is_pinned_by_digests_and_by_no_registrys_name() -> None:
    folder = ROOT / "tests" / "editor"
    wanted = json.loads((folder / "package.json").read_text("utf-8"))["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    assert packages.pop("")["dependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not [name for name, package in packages.items() if "resolved" in package]
