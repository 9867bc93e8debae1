"""The local AWS as the rest of the project sees it: start it, deploy to it, talk to it, stop it.

    with LocalCloud.temporary(enforce_iam=True) as cloud:
        stack = cloud.deploy()
        cloud.client("dynamodb").get_item(TableName=stack["TableName"], ...)

``make run`` keeps its data under ``.local/data``; tests take a temporary directory and a free port.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import boto3
from botocore.config import Config

from local import artifact, deploy, environments, paths
from local.clock import LocalClock

LOOPBACK = "127.0.0.1"
REGION = "us-east-1"
DEFAULT_PORT = 4570
# MiniStack takes these for the account's root, also when it enforces IAM.
ROOT_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
START_TIMEOUT_SECONDS = 30.0
# A snapshot of a large table takes a while; killing it would lose what it is writing.
STOP_TIMEOUT_SECONDS = 30.0


class CloudError(Exception):
    """The local cloud cannot start or stopped by itself; the message says what to do."""


class LocalCloud:
    """One running local AWS. A context manager: it stops, and keeps its data, on leaving."""

    def __init__(self, data: Path, port: int, *, enforce_iam: bool = False) -> None:
        self.data = data
        self.port = port
        self.enforce_iam = enforce_iam
        self._is_temporary = False
        self.clock_file = data / "clock"
        self.log_file = data / "cloud.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._cleanup = contextlib.ExitStack()

    @classmethod
    def kept(cls, data: Path = paths.DATA, port: int | None = None) -> Self:
        """The cloud of ``make run``: it goes on with the data it left, on the port it had."""
        return cls(data, choose_port(data / "port", port))

    @classmethod
    def temporary(cls, *, enforce_iam: bool = False) -> Self:
        """A fresh cloud on a free port, whose data goes when it stops."""
        data = Path(tempfile.mkdtemp(prefix="talktime-"))
        cloud = cls(data, free_port(), enforce_iam=enforce_iam)
        cloud._is_temporary = True
        cloud._cleanup.callback(shutil.rmtree, data, ignore_errors=True)
        return cloud

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def public_url(self) -> str:
        """What the template's PublicUrl is given; the API's id takes the place of its last part."""
        return f"{self.endpoint}/_aws/execute-api/{{api_id}}"

    @property
    def clock(self) -> LocalClock:
        """What every function takes the time from."""
        return LocalClock(self.clock_file)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        if not is_free(self.port):
            raise CloudError(port_taken(self.port))
        python = environments.ensure("cloud")
        self.data.mkdir(parents=True, exist_ok=True)
        if not self.clock_file.exists():
            self.clock.set_offset(0)
        command = [str(python), "-m", "local.server", "--port", str(self.port)]
        command += ["--data", str(self.data)]
        if self.enforce_iam:
            command.append("--enforce-iam")
        with self.log_file.open("wb") as log:
            self._process = self._spawn(command, log)
        self._wait_until_ready()

    def _spawn(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=paths.ROOT,
            # Lambda code inherits this environment, so it holds nothing that Lambda would not.
            env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"},
            # Never written to: the server stops when this end closes, even if we are killed.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal is ours to handle; the server is stopped in order.
            start_new_session=True,
        )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.endpoint}/_ministack/ready", timeout=2):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        log = environments.tail(self.log_file.read_text(errors="replace"))
        raise CloudError(f"The local cloud did not start; {self.log_file} ends with:\n{log}")

    def stop(self) -> None:
        """Stop for good; what a temporary cloud kept goes with it, so it writes nothing down."""
        if self._is_temporary and self.running:
            self._kill_with_its_workers()
        else:
            self.halt()
        self._cleanup.close()

    def _kill_with_its_workers(self) -> None:
        """Writing down what is thrown away at once would take half a minute."""
        process, self._process = self._process, None
        assert process is not None
        assert process.stdin is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()

    def halt(self) -> None:
        """Stop in order: everything is written down first, and is there at the next start."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process is not None and process.stdin is not None:
            process.stdin.close()

    def kill(self) -> None:
        """Pull the plug, as a power cut would: for tests of what survives."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # Any: the client's type depends on the service named; callers annotate what they keep.
    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=REGION,
            **ROOT_KEYS,
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
        )

    def deploy(self, functions: Path = paths.FUNCTIONS, **parameters: str) -> deploy.Outputs:
        """Deploy ``infra/template.yaml``, or update what is deployed, and return its outputs."""
        archive = artifact.build(environments.ensure("cloud"), functions)
        settings = {"PublicUrl": self.public_url, "ClockFile": str(self.clock_file.resolve())}
        return deploy.deploy(self.client, archive, {"Stage": "local", **settings, **parameters})


def choose_port(kept: Path, wanted: int | None) -> int:
    """The port of the kept data, else the wanted one, else the default or the next free one.

    Queue URLs and webhook signatures contain the port, so it stays what it was for the data's life.
    """
    if kept.exists():
        port = int(kept.read_text())
        if wanted not in (None, port):
            raise CloudError(
                f"The kept data lives on port {port}. Run without PORT, or `make clean` first."
            )
        return port
    port = wanted if wanted is not None else first_free_port(DEFAULT_PORT)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(str(port))
    return port


def first_free_port(start: int, tries: int = 20) -> int:
    for port in range(start, start + tries):
        if is_free(port):
            return port
    raise CloudError(f"Ports {start} to {start + tries - 1} are all taken. Choose: make run PORT=…")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do; without it a port is "taken" for a minute after its last connection.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def port_taken(port: int) -> str:
    return (
        f"Port {port} on {LOOPBACK} is taken by another program, perhaps another `make run`.\n"
        "Stop that one; or, giving up the kept data: make clean && make run PORT=4600"
    )
