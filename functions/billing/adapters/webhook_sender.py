"""Webhooks to tenants' URLs: over a connection that is pinned to an address which was checked.

The name is resolved here, every address of it is checked, and the connection goes to one of those
very addresses: nobody resolves the name again, so it cannot lead elsewhere by then. The host's name
is used for TLS, its certificate, and the header. No proxy, no redirect, no word of the answer but
its status.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from billing.adapters.telephony import standard_webhooks
from billing.domain.public_addresses import is_public
from billing.domain.webhook_deliveries import Failure, Outcome

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 7.0
TOTAL_SECONDS = 15.0
"""Of a connection and its answer: whoever answers one byte at a time is not waited for."""

MAX_ADDRESSES = 2
"""Tried one after the other; what has been sent is never sent to another."""

CONTENT_TYPE = "application/cloudevents+json"
USER_AGENT = "Talktime-Webhooks/1"

DEFAULT_PORTS = {"https": 443, "http": 80}

Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system knows them, IPv4 first.

    Raises:
        OSError: It has none.
        UnicodeError: It is no name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(address[4][0]) for address in found}, key=lambda one: (":" in one, one))


class PinnedSender:
    """WebhookSender over urllib3.

    Args:
        is_allowed: Whether an address may be connected to.
        resolve: Finds a name's addresses.
        trust: Makes what certificates are checked with.
    """

    def __init__(
        self,
        is_allowed: Callable[[str], bool] = is_public,
        resolve: Resolve = resolve,
        trust: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._is_allowed = is_allowed
        self._resolve = resolve
        self._trust = trust
        self._total_seconds = total_seconds

    def send(
        self, url: str, webhook_id: str, body: bytes, secrets: Sequence[str], now: datetime
    ) -> Outcome:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError):
            return Outcome(failure=Failure.NOT_RESOLVED)
        if not addresses:
            return Outcome(failure=Failure.NOT_RESOLVED)
        # One bad address among good ones is no accident that a retry should play dice with.
        if not all(map(self._is_allowed, addresses)):
            return Outcome(failure=Failure.ADDRESS_REFUSED)
        headers = {
            "Host": parts.netloc,
            "Content-Type": CONTENT_TYPE,
            "User-Agent": USER_AGENT,
            **standard_webhooks.sign(webhook_id, now, body, secrets),
        }
        failure = Failure.NOT_CONNECTED
        for address in addresses[:MAX_ADDRESSES]:
            connection = self._connection(parts.scheme, address, port, host)
            with _Deadline(connection, self._total_seconds) as deadline:
                refused = _connect(connection)
                if refused is None:
                    return _post(connection, _target(parts), headers, body, deadline)
                failure = refused
        return Outcome(failure=failure)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self._trust()

    def _connection(self, scheme: str, address: str, port: int, host: str) -> "_Connection":
        if scheme == "http":
            return _PlainConnection(address, port, timeout=CONNECT_TIMEOUT_SECONDS)
        return _TlsConnection(
            address,
            port,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_hostname=host,
            ssl_context=self._context,
        )


class _Lifeline:
    """A second hold on the connection's socket, which ends it from outside, also within TLS."""

    lifeline: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]  # urllib3's, beside it
        self.lifeline = made.dup()
        return made


class _PlainConnection(_Lifeline, HTTPConnection):
    pass


class _TlsConnection(_Lifeline, HTTPSConnection):
    pass


_Connection = _PlainConnection | _TlsConnection


class _Deadline:
    """Ends a connection after so many seconds, and closes it in any case."""

    def __init__(self, connection: _Connection, seconds: float) -> None:
        self._connection = connection
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self.has_passed = False

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._timer.cancel()
        self._timer.join()
        self._connection.close()
        if self._connection.lifeline is not None:
            self._connection.lifeline.close()

    def _cut(self) -> None:
        self.has_passed = True
        lifeline = self._connection.lifeline
        if lifeline is not None:
            try:
                lifeline.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # The other side was faster.


def _connect(connection: _Connection) -> Failure | None:
    try:
        connection.connect()
    except NewConnectionError:
        return Failure.NOT_CONNECTED  # Which urllib3 counts among the timeouts.
    except (ConnectTimeoutError, TimeoutError):
        return Failure.TIMED_OUT
    except ssl.SSLError:
        return Failure.TLS_FAILED
    except (HTTPError, OSError):
        return Failure.NOT_CONNECTED
    return None


def _post(
    connection: _Connection,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    deadline: _Deadline,
) -> Outcome:
    assert connection.sock is not None, "it is connected"
    connection.sock.settimeout(READ_TIMEOUT_SECONDS)
    connection.timeout = READ_TIMEOUT_SECONDS
    try:
        connection.request("POST", target, body, headers, preload_content=False)
        response = connection.getresponse()
    except TimeoutError:
        return Outcome(failure=Failure.TIMED_OUT)
    except (HTTPError, http.client.HTTPException, OSError, ValueError):
        return Outcome(failure=Failure.TIMED_OUT if deadline.has_passed else Failure.NO_ANSWER)
    response.close()
    if deadline.has_passed:
        # The end that we made of it looks like the end of what was sent.
        return Outcome(failure=Failure.TIMED_OUT)
    return Outcome(status=response.status)


def _target(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
