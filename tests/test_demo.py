"""The demo, as somebody runs it who has just installed pbxrules."""

import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.processes import PBXRULES, Child, Mosquitto, environment, free_port, wait_until
from tests.rulefiles import rule
from tests.sockets import recording

ROOT = Path(__file__).parents[1]
FREE = ("--listen", "127.0.0.1:0")
# The demo with less patience, for what never comes.
IMPATIENT = "import pbxrules.demo as d; d.WAIT_S = 1.0; from pbxrules.cli import main; main()"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with nothing in it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def demo(
    folder: Path, *args: str, argv: tuple[str, ...] = (PBXRULES,), **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*argv, "demo", *args], cwd=folder, capture_output=True, text=True, check=False, timeout=50,
        env={**environment(), "XDG_STATE_HOME": str(folder / "state"), **more},
    )  # fmt: skip


def came(shown: str) -> list[tuple[str, str]]:
    """What the subscriber received, but for the log of everything."""
    found = re.findall(r"^ +⇐ (\S+) (.*)$", shown, re.MULTILINE)
    return [(topic, payload) for topic, payload in found if not topic.startswith("pbx/")]


MESSAGES = [
    ("office/101/state", "waits"),
    ("home/workshop/lamp/flash", '{"times": 3, "caller": "101"}'),
    ("office/106/state", "waits"),
    ("office/106/calls", '{"to": "103", "trunk": "to-18-16-2"}'),
    ("office/lines/to-18-16-2", "103 waits for 101"),
    ("home/hall/lamp/set", "ON"),
    ("home/hall/lamp/flash", '{"times": 3, "caller": "103"}'),
]


def test_once_in_an_empty_folder_shows_six_reports_and_their_messages(empty: Path) -> None:
    done = demo(empty, "--once", *FREE)
    assert (done.returncode, done.stderr) == (0, "")
    reports = re.findall(r"^PBX (\S+)  (\{.*\})$", done.stdout, re.MULTILINE)
    assert [name for name, _ in reports] == [
        "1-alert-internal", "2-ring-internal", "3-alert-outbound",
        "4-ring-outbound", "5-alert-inbound", "6-ring-inbound",
    ]  # fmt: skip
    assert all('"callid":"15899' in body for _, body in reports)
    assert sorted(came(done.stdout)) == sorted(MESSAGES)
    assert len(re.findall(r"⇐ pbx/(alert|ring) \{", done.stdout)) == 6
    assert "hall-lamp: extension is absent, wanted 101" in done.stdout
    assert "outgoing-calls shell done 106 calls 103 over to-18-16-2" in done.stdout
    assert done.stdout.endswith("\n6 reports fired 13 rules; 13 of 13 messages arrived\n")
    assert list(empty.iterdir()) == [], "it leaves nothing behind"


