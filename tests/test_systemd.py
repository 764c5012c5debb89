"""The unit is asked of systemd itself; nothing here needs a running one."""

import socket
import subprocess
from pathlib import Path

import pytest

from pbxrules.systemd import Notifier

UNIT = Path(__file__).parents[1] / "systemd" / "pbxrules.service"
SETTINGS = dict(
    line.split("=", 1) for line in UNIT.read_text("utf-8").splitlines() if line[:1].isupper()
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as installed, but for a program that exists here."""
    text = UNIT.read_text("utf-8")
    command = f"ExecStart={SETTINGS['ExecStart']}\n"
    assert text.count(command) == 1
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(command, "ExecStart=/bin/sh\n"), "utf-8")
    return copy


def analyze(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_to_say_about_the_unit(unit: Path) -> None:
    # A warning does not change the exit code.
    verified = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert (verified.stdout, verified.returncode) == ("", 0)


def test_what_the_unit_exposes_stays_at_two_of_ten_or_less(unit: Path) -> None:
    rated = analyze("security", "--offline=true", "--threshold=20", unit)
    assert rated.returncode == 0, rated.stdout


def test_a_bad_configuration_is_not_tried_again() -> None:
    assert SETTINGS["RestartPreventExitStatus"] == "2"
    assert SETTINGS["Restart"] == "always"


def test_the_daemon_gets_longer_to_stop_than_the_ten_seconds_it_takes() -> None:
    assert int(SETTINGS["TimeoutStopSec"]) > 10


def test_a_manager_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(1_000):  # a queue holds 10 to 512, and a send beyond it would wait
            notifier.tell(WATCHDOG=1)
        assert manager.recv(100) == b"WATCHDOG=1"
