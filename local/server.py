"""The local AWS in this process, on the loopback interface. Runs on the cloud environment's Python.

MiniStack writes its state only on a clean stop, so this wrapper also snapshots it from the event
loop: a kill loses what the last interval wrote. It stops when its standard input closes, so that it
never outlives the program that started it, however that one ended.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from local import shared_code

SNAPSHOT_INTERVAL_SECONDS = 2.0
# Each concurrent invocation is a process of about 100 MB. HTTP requests beyond this wait their
# turn, where AWS would start more: 50 callbacks at once are answered, not refused.
HTTP_CONCURRENCY = 8
# A backstop alone. A queue worker refused for it would sit out its visibility timeout.
ACCOUNT_CONCURRENCY = 32
LOOPBACK = "127.0.0.1"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def configure(port: int, data: Path, *, enforce_iam: bool) -> None:
    """Set the environment that MiniStack reads while it is imported."""
    tmp = data / "tmp"
    # What a killed run's workers unpacked is of no use to anyone.
    shutil.rmtree(tmp, ignore_errors=True)
    tmp.mkdir(parents=True)
    forget_stream_positions(data / "state")
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST=LOOPBACK,
        MINISTACK_HOST=LOOPBACK,
        SFTP_ENABLED="0",
        IOT_MTLS_ENABLED="0",
        PERSIST_STATE="1",
        STATE_DIR=str(data / "state"),
        S3_PERSIST="1",
        S3_DATA_DIR=str(data / "s3"),
        TMPDIR=str(tmp),
        LAMBDA_ACCOUNT_CONCURRENCY=str(ACCOUNT_CONCURRENCY),
        AUTH="true" if enforce_iam else "false",
    )


def forget_stream_positions(state: Path) -> None:
    """Let stream consumers start afresh after a restart.

    MiniStack keeps how far a mapping has read but not the records, whose numbering begins again at
    nought: with the old position it would skip as many new records as it had ever read.
    """
    path = state / "lambda.json"
    if not path.exists():
        return
    saved = json.loads(path.read_text())
    saved["payload"]["dynamodb_stream_positions"] = {}
    path.write_text(json.dumps(saved))


class Gate:
    """Stands before MiniStack: notes what came in, and lets a few invocations through at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._http = asyncio.Semaphore(HTTP_CONCURRENCY)
        self.active = False
        self.deploying = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if not path.startswith("/_ministack/"):
            self.active = True
        if any(b"/cloudformation/" in value for _, value in scope.get("headers", ())):
            self.deploying = True
        if path.startswith("/_aws/execute-api/"):
            async with self._http:
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def snapshot_while_active(gate: Gate) -> None:
    """Write the state down every two seconds, unless nothing has come in since the last time."""
    from ministack.app import (  # type: ignore[import-not-found]
        _build_persistence_save_dict,
    )
    from ministack.core.persistence import save_all  # type: ignore[import-not-found]

    while True:
        await asyncio.sleep(SNAPSHOT_INTERVAL_SECONDS)
        if not gate.active:
            continue
        services = _build_persistence_save_dict()
        if not gate.deploying:
            # Takes 0.15 s to hash every function's archive, which only a deployment changes.
            services.pop("lambda", None)
        gate.active = gate.deploying = False
        # On the event loop, which runs every request: nothing changes under the snapshot.
        save_all(services)


def stop_on_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(stop.set)


async def serve(port: int, code: Path) -> None:
    from hypercorn.asyncio import serve as serve_app  # type: ignore[import-not-found]
    from hypercorn.config import Config  # type: ignore[import-not-found]
    from ministack.app import app

    shared_code.share(code)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    threading.Thread(target=stop_on_end_of_input, args=(loop, stop), daemon=True).start()

    config = Config()
    config.bind = [f"{LOOPBACK}:{port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    # It would tell of fifty files at every snapshot.
    logging.getLogger("persistence").setLevel(logging.WARNING)
    gate = Gate(app)
    snapshots = asyncio.create_task(snapshot_while_active(gate))
    await serve_app(gate, config, shutdown_trigger=stop.wait)
    snapshots.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--enforce-iam", action="store_true")
    arguments = parser.parse_args()
    configure(arguments.port, arguments.data, enforce_iam=arguments.enforce_iam)
    asyncio.run(serve(arguments.port, arguments.data / "tmp"))


if __name__ == "__main__":
    main()
