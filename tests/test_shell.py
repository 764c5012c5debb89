"""The action ``shell``, with real commands."""

import asyncio
import errno
import gc
import json
import os
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbxrules.actions.command import KEPT_BYTES, Command, Exited, Stop, Stopped, TimedOut, run
from pbxrules.actions.shell import Shell
from pbxrules.model import NOTHING, Done, FieldValue, GiveUp, Outcome, TryAgain
from tests.deliveries import delivery

HOSTILE = "$(touch x); `touch x`; --help 'touch x' \"& touch x &\" | touch x\n#"


@pytest.fixture(params=["by pidfd", "by polling, as on macOS"])
def _each_way_to_see_an_exit(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.param != "by pidfd":
        monkeypatch.delattr(os, "pidfd_open")


each_way = pytest.mark.usefixtures("_each_way_to_see_an_exit")


def perform(args: Mapping[str, Any], **more: Any) -> Outcome:
    """What becomes of one command, without what is kept of it."""
    return replace(performed(args, **more), result=NOTHING)


def kept(args: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    """What ``register`` keeps of one command."""
    return performed(args, **more).result


def performed(args: Mapping[str, Any], **more: Any) -> Outcome:
    """What becomes of one command of a daemon with this process's environment."""

    async def one() -> Outcome:
        shell = Shell(os.environ)
        try:
            return await shell.perform(delivery("shell", args, **more))
        finally:
            await shell.close()

    return asyncio.run(one())


def output(words: list[str], *, stdin: bytes = b"", **more: Any) -> bytes:
    """What a command prints, whole."""
    ended = run(command(words, stdin=stdin, **more), Stop())
    assert isinstance(ended, Exited)
    return ended.stdout


def command(words: list[str], *, stdin: bytes = b"", timeout_s: float = 20.0) -> Command:
    return Command(
        argv=tuple(word.encode() for word in words),
        env={b"PATH": os.environb[b"PATH"]},
        cwd=None,
        stdin=stdin,
        timeout_s=timeout_s,
    )


def written(outcome: Outcome, path: Path) -> str:
    assert outcome == Done()
    return path.read_text()


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that a child process does."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


# --- What a call can and can't do -----------------------------------------------------------


def test_a_caller_has_no_shell_meaning_in_an_argument(tmp_path: Path) -> None:
    args = {"argv": ["sh", "-c", 'printf %s "$1" >out', "sh", HOSTILE], "cwd": str(tmp_path)}
    assert written(perform(args), tmp_path / "out") == HOSTILE
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_caller_has_no_shell_meaning_in_a_script(tmp_path: Path) -> None:
    args = {"script": 'printf %s "$PBX_CALLER" >out; echo $PBX_CALLER >&2', "cwd": str(tmp_path)}
    outcome = perform(args, fields={"caller": HOSTILE})
    assert written(outcome, tmp_path / "out") == HOSTILE
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_caller_has_no_shell_meaning_in_env_and_stdin(tmp_path: Path) -> None:
    args = {
        "script": 'printf %s "$WHO" >who; cat >stdin',
        "env": {"WHO": HOSTILE},
        "cwd": str(tmp_path),
    }
    outcome = perform(args, fields={"caller": HOSTILE}, payload={"from": HOSTILE})
    assert written(outcome, tmp_path / "who") == HOSTILE
    told = json.loads((tmp_path / "stdin").read_text())
    assert (told["caller"], told["payload"]) == (HOSTILE, {"from": HOSTILE})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stdin", "who"]


@pytest.mark.parametrize("unfit", [pytest.param("\0", id="NUL"), pytest.param("\ud83d", id="half")])
def test_a_caller_that_no_argument_can_hold_stops_no_siren(tmp_path: Path, unfit: str) -> None:
    name = f"a{unfit}b"
    args = {
        "argv": ["sh", "-c", 'printf %s "$1$A$PBX_CALLER" >out; cat >stdin', "sh", name],
        "env": {"A": name},
        "cwd": str(tmp_path),
    }
    outcome = perform(args, fields={"caller": name}, payload={"x": name})
    assert written(outcome, tmp_path / "out") == "a\ufffdb" * 3
    json.loads((tmp_path / "stdin").read_bytes())


# --- What a command is told -----------------------------------------------------------------


def test_nothing_of_the_daemons_environment_is_inherited_but_three_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "evil.sh").write_text(f"touch {ran}\n")
    for name in ("BASH_ENV", "ENV", "LD_PRELOAD", "PYTHONPATH", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "evil.sh"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("HOME", str(tmp_path))

    args = {"argv": ["bash", "-c", "env >out"], "cwd": str(tmp_path)}
    names = {line.split("=")[0] for line in written(perform(args), tmp_path / "out").splitlines()}

    of_bash = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert {name for name in names - of_bash if not name.startswith("PBX_")} == {
        "PATH",
        "HOME",
        "LANG",
    }
    assert not ran.exists()


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        pytest.param({"caller": "0112"}, "PBX_CALLER", "0112", id="text as it is"),
        pytest.param({"extensions": ("101", "102")}, "PBX_EXTENSIONS", "101 102", id="a list"),
        pytest.param({"duration": 1200}, "PBX_DURATION", "1200", id="a whole number"),
        pytest.param({"duration": 12.0}, "PBX_DURATION", "12", id="a whole number of seconds"),
        pytest.param({"duration": 1e-7}, "PBX_DURATION", "0.0000001", id="never an exponent"),
        pytest.param({}, "PBX_TRUNK", None, id="an absent field is unset"),
        pytest.param({"room-no": "7"}, "PBX_ROOM_NO", "7", id="a field that is no name"),
        pytest.param({}, "PBX_DELIVERY_ID", "run-7/actions/0", id="the delivery's id"),
        pytest.param({"delivery_id": "x"}, "PBX_DELIVERY_ID", "run-7/actions/0", id="is its own"),
    ],
)
def test_a_field_is_a_variable(
    tmp_path: Path, fields: Mapping[str, FieldValue], name: str, expected: str | None
) -> None:
    args = {"script": "env -0 >out", "cwd": str(tmp_path)}
    variables = written(perform(args, fields=fields), tmp_path / "out").split("\0")
    assert dict(v.split("=", 1) for v in variables if v).get(name) == expected


