"""Contestant (a): the handler that somebody writes in ten minutes.

Tornado and paho as their documentation shows them.  Nothing is checked beyond
the three fields, nothing is on disk: what was not published yet dies with it.
"""

import argparse
import asyncio
import json

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from tornado.web import Application, RequestHandler

from bench.calls import EXTENSION, TRUNK
from bench.processes import HOST
from bench.subscriber import TOPIC


class Report(RequestHandler):
    """``POST /``: publish if the three fields are the wanted ones."""

    client: mqtt.Client

    def initialize(self, client: mqtt.Client) -> None:
        """Take the client that all requests share."""
        self.client = client

    def post(self) -> None:
        """Answer 200 when the message was given to paho."""
        report = json.loads(self.request.body)
        if (
            report["action"] == "RING"
            and report["ext"]["extid"] == EXTENSION
            and report["inbound"]["trunk"] == TRUNK
        ):
            self.client.publish(TOPIC, report["callid"], qos=1)
        self.write({"ok": True})


async def serve(port: int, broker: int) -> None:
    """Serve on *port* until the process is ended."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(HOST, broker)
    client.loop_start()
    Application([("/", Report, {"client": client})]).listen(port, HOST)
    await asyncio.Event().wait()


def main() -> None:
    """``python -m bench.bare PORT BROKER_PORT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("broker", type=int)
    args = parser.parse_args()
    asyncio.run(serve(args.port, args.broker))


if __name__ == "__main__":
    main()