def test_a_broker_that_runs_is_used_where_it_is_told(empty: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        for done in (
            demo(empty, "--once", *FREE, "--mqtt", broker.url),
            demo(empty, "--once", *FREE, PBXRULES_MQTT_URL=broker.url),
        ):
            assert (done.returncode, done.stderr) == (0, "")
            assert f"broker {broker.url}\n" in done.stdout
            assert sorted(came(done.stdout)) == sorted(MESSAGES)


def test_the_configuration_holds_as_for_every_command(empty: Path, tmp_path: Path) -> None:
    (empty / "a.yaml").write_text(rule("{event: ring}", "[{mqtt: {topic: a, payload: b}}]"))
    conf = tmp_path / "pbxrules.yaml"
    with Mosquitto(
        tmp_path, f"listener {(port := free_port())} 127.0.0.1", "protocol websockets"
    ) as broker:
        for url, state in ((broker.url, "s1"), (f"ws://127.0.0.1:{port}/mqtt", "s2")):
            conf.write_text(
                f"listen: 127.0.0.1:0\nrules: empty\nstate: {state}\nmqtt: {{url: '{url}'}}\n"
            )
            done = demo(empty, "--once", "--config", str(conf))
            assert (done.returncode, done.stderr) == (0, "")
            assert f"with 1 rules of {empty}, broker {url}\n" in done.stdout
            assert came(done.stdout) == [("a", "b")] * 3
            assert not (tmp_path / state).exists()


def test_a_variable_says_where_it_listens(empty: Path) -> None:
    with recording() as taken:
        done = demo(empty, "--once", PBXRULES_LISTEN=f"127.0.0.1:{taken.port}")
    assert done.returncode == 1
    assert f"127.0.0.1:{taken.port} can't be listened on" in done.stderr


def test_the_secrets_of_an_installation_are_not_needed(empty: Path, tmp_path: Path) -> None:
    conf = tmp_path / "pbxrules.yaml"
    conf.write_text(
        "secrets: {a: {credential: a}}\nmqtt: {username: u, password: {credential: p}}\n"
    )
    done = demo(empty, "--once", *FREE, PBXRULES_CONFIG=str(conf))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_taken_port_is_said_plainly_with_how_to_choose_another(empty: Path) -> None:
    with recording() as taken:
        listen = f"127.0.0.1:{taken.port}"
        done = demo(empty, "--once", "--listen", listen)
    assert done.returncode == 1
    assert done.stderr == (
        f"pbxrules: {listen} can't be listened on: Address already in use\n"
        "Choose another: pbxrules demo --listen 127.0.0.1:8081\n"
        '            or: make run ARGS="--listen 127.0.0.1:8081"\n'
    )
    assert done.stdout == ""


def test_without_the_brokers_package_it_says_what_to_install(empty: Path) -> None:
    code = "import sys; sys.modules['amqtt'] = None; from pbxrules.cli import main; main()"
    done = demo(empty, "--once", *FREE, argv=(sys.executable, "-c", code))
    assert done.returncode == 1
    assert done.stderr == (
        "pbxrules: the demo's own broker is not installed: pip install 'pbxrules[demo]',\n"
        "or give one that runs: pbxrules demo --mqtt mqtt://127.0.0.1:1883\n"
    )


def test_without_the_brokers_package_a_broker_that_runs_will_do(
    empty: Path, tmp_path: Path
) -> None:
    code = "import sys; sys.modules['amqtt'] = None; from pbxrules.cli import main; main()"
    with Mosquitto(tmp_path) as broker:
        done = demo(empty, "--once", *FREE, "--mqtt", broker.url, argv=(sys.executable, "-c", code))
    assert (done.returncode, done.stderr) == (0, "")


def test_where_no_broker_answers_it_says_so(empty: Path) -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    done = demo(empty, "--once", *FREE, "--mqtt", url, argv=(sys.executable, "-c", IMPATIENT))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"pbxrules: no broker answers at {url}"
    assert "Traceback" not in done.stderr


LOST = """\
rules:
  - id: lamp
    triggers: {event: ring, direction: inbound}
    actions:
      - shell: ["false"]
      - mqtt: {topic: home/hall/lamp, payload: "ON"}
"""


def test_a_message_that_never_comes_is_shown_and_ends_with_1(empty: Path) -> None:
    (empty / "lamp.yaml").write_text(LOST)
    done = demo(
        empty, "--once", *FREE, "--rules", str(empty), argv=(sys.executable, "-c", IMPATIENT)
    )
    assert done.returncode == 1
    assert "✗ never came: home/hall/lamp ON" in done.stdout
    assert done.stdout.endswith("\n6 reports fired 1 rules; 0 of 1 messages arrived\n")


def test_rules_that_nothing_fires_end_with_1(empty: Path) -> None:
    (empty / "a.yaml").write_text(rule("{event: cdr}"))
    done = demo(empty, "--once", *FREE, "--rules", str(empty))
    assert done.returncode == 1
    assert done.stdout.endswith("\n6 reports fired 0 rules; 0 of 0 messages arrived\n")


def test_rules_without_messages_are_good_where_they_fire(empty: Path) -> None:
    (empty / "a.yaml").write_text(rule("{event: ring}"))
    done = demo(empty, "--once", *FREE, "--rules", str(empty))
    assert done.returncode == 0
    assert done.stdout.endswith("\n6 reports fired 3 rules; 0 of 0 messages arrived\n")


def test_bad_rules_are_all_told_and_end_with_2(empty: Path) -> None:
    (empty / "a.yaml").write_text(rule("{evnt: ring}", "[{lgo: x}]"))
    done = demo(empty, "--once", *FREE, "--rules", str(empty))
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "unknown-field",
        "unknown-key",
    ]
    assert done.stderr.startswith(f"{empty}/a.yaml:3:14: ")


def test_it_stays_until_ctrl_c_and_the_line_that_it_prints_rings(empty: Path) -> None:
    log = empty.parent / "log"
    with Child([PBXRULES, "demo", *FREE], log, env=environment()) as child:
        child.wait_for("Ctrl-C ends the demo.")
        before = child.text
        (line,) = re.findall(r"^  (\S+ send ring .*)$", before, re.MULTILINE)
        # A person pastes it into a shell.
        done = subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, check=False, env=environment()
        )
        assert done.returncode == 0, done.stderr
        new = wait_until(
            lambda: found if len(found := came(child.text[len(before) :])) > 1 else [],
            "the messages of that ring",
        )
        assert sorted(new) == [
            ("home/hall/lamp/flash", '{"times": 3, "caller": "0301234"}'),
            ("home/hall/lamp/set", "ON"),
        ]
        child.signal(signal.SIGINT)
        assert child.wait() == 0
        assert "Traceback" not in child.text


def test_it_runs_from_an_unpacked_wheel_in_any_folder(empty: Path, tmp_path: Path) -> None:
    """What travels in the wheel is enough; test_packaging.py asks for each file."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    code = "from pbxrules.cli import main; main()"
    path = os.pathsep.join([str(tmp_path / "unpacked"), os.environ.get("PYTHONPATH", "")])
    done = demo(empty, "--once", *FREE, argv=(sys.executable, "-c", code), PYTHONPATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"rules of {tmp_path}/unpacked/pbxrules/data/rules," in done.stdout
    assert sorted(came(done.stdout)) == sorted(MESSAGES)