def test_a_rule_can_add_to_the_environment_but_not_speak_for_the_event(tmp_path: Path) -> None:
    args = {
        "script": 'echo "$ROOM $PBX_EXTENSION ${PBX_TRUNK-unset}" >out',
        "env": {"ROOM": "käse", "PBX_EXTENSION": "1", "PBX_TRUNK": "t"},
        "cwd": str(tmp_path),
    }
    assert written(perform(args), tmp_path / "out") == "käse 101 unset\n"


def test_the_event_comes_as_one_line_of_json_on_stdin(tmp_path: Path) -> None:
    args = {"script": "cat >out", "cwd": str(tmp_path)}
    fields: Mapping[str, FieldValue] = {"extensions": ("101", "102"), "duration": 3}
    text = written(perform(args, fields=fields, payload={"call": [{"ü": None}]}), tmp_path / "out")
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "event": "ring",
        "action": "RING",
        "received_at": "2026-03-29T01:59:50+00:00",
        "caller": "+4930123456",
        "extension": "101",
        "extensions": ["101", "102"],
        "duration": 3,
        "payload": {"call": [{"ü": None}]},
    }


# --- How it ends ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("true", Done(), id="exit 0 is done"),
        pytest.param("echo; echo on; echo off", Done(detail="on"), id="says its first line"),
        pytest.param(
            "printf 'a\\033[1m\\tb'", Done(detail="a [1m b"), id="in printable characters"
        ),
        pytest.param("printf '\\377'", Done(detail="\ufffd"), id="that need not be UTF-8"),
        pytest.param("exit 3", TryAgain(reason="exit 3"), id="exit 3 has failed"),
        pytest.param(
            "echo fine; echo no lamp >&2; exit 1", TryAgain(reason="exit 1: no lamp"), id="says why"
        ),
        pytest.param("kill -9 $$", TryAgain(reason="killed by SIGKILL"), id="killed by another"),
        pytest.param("kill -40 $$", TryAgain(reason="killed by signal 40"), id="nameless signal"),
    ],
)
@each_way
def test_an_end_has_its_words(script: str, expected: Outcome) -> None:
    assert perform({"script": script}) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo tok; exit 0", Done()),
        ("echo tok; echo ken >&2; exit 3", TryAgain(reason="exit 3")),
        ("kill -9 $$", TryAgain(reason="killed by SIGKILL")),
    ],
)
def test_promise_8_of_a_command_that_was_given_a_secret_no_output_is_kept(
    script: str, expected: Outcome
) -> None:
    assert perform({"script": script}, uses_secret=True) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("true", (0, "", "", False), id="nothing was said"),
        pytest.param("echo on; echo; echo", (0, "on", "", False), id="its last line ends are cut"),
        pytest.param(
            "printf ' a\nb '; echo c >&2; exit 3", (3, " a\nb ", "c", False), id="both, and a code"
        ),
        pytest.param("printf '\\377\\0'", (0, "\ufffd\0", "", False), id="that need not be text"),
        pytest.param("kill -9 $$", (None, "", "", False), id="killed, it has no code"),
        pytest.param("sleep 60", (None, "", "", True), id="its time was over"),
    ],
)
def test_the_result_of_a_command(script: str, expected: tuple[int | None, str, str, bool]) -> None:
    result = kept({"script": script}, timeout_s=1.0 if "sleep" in script else 20.0)
    assert result == dict(
        zip(("exit_code", "stdout", "stderr", "timed_out"), expected, strict=True)
    )


