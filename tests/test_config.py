"""The configuration: defaults, the file, variables, flags; and what is said of mistakes."""

# Over 300 lines, most of them tables.

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbxrules import config
from pbxrules.config import PREFIX, Config, load, variables
from pbxrules.errors import ProblemsError
from pbxrules.schema import Path as Keys
from pbxrules.store.pruning import Keep

HOME = {"XDG_STATE_HOME": "/home/who/state"}
DEFAULT_EXISTS = config.DEFAULT_FILE.exists()


@pytest.fixture(autouse=True)
def _no_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This machine may have a configuration of its own in /etc."""
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "etc" / "pbxrules.yaml")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes ``conf.yaml``."""

    def one(text: str) -> Path:
        path = tmp_path / "conf.yaml"
        path.write_text(text, "utf-8")
        return path

    return one


Write = Callable[[str], Path]


def told(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[Keys, Any] | None = None,
) -> list[str]:
    """What is said of a configuration; its file is called ``conf.yaml``."""
    with pytest.raises(ProblemsError) as caught:
        load(file, environment or {}, flags)
    folder = f"{file.parent}/" if file else "\0"
    return [str(problem).replace(folder, "") for problem in caught.value.problems]


# --- Defaults ---------------------------------------------------------------------------------


def test_without_a_file_the_defaults_serve() -> None:
    assert load(None, HOME) == Config(
        file=None,
        listen=(("127.0.0.1", 8080),),
        rules=Path("rules"),
        schemas=None,
        state=Path("/home/who/state/pbxrules"),
        timezone=None,
        variables={},
        secrets={},
        mqtt={},
        keep=Keep(events=100_000, days=90, megabytes=1024),
        log_level="info",
        log_format="logfmt",
    )
    assert load(None, HOME).mqtt_settings("id") is None


def test_an_empty_file_is_the_defaults_with_the_rules_beside_it(write: Write) -> None:
    for text in ("", "# all as it is\n"):
        file = write(text)
        found = load(file, HOME)
        assert found == replace(load(None, HOME), file=file, rules=file.parent / "rules")


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        pytest.param({"STATE_DIRECTORY": "/var/lib/x"}, "/var/lib/x", id="systemd's folder"),
        pytest.param({"STATE_DIRECTORY": "/a:/b"}, "/a", id="the first of systemd's folders"),
        pytest.param({"XDG_STATE_HOME": "/s"}, "/s/pbxrules", id="the user's folder for state"),
        pytest.param(
            {"STATE_DIRECTORY": "", "XDG_STATE_HOME": ""},
            f"{Path.home()}/.local/state/pbxrules",
            id="the user's home",
        ),
        pytest.param(
            {"STATE_DIRECTORY": "/a", "PBXRULES_STATE": "/b"}, "/b", id="the one that was told"
        ),
    ],
)
def test_where_the_state_is(environment: dict[str, str], state: str) -> None:
    assert load(None, environment).state == Path(state)


# --- File, variables, flags ---------------------------------------------------------------------

WHOLE = """\
listen: [0.0.0.0:8081, "[::1]:8082"]
rules: my-rules
schemas: my-schemas
state: /var/lib/other
timezone: Europe/Berlin
variables: {lamps: {101: hall}, hash: "#31#"}
secrets: {ntfy: {env: NTFY}}
mqtt:
  url: mqtts://broker.lan:8884
  username: lamp
  password: {env: MQTT_PASSWORD}
  client_id: me
  ca: ca.pem
  protocol: 3.1.1
  keepalive: 2m
limits: {keep_events: 500, keep_days: 1.5, store_megabytes: 16}
log: {level: debug, format: json}
"""
SECRETS = {"NTFY": "s3cret\n", "MQTT_PASSWORD": "pass word"}


def test_a_file_with_every_key(write: Write) -> None:
    file = write(WHOLE)
    folder = file.parent
    found = load(file, SECRETS)
    assert found == Config(
        file=file,
        listen=(("0.0.0.0", 8081), ("::1", 8082)),  # noqa: S104 - as one may write it
        rules=folder / "my-rules",
        schemas=folder / "my-schemas",
        state=Path("/var/lib/other"),
        timezone="Europe/Berlin",
        variables={"lamps": {"101": "hall"}, "hash": "#31#"},
        secrets={"ntfy": "s3cret\n"},
        mqtt={
            "url": "mqtts://broker.lan:8884", "username": "lamp", "password": "pass word",
            "client_id": "me", "ca": str(folder / "ca.pem"), "protocol": "3.1.1", "keepalive": "2m",
        },
        keep=Keep(events=500, days=1.5, megabytes=16),
        log_level="debug",
        log_format="json",
    )  # fmt: skip
    broker = found.mqtt_settings("unused")
    assert broker is not None
    assert (broker.url, broker.username, broker.password) == (
        "mqtts://broker.lan:8884", "lamp", "pass word",
    )  # fmt: skip
    assert (broker.client_id, broker.ca) == ("me", str(folder / "ca.pem"))
    assert (broker.protocol, broker.keepalive_s) == ("3.1.1", 120)


