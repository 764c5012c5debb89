"""What systemd is told: READY, RELOADING, STOPPING, STATUS and the watchdog's ping."""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Speaks sd_notify(3)'s protocol; silent where nobody listens."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdigit() and ours else None
        """How often at least the watchdog wants its ping; None: there is none."""

    def tell(self, **states: str | int) -> None:
        """Send states such as ``READY=1``."""
        if not self._address:
            return
        text = "\n".join(f"{name}={value}" for name, value in states.items())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(0)
            try:
                sock.connect(self._address)
                sock.send(text.encode())
            except OSError:
                # The manager's socket is gone, or it reads nothing and the queue is full:
                # nobody to tell, and no reason to stop or to let reports wait.
                return

    def reloading(self) -> None:
        """Say that a reload begins; ``READY=1`` ends it."""
        self.tell(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