def test_a_command_that_never_ran_has_a_result_without_a_code() -> None:
    result = kept({"argv": ["/nowhere/light"]})
    assert result == {"exit_code": None, "stdout": "", "stderr": "", "timed_out": False}


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [
        pytest.param(100_000, 0, (65_536, 0), id="one alone has all of it"),
        pytest.param(0, 100_000, (0, 65_536), id="so has the other"),
        pytest.param(100_000, 1_000, (64_536, 1_000), id="what is short is kept whole"),
        pytest.param(1_000, 100_000, (1_000, 64_536), id="whichever it is"),
        pytest.param(100_000, 100_000, (32_768, 32_768), id="both long have half each"),
    ],
)
def test_of_a_commands_output_64_kib_are_kept_in_all(
    stdout: int, stderr: int, expected: tuple[int, int]
) -> None:
    fill = "head -c {} /dev/zero | tr '\\0' x"
    result = kept({"script": f"{fill.format(stdout)}; {fill.format(stderr)} >&2"})
    assert (len(result["stdout"]), len(result["stderr"])) == expected


def test_output_that_is_no_text_grows_no_larger_as_text() -> None:
    result = kept({"script": "head -c 65536 /dev/zero | tr '\\0' '\\377'"})
    assert result["stdout"] == "\ufffd" * (65_536 // 3)


def test_promise_8_the_result_of_a_command_with_a_secret_has_none_of_its_words() -> None:
    result = kept({"script": "echo tok; echo ken >&2; exit 3"}, uses_secret=True)
    assert result == {"exit_code": 3, "timed_out": False}


def test_a_very_long_line_is_cut() -> None:
    assert perform({"script": "head -c 100000 /dev/zero | tr '\\0' x"}) == Done(detail="x" * 200)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        pytest.param(
            {"argv": ["lihgt", "on"]}, "can't run 'lihgt': no such command in PATH", id="unknown"
        ),
        pytest.param(
            {"argv": ["/nowhere/light"]},
            "can't run '/nowhere/light': it, or the program that its first line names, "
            "is not there",
            id="no such file",
        ),
        pytest.param(
            {"argv": ["/etc/passwd"]}, "can't run '/etc/passwd': Permission denied", id="text"
        ),
        pytest.param({"argv": ["/etc"]}, "can't run '/etc': Permission denied", id="a folder"),
        pytest.param(
            {"argv": ["true"], "cwd": "/nowhere"},
            "can't run 'true' in '/nowhere': No such file or directory",
            id="no such working folder",
        ),
        pytest.param(
            {"argv": ["true", "x" * 128 * 1024]},
            "can't run 'true': its arguments and environment are too long for the system",
            id="an argument of 128 KiB",
        ),
        pytest.param(
            {"argv": ["true"], "env": {"A=B": "c"}},
            "can't run 'true': illegal environment variable name",
            id="an impossible name",
        ),
    ],
)
def test_what_can_never_run_is_given_up_by_name(args: Mapping[str, Any], expected: str) -> None:
    assert perform(args) == GiveUp(reason=expected)