def test_a_broker_of_which_only_the_url_is_told(write: Write) -> None:
    broker = load(write("mqtt: {url: mqtt://h}\n"), {}).mqtt_settings("pbxrules-7")
    assert broker is not None
    assert (broker.client_id, broker.protocol, broker.keepalive_s) == ("pbxrules-7", None, 30)
    assert (broker.username, broker.password, broker.ca) == (None, None, None)


def test_relative_paths_begin_at_the_files_folder_not_where_one_stands(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write("rules: ../r\nschemas: s\nstate: t\nmqtt: {ca: c/a.pem}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for file in (tmp_path / "conf.yaml", Path("../conf.yaml")):
        found = load(file, {})
        resolved = [found.rules, found.schemas, found.state, Path(found.mqtt["ca"])]
        assert [os.path.normpath(path or "") for path in resolved] == [
            str(tmp_path.parent / "r"), str(tmp_path / "s"), str(tmp_path / "t"),
            str(tmp_path / "c/a.pem"),
        ]  # fmt: skip


def test_a_path_may_begin_at_home(write: Write) -> None:
    assert load(write("rules: ~/r\n"), {}).rules == Path.home() / "r"


def test_paths_of_variables_and_flags_begin_where_one_stands(write: Write) -> None:
    found = load(write("rules: r\n"), {"PBXRULES_RULES": "here", "PBXRULES_STATE": "t"})
    assert (found.rules, found.state) == (Path("here"), Path("t"))
    assert load(write("rules: r\n"), {}, {("rules",): "there"}).rules == Path("there")


def test_variables_win_over_the_file_and_flags_over_both(write: Write) -> None:
    file = write("mqtt: {url: mqtt://file, username: u}\nlog: {level: debug, format: json}\n")
    environment = {"PBXRULES_MQTT_URL": "mqtt://variable", "PBXRULES_LOG_LEVEL": "error"}
    found = load(file, environment)
    assert found.mqtt == {"url": "mqtt://variable", "username": "u"}
    assert (found.log_level, found.log_format) == ("error", "json")
    found = load(file, environment, {("mqtt", "url"): "mqtt://flag"})
    assert found.mqtt == {"url": "mqtt://flag", "username": "u"}
    assert found.log_level == "error"


def test_a_variable_of_one_key_wins_over_the_variable_of_all_of_them() -> None:
    environment = {
        "PBXRULES_MQTT_URL": "mqtt://one",
        "PBXRULES_MQTT": "{url: mqtt://all, username: u}",
    }
    assert load(None, environment).mqtt == {"url": "mqtt://one", "username": "u"}


# The variable's text, and what the key then is.
AS_VARIABLES: dict[Keys, tuple[str, Any]] = {
    ("listen",): ("10.0.0.1:81", "10.0.0.1:81"),
    ("rules",): ("/r", "/r"),
    ("schemas",): ("/s", "/s"),
    ("state",): ("/t", "/t"),
    ("timezone",): ("Asia/Tokyo", "Asia/Tokyo"),
    ("variables",): ("{n: 0101, m: 7}", {"n": "0101", "m": 7}),
    ("secrets",): ("{a: {env: HOME}}", {"a": {"env": "HOME"}}),
    ("mqtt",): ("{url: mqtt://h}", {"url": "mqtt://h"}),
    ("mqtt", "url"): ("ws://h/x", "ws://h/x"),
    ("mqtt", "username"): ("12", "12"),
    ("mqtt", "password"): ("{env: HOME}", {"env": "HOME"}),
    ("mqtt", "password", "file"): ("/dev/null", "/dev/null"),
    ("mqtt", "password", "env"): ("HOME", "HOME"),
    ("mqtt", "password", "credential"): ("null", "null"),
    ("mqtt", "client_id"): ("0", "0"),
    ("mqtt", "ca"): ("/ca", "/ca"),
    ("mqtt", "protocol"): ("5", "5"),
    ("mqtt", "keepalive"): ("5s", "5s"),
    ("limits",): ("{keep_days: 2}", {"keep_days": 2}),
    ("limits", "keep_events"): ("100", 100),
    ("limits", "keep_days"): ("1.5", 1.5),
    ("limits", "store_megabytes"): ("16", 16),
    ("log",): ("{level: error}", {"level": "error"}),
    ("log", "level"): ("debug", "debug"),
    ("log", "format"): ("json", "json"),
}


@pytest.mark.parametrize("name", variables())
def test_every_key_is_a_variable_too(name: str, write: Write) -> None:
    """It means what the same key of a file means."""
    keys = variables()[name]
    assert name == PREFIX + "_".join(map(str, keys)).upper()
    text, value = AS_VARIABLES[keys]
    environment = {"HOME": "/h", "CREDENTIALS_DIRECTORY": "/dev"}
    for key in reversed(keys):
        value = {key: value}
    written = load(write(str(value)), environment)
    assert load(None, {**environment, name: text}) == replace(
        written, file=None, rules=written.rules if keys == ("rules",) else Path("rules")
    )


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        pytest.param("h:1", (("h", 1),), id="one"),
        pytest.param("[h:1, i:2]", (("h", 1), ("i", 2)), id="a list"),
        pytest.param('["h:1"]', (("h", 1),), id="a list of one"),
        pytest.param("[::1]:8080", (("::1", 8080),), id="an address of IPv6"),
        pytest.param('["[::1]:1", "h:2"]', (("::1", 1), ("h", 2)), id="a list with such a one"),
    ],
)
def test_addresses_in_a_variable(text: str, listen: tuple[tuple[str, int], ...]) -> None:
    assert load(None, {"PBXRULES_LISTEN": text}).listen == listen


