"""The configuration: defaults, then the file, then variables, then flags.

Every key is also a variable: ``mqtt.url`` is ``PBXRULES_MQTT_URL``.
"""

# Over 300 lines: file, variables and flags all name places in one another's terms.

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pbxrules import shipped, zones
from pbxrules.actions.mqtt import MqttSettings
from pbxrules.errors import Location, Problem, ProblemsError, did_you_mean, why_unreadable
from pbxrules.language import duration_s
from pbxrules.schema import Path as Keys
from pbxrules.schema import Schema
from pbxrules.store.pruning import Keep
from pbxrules.yamlsource import Document, read

DEFAULT_FILE = Path("/etc/pbxrules/pbxrules.yaml")
PREFIX = "PBXRULES_"
NOT_KEYS = ("PBXRULES_CONFIG",)
PATHS: tuple[Keys, ...] = (
    ("rules",), ("schemas",), ("state",), ("mqtt", "ca"), ("mqtt", "password", "file"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of one daemon, checked."""

    file: Path | None
    listen: tuple[tuple[str, int], ...]
    rules: Path
    schemas: Path | None
    state: Path
    timezone: str | None
    variables: Mapping[str, Any]
    secrets: Mapping[str, str]
    """Their values; empty texts where they were not asked for."""
    mqtt: Mapping[str, Any]
    keep: Keep
    log_level: str
    log_format: str

    def mqtt_settings(self, client_id: str) -> MqttSettings | None:
        """How to reach the broker; None if none is configured."""
        told = self.mqtt
        if "url" not in told:
            return None
        protocol = told.get("protocol")
        return MqttSettings(
            url=told["url"],
            client_id=told.get("client_id", client_id),
            username=told.get("username"),
            password=told.get("password"),
            ca=told.get("ca"),
            protocol=None if protocol is None else str(protocol),
            keepalive_s=duration_s(told.get("keepalive", "30s")),
        )


def load(
    file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[Keys, Any] | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    with_secrets: bool = True,
) -> Config:
    """The configuration of *file* (or the default one, if it is there), variables and flags.

    Args:
        file: As given by ``--config``; None: ``PBXRULES_CONFIG``, else ``DEFAULT_FILE``.
        environment: Such as ``os.environ``.
        flags: Values that win, by their path: ``{("mqtt", "url"): …}``.
        defaults: Values for keys of the top that nobody else gives.
        with_secrets: Find the values of secrets.  Only who sends them needs them; the
            person who checks the rules may not even read them.

    Raises:
        ProblemsError: With everything that is wrong, each with its place.
    """
    file = _file(file, environment)
    problems: list[Problem] = []
    value: dict[str, Any] = {}
    document: Document | None = None
    if file is not None:
        document = _read(file)
        problems += map(_discreet, document.problems)
        value = dict(document.value) if isinstance(document.value, dict) else {}
        _make_absolute(value, file.parent.absolute())
        if document.value is not None and not isinstance(document.value, dict):
            problems.append(Problem(document.place(), "wrong-type", "a configuration is a mapping"))
    places: dict[Keys, Location] = {}
    _add_variables(value, places, environment, problems)
    for path, flag in (flags or {}).items():
        places[path] = Location(f"--{path[0]}", 0, 0)
        if _is_utf8(flag, places[path], problems):
            _put(value, path, flag)
    value = {**(defaults or {}), **value}
    told = {problem.where for problem in problems}
    problems += [p for p in _mismatches(value, document, places) if p.where not in told]
    if problems:
        raise ProblemsError(problems)
    if not with_secrets:
        value = _without_secrets(value)
    return _config(value, file, environment, lambda path: _place(path, document, places))


def _discreet(problem: Problem) -> Problem:
    """*problem* of YAML without the text that its hint may quote: it may be a password."""
    quotes = re.search("write [\"']", problem.hint)
    return replace(problem, hint="put the value in quotes") if quotes else problem


def _without_secrets(value: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with an empty text in each secret's place."""
    secrets = dict.fromkeys(value.get("secrets", {}), "")
    mqtt = dict(value.get("mqtt", {}))
    if "password" in mqtt:
        mqtt["password"] = ""
    return {**value, "secrets": secrets, "mqtt": mqtt}


def _place(path: Keys, document: Document | None, places: Mapping[Keys, Location]) -> Location:
    """Where the value at *path* was given: the last of file, variable and flag."""
    for n in range(len(path), 0, -1):
        if path[:n] in places:
            return places[path[:n]]
    for given, where in places.items():
        if given[: len(path)] == path:
            return where
    return document.place(path) if document else Location("the defaults", 0, 0)


def _file(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    if file is not None:
        return file
    if environment.get("PBXRULES_CONFIG"):
        return Path(environment["PBXRULES_CONFIG"])
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _read(file: Path) -> Document:
    try:
        return read(file.read_text("utf-8"), file=str(file))
    except (OSError, UnicodeDecodeError) as exc:
        why = why_unreadable(exc)
        raise ProblemsError([Problem(Location(str(file)), "unreadable", why)]) from exc


def _make_absolute(value: dict[str, Any], folder: Path) -> None:
    secrets = value.get("secrets")
    files = [("secrets", name, "file") for name in secrets] if isinstance(secrets, dict) else []
    for path in (*PATHS, *files):
        holder: Any = value
        for key in path[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get(path[-1]), str):
            holder[str(path[-1])] = str(folder / Path(holder[path[-1]]).expanduser())


def variables() -> dict[str, Keys]:
    """The variable of each key of the configuration."""
    schema = shipped.schema("config")
    return {PREFIX + "_".join(map(str, path)).upper(): path for path in _paths(schema, schema)}


def _paths(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Keys]:
    for name, part in schema.get("properties", {}).items():
        yield (name,)
        inner = root["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        for path in _paths(inner, root):
            yield (name, *path)


def _add_variables(
    value: dict[str, Any],
    places: dict[Keys, Location],
    environment: Mapping[str, str],
    problems: list[Problem],
) -> None:
    known = variables()
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in NOT_KEYS:
            continue
        where = Location(name, 0, 0)
        if name not in known:
            message = f"'{name}' is no key of the configuration"
            hint = did_you_mean(name, known)
            problems.append(Problem(where, "unknown-variable", message, hint))
            continue
        path = known[name]
        places[path] = where
        if not _is_utf8(environment[name], where, problems):
            continue
        _put(value, path, _parsed(path, environment[name], where, problems))


def _is_utf8(given: str | list[str], where: Location, problems: list[Problem]) -> bool:
    """Whether it was UTF-8 before Python took it; a problem where it was not."""
    try:
        "".join(given).encode()
    except UnicodeEncodeError:
        problems.append(Problem(where, "wrong-value", "it is no UTF-8"))
        return False
    return True


def _parsed(path: Keys, text: str, where: Location, problems: list[Problem]) -> Any:
    """A variable's value: text where the key takes text, else YAML."""
    schema: Any = shipped.schema("config")
    root = schema
    for key in path:
        schema = schema["properties"][key]
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "string" in kinds and not (text.startswith("[") and "array" in kinds):
        return text
    document = read(text, file=where.file)
    if "string" in kinds and document.problems:
        return text  # no list, but an address such as [::1]:8080
    problems.extend(map(_discreet, document.problems))
    return document.value


def _put(value: dict[str, Any], path: Keys, item: Any) -> None:
    for key in path[:-1]:
        inner = value.get(str(key))
        inner = dict(inner) if isinstance(inner, dict) else {}
        value[str(key)] = inner
        value = inner
    value[str(path[-1])] = item


def _mismatches(
    value: dict[str, Any], document: Document | None, places: Mapping[Keys, Location]
) -> Iterator[Problem]:
    for found in Schema(shipped.schema("config")).mismatches(value):
        path = found.path if found.key is None else (*found.path, found.key)
        where = _place(path, document, places)
        if found.key is not None and document is not None and where == document.place(path):
            where = document.key_place(path)
        yield Problem(where, found.code, found.message, found.hint)


def _config(
    value: Mapping[str, Any],
    file: Path | None,
    environment: Mapping[str, str],
    place: Callable[[Keys], Location],
) -> Config:
    problems: list[Problem] = []
    secrets = {
        name: _secret(source, environment, place(("secrets", name)), problems)
        for name, source in value.get("secrets", {}).items()
    }
    mqtt = dict(value.get("mqtt", {}))
    if "password" in mqtt:
        where = place(("mqtt", "password"))
        mqtt["password"] = _secret(mqtt["password"], environment, where, problems)
    if "url" in mqtt:
        problems += _port_problems(mqtt["url"], place(("mqtt", "url")))
    zone = value.get("timezone")
    if zone is not None:
        problems += _zone_problems(zone, place(("timezone",)))
    listen, wrong = _addresses(value.get("listen", "127.0.0.1:8080"), place(("listen",)))
    problems += wrong
    if problems:
        raise ProblemsError(problems)
    limits = value.get("limits", {})
    log = value.get("log", {})
    folder = file.parent if file else Path()
    return Config(
        file=file,
        listen=listen,
        rules=Path(value["rules"]) if "rules" in value else folder / "rules",
        schemas=Path(value["schemas"]) if "schemas" in value else None,
        state=Path(value["state"]) if "state" in value else default_state(environment),
        timezone=zone,
        variables=value.get("variables", {}),
        secrets=secrets,
        mqtt=mqtt,
        keep=Keep(
            events=limits.get("keep_events", 100_000),
            days=limits.get("keep_days", 90),
            megabytes=limits.get("store_megabytes", 1024),
        ),
        log_level=log.get("level", "info"),
        log_format=log.get("format", "logfmt"),
    )


def default_state(environment: Mapping[str, str]) -> Path:
    """Where the state is unless told: systemd's folder, else the user's own."""
    if environment.get("STATE_DIRECTORY"):
        return Path(environment["STATE_DIRECTORY"].split(":")[0])
    home = environment.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(home) / "pbxrules"


def _secret(
    source: Mapping[str, str] | str,
    environment: Mapping[str, str],
    where: Location,
    problems: list[Problem],
) -> str:
    """The value of a secret, wherever it is; a newline at its end does not count."""
    if isinstance(source, str):
        return source
    ((kind, name),) = source.items()
    if kind == "env":
        if name not in environment:
            problems.append(Problem(where, "no-secret", f"the variable '{name}' is not set"))
        return environment.get(name, "")
    if kind == "credential":
        folder = environment.get("CREDENTIALS_DIRECTORY")
        if folder is None:
            message = f"systemd gave no credential '{name}'"
            hint = f"the unit needs LoadCredential={name}:…"
            problems.append(Problem(where, "no-secret", message, hint))
            return ""
        name = os.path.join(folder, name)  # noqa: PTH118 - a text like a file's name
    try:
        return Path(name).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or "it is no UTF-8"
        problems.append(Problem(where, "no-secret", f"can't read '{name}': {why}"))
        return ""


def _port_problems(url: str, where: Location) -> Iterator[Problem]:
    try:
        _ = urlsplit(url).port
    except ValueError:
        yield Problem(where, "wrong-value", "its port is not a number to 65535")


def _zone_problems(zone: str, where: Location) -> Iterator[Problem]:
    try:
        zones.find(zone)
    except KeyError:
        hint = did_you_mean(zone, zones.names()) or "such as Europe/Berlin"
        yield Problem(where, "unknown-zone", f"no time zone is called '{zone}'", hint)


def _addresses(
    listen: str | list[str], where: Location
) -> tuple[tuple[tuple[str, int], ...], list[Problem]]:
    addresses = []
    problems = []
    for text in [listen] if isinstance(listen, str) else listen:
        host, _, port = text.rpartition(":")
        if int(port) > 65535:  # noqa: PLR2004 - the largest port
            problems.append(Problem(where, "wrong-value", f"'{text}': ports go to 65535"))
        addresses.append((host.strip("[]"), int(port)))
    return tuple(addresses), problems