def test_what_can_not_run_just_now_is_tried_again(tmp_path: Path) -> None:
    busy = tmp_path / "light"
    busy.write_bytes(Path("/bin/true").read_bytes())
    busy.chmod(0o755)
    with busy.open("ab"):
        outcome = perform({"argv": [str(busy)]})
    said = os.strerror(errno.ETXTBSY)
    assert outcome == TryAgain(reason=f"can't run '{busy}' now: {said}")


# --- Nothing that a command does hangs, grows or is left behind ------------------------------


@each_way
def test_a_grandchild_that_holds_the_pipe_does_not_hang_it(tmp_path: Path) -> None:
    args = {"script": "sleep 60 & echo $! >pid; echo done", "cwd": str(tmp_path)}
    assert perform(args) == Done(detail="done")
    left = int((tmp_path / "pid").read_text())
    assert alive(left)  # what a command leaves behind on purpose is its own affair
    os.kill(left, 9)


def test_a_grandchild_that_writes_without_end_does_not_hang_it(tmp_path: Path) -> None:
    writes = "(echo y; touch wrote; exec yes) & while [ ! -e wrote ]; do sleep 0.01; done"
    assert perform({"script": writes, "cwd": str(tmp_path)}) == Done(detail="y")


def test_what_was_printed_just_before_the_exit_is_not_lost() -> None:
    ends = [output(["sh", "-c", "echo a; echo b"]) for _ in range(50)]
    assert set(ends) == {b"a\nb\n"}


def test_300_mb_of_output_keep_the_memory_flat() -> None:
    tracemalloc.start()
    try:
        kept = output(["sh", "-c", "head -c 300000000 /dev/zero | tee /dev/stderr"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == KEPT_BYTES
    assert peak < 2_000_000


def test_the_beginning_of_the_output_is_kept() -> None:
    kept = output(["sh", "-c", "echo first; head -c 100000 /dev/zero; echo last"])
    assert kept.startswith(b"first\n")
    assert len(kept) == KEPT_BYTES


def test_a_big_stdin_arrives_whole() -> None:
    stdin = os.urandom(1_000_000)
    assert (
        output(["sha256sum"], stdin=stdin)
        == subprocess.run(["sha256sum"], input=stdin, capture_output=True, check=True).stdout
    )


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("true", id="ends at once"),
        pytest.param("exec <&-; echo closed >&2", id="closes it"),
        pytest.param("exec <&- >&- 2>&-; true", id="closes all"),
        pytest.param("head -c 1", id="reads one byte"),
    ],
)
@each_way
def test_a_command_that_ignores_its_stdin_is_not_waited_for(script: str) -> None:
    ended = run(command(["sh", "-c", script], stdin=b"x" * 1_000_000), Stop())
    assert isinstance(ended, Exited)
    assert ended.code == 0