@pytest.mark.parametrize(
    ("given_", "flag", "expected"),
    [
        pytest.param({"PBXRULES_CONFIG": "a"}, None, "a", id="the variable"),
        pytest.param({"PBXRULES_CONFIG": "a"}, "b", "b", id="the flag wins"),
        pytest.param({"PBXRULES_CONFIG": ""}, None, "etc", id="an empty variable is none"),
        pytest.param({}, None, "etc", id="the default, where it is there"),
    ],
)
def test_which_file_is_read(
    given_: dict[str, str], flag: str | None, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    files = {"etc": config.DEFAULT_FILE, "a": tmp_path / "a.yaml", "b": tmp_path / "b.yaml"}
    for name, path in files.items():
        path.write_text(f"timezone: Etc/GMT-{len(name)}\n")
    environment = {name: str(files[value]) if value else "" for name, value in given_.items()}
    assert load(files[flag] if flag else None, environment).file == files[expected]


def test_other_peoples_variables_are_none_of_ours() -> None:
    assert load(None, {**HOME, "PBX": "x", "_PBXRULES_COMPLETE": "y"}) == load(None, HOME)


# --- Mistakes ------------------------------------------------------------------------------------

WANTED_URL = (
    "mqtt://, mqtts://, ws:// or wss:// and a host (user name and password are keys of their own)"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[]\n", ["1:1: wrong-type: a configuration is a mapping"], id="a list"),
        pytest.param("listen\n", ["1:1: wrong-type: a configuration is a mapping"], id="a word"),
        pytest.param(
            "listn: h:1\nbroker: x\nzzz: 1\n",
            [
                "1:1: unknown-key: 'listn' is no key of the configuration (did you mean 'listen'?)",
                "2:1: unknown-key: 'broker' is no key of the configuration (say 'mqtt')",
                "3:1: unknown-key: 'zzz' is no key of the configuration",
            ],
            id="keys",
        ),
        pytest.param(
            "mqtt:\n  host: h\n  usrname: u\n",
            [
                "2:3: unknown-key: 'host' is no key of mqtt (say 'url')",
                "3:3: unknown-key: 'usrname' is no key of mqtt (did you mean 'username'?)",
            ],
            id="keys of the broker",
        ),
        pytest.param(
            "listen: 8080\n",
            ['1:9: wrong-type: 8080 is not HOST:PORT (such as "0.0.0.0:8080")'],
            id="a port",
        ),
        pytest.param(
            "listen: [h:1, h]\n", ["1:15: wrong-value: 'h' is not HOST:PORT"], id="no port"
        ),
        pytest.param("listen: []\n", ["1:9: wrong-value: this list is empty"], id="no address"),
        pytest.param(
            "listen: [h:1, h:65536]\n",
            ["1:9: wrong-value: 'h:65536': ports go to 65535"],
            id="a port too large",
        ),
        pytest.param(
            "timezone: Berlin\n",
            ["1:11: unknown-zone: no time zone is called 'Berlin' (did you mean 'Europe/Berlin'?)"],
            id="a zone",
        ),
        pytest.param(
            "timezone: ../../etc/passwd\n",
            [
                (
                    "1:11: unknown-zone: no time zone is called '../../etc/passwd'"
                    " (such as Europe/Berlin)"
                )
            ],
            id="a file as a zone",
        ),
        pytest.param(
            "mqtt: {url: broker.lan}\n",
            [f"1:13: wrong-value: this value is not {WANTED_URL}"],
            id="a broker without its scheme",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://me:secret@h'}\n",
            [f"1:13: wrong-value: this value is not {WANTED_URL}"],
            id="a password in the URL",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://h:x'}\n",
            ["1:13: wrong-value: its port is not a number to 65535"],
            id="a broker's port that is none",
        ),
        pytest.param(
            "mqtt: {url: 'mqtt://h:70000'}\n",
            ["1:13: wrong-value: its port is not a number to 65535"],
            id="a broker's port too large",
        ),
        pytest.param(
            "mqtt: {password: hunter2}\n",
            ["1:18: wrong-type: this value is not a mapping"],
            id="a password in clear",
        ),
        pytest.param(
            "mqtt: {protocol: 4}\n",
            ["1:18: wrong-value: 4 is none of 5, 5, 3.1.1"],
            id="a protocol",
        ),
        pytest.param(
            "mqtt: {keepalive: 30}\n",
            [
                "1:19: wrong-type: 30 is not a duration such as 30s (write 30s)",
            ],
            id="a span without its unit",
        ),
        pytest.param(
            "secrets: {a-b: {env: X}, c: {}, d: {env: X, file: y}, e: {vault: x}}\n",
            [
                (
                    "1:11: wrong-value: 'a-b' is not a name for templates: letters, digits and _,"
                    " no digit first"
                ),
                "1:29: wrong-value: this mapping is empty",
                "1:36: wrong-value: this value has more keys than 1",
                (
                    "1:59: unknown-key: 'vault' is no key of a secret"
                    " (there are file, env, credential)"
                ),
            ],
            id="secrets",
        ),
        pytest.param(
            "limits: {keep_events: 5, keep_days: 0.5, store_megabytes: 2.5}\n",
            [
                "1:23: wrong-value: 5 is less than 100",
                "1:37: wrong-value: 0.5 is less than 1",
                "1:59: wrong-type: 2.5 is not a whole number",
            ],
            id="limits",
        ),
        pytest.param(
            "log: {level: loud, format: xml}\n",
            [
                "1:14: wrong-value: 'loud' is none of debug, info, warning, error",
                "1:28: wrong-value: 'xml' is none of logfmt, json",
            ],
            id="the log",
        ),
        pytest.param(
            "listen:\nrules: *r\n",
            [
                (
                    "1:8: empty-value: 'listen' has no value"
                    ' (write what is meant; an empty text is "")'
                ),
                (
                    "2:8: alias: '*' without quotes begins an alias in YAML, and none are read here"
                    " (put the value in quotes)"
                ),
            ],
            id="what is no value",
        ),
    ],
)
def test_a_mistake_in_the_file(text: str, expected: list[str], write: Write) -> None:
    assert told(write(text)) == [f"conf.yaml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        pytest.param(
            "PBXRULES_MQQT_URL", "mqtt://h",
            "unknown-variable: 'PBXRULES_MQQT_URL' is no key of the configuration"
            " (did you mean 'PBXRULES_MQTT_URL'?)",
            id="a key nearly right",
        ),
        pytest.param(
            "PBXRULES_ZZZZZZZZZZZZZZ", "1",
            "unknown-variable: 'PBXRULES_ZZZZZZZZZZZZZZ' is no key of the configuration",
            id="a key like no other",
        ),
        pytest.param(
            "PBXRULES_LISTEN", "8080", "wrong-value: '8080' is not HOST:PORT", id="a port"
        ),
        pytest.param("PBXRULES_LISTEN", "", "wrong-value: '' is not HOST:PORT", id="an empty text"),
        pytest.param(
            "PBXRULES_LISTEN", "[h:1", "wrong-value: '[h:1' is not HOST:PORT", id="half a list"
        ),
        pytest.param(
            "PBXRULES_LISTEN", "h:99999", "wrong-value: 'h:99999': ports go to 65535",
            id="a port too large",
        ),
        pytest.param(
            "PBXRULES_LIMITS_KEEP_EVENTS", "many", "wrong-type: 'many' is not a whole number",
            id="a number",
        ),
        pytest.param(
            "PBXRULES_LIMITS", "{keep_event: 500}",
            "unknown-key: 'keep_event' is no key of limits (did you mean 'keep_events'?)",
            id="a key inside",
        ),
        pytest.param(
            "PBXRULES_TIMEZONE", "Nowhere",
            "unknown-zone: no time zone is called 'Nowhere' (such as Europe/Berlin)", id="a zone",
        ),
        pytest.param(
            "PBXRULES_MQTT_PASSWORD_ENV", "UNSET", "no-secret: the variable 'UNSET' is not set",
            id="a secret that is not there",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_variable(name: str, text: str, expected: str, write: Write) -> None:
    """It is told with the variable's name, whatever the file says."""
    for file in (None, write("timezone: Asia/Tokyo\nlisten: h:1\n")):
        assert told(file, {name: text}) == [f"{name}: {expected}"]


def test_a_mistake_in_the_yaml_of_a_variable_has_its_place_in_it() -> None:
    assert told(None, {"PBXRULES_MQTT": "{url: mqtt://h, url: x}"}) == [
        "PBXRULES_MQTT:1:17: duplicate-key: 'url' is given twice (first in line 1)"
    ]


def test_what_is_no_utf_8_is_refused() -> None:
    bad = os.fsdecode(b"\xff:1")
    assert told(None, {"PBXRULES_LISTEN": bad}, {("listen",): [bad], ("state",): bad}) == [
        "--listen: wrong-value: it is no UTF-8",
        "--state: wrong-value: it is no UTF-8",
        "PBXRULES_LISTEN: wrong-value: it is no UTF-8",
    ]


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        pytest.param(
            ("listen",), ["8080"], "--listen: wrong-value: '8080' is not HOST:PORT", id="listen"
        ),
        pytest.param(
            ("mqtt", "url"), "h", f"--mqtt: wrong-value: this value is not {WANTED_URL}", id="mqtt"
        ),
        pytest.param(
            ("mqtt", "url"), "mqtt://h:x",
            "--mqtt: wrong-value: its port is not a number to 65535",
            id="the broker's port",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_flag(flag: Keys, value: Any, expected: str, write: Write) -> None:
    for file in (None, write("listen: h:1\nmqtt: {url: mqtt://i}\n")):
        assert told(file, {}, {flag: value}) == [expected]


def test_all_mistakes_of_file_variables_and_flags_come_at_once(write: Write) -> None:
    file = write("listn: h:1\nlog: {level: loud}\n")
    lines = told(file, {"PBXRULES_LGO": "x", "PBXRULES_RULES": ""}, {("listen",): "x"})
    assert [line.split(": ")[:2] for line in lines] == [
        ["--listen", "wrong-value"],
        ["conf.yaml:1:1", "unknown-key"],
        ["conf.yaml:2:14", "wrong-value"],
        ["PBXRULES_LGO", "unknown-variable"],
        ["PBXRULES_RULES", "wrong-value"],
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "conf.yaml:1:1: unreadable: No such file or directory", id="none"),
        pytest.param(
            b"a: \xff\n", "conf.yaml:1:1: unreadable: byte 4 is no UTF-8: save the file as UTF-8",
            id="no UTF-8",
        ),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_read(content: bytes | None, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "conf.yaml"
    if content is not None:
        file.write_bytes(content)
    assert told(file) == [expected]


# --- Secrets --------------------------------------------------------------------------------------


def test_a_secret_is_read_from_a_file_a_variable_or_a_credential(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes("from a file ü\n".encode())
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "mqtt-password").write_bytes(b" from systemd \r\n\n")
    file = write(
        f"secrets:\n  a: {{file: {tmp_path}/token}}\n  b: {{env: TOKEN}}\n"
        "mqtt: {url: mqtt://h, password: {credential: mqtt-password}}\n"
    )
    environment = {"TOKEN": "from a variable", "CREDENTIALS_DIRECTORY": str(tmp_path / "creds")}
    found = load(file, environment)
    assert found.secrets == {"a": "from a file ü", "b": "from a variable"}
    assert found.mqtt["password"] == " from systemd "


@pytest.mark.parametrize(
    ("source", "environment", "expected"),
    [
        pytest.param("{env: TOKEN}", {}, "the variable 'TOKEN' is not set", id="no variable"),
        pytest.param(
            "{file: /nowhere/token}", {}, "can't read '/nowhere/token': No such file or directory",
            id="no file",
        ),
        pytest.param(
            "{credential: t}", {},
            "systemd gave no credential 't' (the unit needs LoadCredential=t:…)",
            id="not started by systemd",
        ),
        pytest.param(
            "{credential: t}", {"CREDENTIALS_DIRECTORY": "/nowhere"},
            "can't read '/nowhere/t': No such file or directory", id="no such credential",
        ),
        pytest.param("{file: /}", {}, "can't read '/': Is a directory", id="a folder"),
    ],
)  # fmt: skip
def test_a_secret_that_is_not_there_is_told_with_its_place(
    source: str, environment: dict[str, str], expected: str, write: Write
) -> None:
    file = write(f"secrets:\n  a: {source}\nmqtt:\n  password: {source}\n")
    assert told(file, environment) == [
        f"conf.yaml:2:6: no-secret: {expected}",
        f"conf.yaml:4:13: no-secret: {expected}",
    ]


def test_a_secret_that_is_no_utf_8_is_told_without_a_byte_of_it(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(b"s3cr\xff")
    (line,) = told(write(f"secrets: {{a: {{file: {tmp_path}/token}}}}\n"))
    assert line == "conf.yaml:1:14: no-secret: can't read 'token': it is no UTF-8"


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {url: 'mqtt://me:hunter2@h'}",
        "mqtt: {url: 'mqtt://h:hunter2'}",
        "mqtt: mqtt://me:hunter2@h",
        "mqtt: {password: hunter2}",
        "mqtt: {password: *hunter2}",
        "mqtt: {password: !hunter2 x}",
        "mqtt: {password: 'a' hunter2}",
        "mqtt:\n  password: 'a' hunter2",
        "mqtt:\n  password: a: hunter2",
        "mqtt: {password: @hunter2}",
        "mqtt: {password: {{hunter2}}}",
        "mqtt: {password: {{ hunter2 }}, url: a}",
        "mqtt: {password: [hunter2]}",
        "mqtt: {password: {credential: hunter2!}}",
        "secrets: hunter2",
        "secrets: {a: hunter2}",
        "secrets: {a: &hunter2 x}",
        "secrets: {a: {file: [hunter2]}}",
        "secrets: {a: #hunter2#}",
        'secrets: {a: "hunter2\\q"}',
    ],
)
def test_promise_8_no_problem_quotes_a_secret(text: str, write: Write) -> None:
    assert "hunter2" not in "".join(told(write(f"{text}\n")))
    key, _, value = text.partition(":")
    assert "hunter2" not in "".join(told(None, {f"PBXRULES_{key.upper()}": value.strip()}))


def test_promise_8_no_problem_quotes_a_secret_of_a_variable_or_flag() -> None:
    for url in ("mqtt://me:hunter2@h", "mqtt://h:hunter2"):
        assert "hunter2" not in "".join(told(None, {"PBXRULES_MQTT_URL": url}))
        assert "hunter2" not in "".join(told(None, {}, {("mqtt", "url"): url}))
    assert "hunter2" not in "".join(told(None, {"PBXRULES_MQTT_PASSWORD": "hunter2"}))


def test_defaults_of_a_command_yield_to_everybody(write: Write) -> None:
    mine = {"rules": "/mine"}
    assert load(None, {}, defaults=mine).rules == Path("/mine")
    assert load(None, {"PBXRULES_RULES": "/env"}, defaults=mine).rules == Path("/env")
    assert load(write("rules: /file\n"), {}, defaults=mine).rules == Path("/file")


def test_who_does_not_ask_for_secrets_needs_none_and_gets_none(write: Write) -> None:
    file = write(
        "secrets: {a: {credential: a}, b: {env: B}, c: {file: /nowhere}}\n"
        "mqtt: {url: mqtt://h, password: {credential: p}}\n"
    )
    found = load(file, {"B": "s3cret"}, with_secrets=False)
    assert found.secrets == {"a": "", "b": "", "c": ""}
    assert found.mqtt == {"url": "mqtt://h", "password": ""}
    assert "s3cret" not in str(found)


def test_a_secret_of_a_relative_file_begins_at_the_configurations_folder(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("s3cret")
    found = load(write("secrets: {a: {file: token}}\nmqtt: {password: {file: token}}\n"), {})
    assert (found.secrets, found.mqtt) == ({"a": "s3cret"}, {"password": "s3cret"})
