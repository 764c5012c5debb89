"""A fresh mosquitto for each contestant, which drops nothing and keeps nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import HOST, free_port, listens, running, tool, wait_until

# 0 is "no limit" four times: the broker must not be where a message is lost.
# Without nodelay, Nagle and the subscriber's delayed ACK can add 40 ms to a
# message, which would be the broker's time and not the contestant's.
CONFIG = """\
listener {port} {host}
allow_anonymous true
persistence false
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 0
max_inflight_bytes 0
set_tcp_nodelay true
connection_messages false
log_type error
log_type warning
"""


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """Run a broker on the loopback for the length of the block; give its port."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(CONFIG.format(port=port, host=HOST), encoding="ascii")
    log = folder / "mosquitto.log"
    with running([tool("mosquitto"), "-c", str(config)], log=log) as process:
        wait_until(lambda: listens(port), process=process, log=log)
        yield port