@each_way
def test_at_the_timeout_the_whole_group_is_dead(tmp_path: Path) -> None:
    script = "trap '' TERM HUP INT; sleep 60 & echo $! $$ >pids; wait; sleep 60"
    outcome = perform({"script": script, "cwd": str(tmp_path)}, timeout_s=1.5)
    assert outcome == TryAgain(reason="timed out after 1.5 s")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    asyncio.run(until(lambda: not any(map(alive, pids))))


def test_the_timeout_holds_for_a_command_that_never_stops_writing() -> None:
    assert perform({"argv": ["yes"]}, timeout_s=0.3) == TryAgain(reason="timed out after 0.3 s")


@each_way
def test_a_cancelled_command_is_dead_with_all_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = "sleep 60 & echo $! $$ >tmp; mv tmp pids; wait"
    args = {"script": script, "cwd": str(tmp_path)}

    async def cancelled() -> None:
        shell = Shell(os.environ)
        task = asyncio.ensure_future(shell.perform(delivery("shell", args)))
        await until(pids.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        child, parent = (int(pid) for pid in pids.read_text().split())
        assert not alive(parent)
        await until(lambda: not alive(child))
        await shell.close()

    asyncio.run(cancelled())


def test_a_command_that_waits_for_a_thread_is_never_started_once_cancelled(tmp_path: Path) -> None:
    async def cancelled() -> None:
        shell = Shell(os.environ, concurrency=1)
        busy = delivery("shell", {"script": "touch busy; sleep 60", "cwd": str(tmp_path)})
        first = asyncio.ensure_future(shell.perform(busy))
        await until((tmp_path / "busy").exists)
        late = delivery("shell", {"script": "touch late", "cwd": str(tmp_path)})
        second = asyncio.ensure_future(shell.perform(late))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
        await shell.close()

    asyncio.run(cancelled())
    assert not (tmp_path / "late").exists()


def test_close_ends_what_still_runs(tmp_path: Path) -> None:
    async def closed() -> Outcome:
        shell = Shell(os.environ)
        args = {"script": "touch busy; sleep 60", "cwd": str(tmp_path)}
        task = asyncio.ensure_future(shell.perform(delivery("shell", args)))
        await until((tmp_path / "busy").exists)
        await shell.close()
        return await task

    outcome = asyncio.run(closed())
    assert isinstance(outcome, TryAgain)
    assert outcome.reason == "killed, for the daemon stops"


def test_a_stop_counts_before_and_after_too() -> None:
    stop = Stop()
    stop.set()
    stop.set()
    assert run(command(["true"]), stop) == Stopped()
    late = Stop()
    assert isinstance(run(command(["true"]), late), Exited)
    late.set()


@each_way
def test_no_process_and_no_descriptor_is_left_behind() -> None:
    run(command(["true"]), Stop())
    gc.collect()
    before = descriptors()
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    others = children.read_text()
    run(command(["true"]), Stop())
    run(command(["lihgt"]), Stop())
    assert run(command(["sleep", "60"], timeout_s=0.1), Stop()) == TimedOut()
    assert descriptors() <= before
    assert children.read_text() == others


def test_commands_run_side_by_side_up_to_the_bound(tmp_path: Path) -> None:
    """Each waits until it sees the others, which none would if they ran in turn."""
    script = 'touch "$PBX_CALLER"; while [ $(ls | wc -l) -lt 8 ]; do sleep 0.01; done'

    async def together() -> list[Outcome]:
        shell = Shell(os.environ, concurrency=8)
        args = {"script": script, "cwd": str(tmp_path)}
        try:
            return await asyncio.gather(
                *(
                    shell.perform(delivery("shell", args, fields={"caller": str(number)}))
                    for number in range(8)
                )
            )
        finally:
            await shell.close()

    assert [replace(outcome, result=NOTHING) for outcome in asyncio.run(together())] == [Done()] * 8


def test_the_dispatcher_is_told_the_bounds() -> None:
    shell = Shell({})
    assert (shell.concurrency, shell.per_rule, shell.ready()) == (16, 4, True)
