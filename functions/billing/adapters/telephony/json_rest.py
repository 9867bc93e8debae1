"""Reading JSON from a provider's REST interface: one host, bounded in time, size and patience."""

import base64
import json
import random
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from billing.domain.errors import ProviderRefusedError, ProviderUnavailableError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Where plain HTTP may go: nobody listens in between."""

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 20.0

ATTEMPTS = 5
BACKOFF_BASE_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 20.0
"""Of one wait, also of one that the provider asks for: five attempts end within four minutes."""

MAX_BODY_BYTES = 32 * 1024 * 1024
"""A thousand records are about 2 MB."""

PASSING = frozenset({429, 500, 502, 503, 504})
"""Answers that go away by themselves."""


class JsonRest:
    """One provider's base URL. Nothing that it answers leads to another host.

    Args:
        base_url: ``https://host[:port]``, or ``http://`` on the loopback interface.
        sleep: Waits so many seconds.

    Raises:
        ValueError: The base URL is anything else.
    """

    def __init__(self, base_url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._base_url = _checked(base_url)
        self._sleep = sleep
        timeout = Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def get(self, path: str, username: str, password: str) -> dict[str, Any]:
        """One JSON object.

        Args:
            path: With its query; it begins with ``/``.

        Raises:
            ProviderRefusedError: It will not answer this, however often it is asked.
            ProviderUnavailableError: It did not answer in time, or not in its own language.
        """
        assert re.match(r"/[^/]", path), path
        credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
        reason = ""
        for attempt in range(ATTEMPTS):
            wanted_seconds = 0.0
            try:
                status, retry_after, body = self._ask(path, headers)
            except HTTPError as error:
                reason = type(error).__name__
            else:
                if status not in PASSING:
                    return _read(status, body)
                reason, wanted_seconds = str(status), _seconds(retry_after)
            if attempt + 1 < ATTEMPTS:
                self._sleep(_wait(attempt, wanted_seconds))
        raise ProviderUnavailableError(f"the provider did not answer {ATTEMPTS} times: {reason}")

    def _ask(self, path: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        response = self._pool.request(
            "GET",
            self._base_url + path,
            headers=headers,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            body = response.read(MAX_BODY_BYTES + 1)
        finally:
            # Not into the pool: what is left of a body that is too long is never read.
            response.close()
        return response.status, response.headers.get("Retry-After", ""), body


def _checked(base_url: str) -> str:
    url = urlsplit(base_url)
    is_safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    is_bare = url.path in ("", "/") and not (url.query or url.fragment or url.username)
    if not (is_safe and is_bare and url.hostname):
        raise ValueError("a provider's base URL is https://host, or http:// on loopback")
    return f"{url.scheme}://{url.netloc}"


def _read(status: int, body: bytes) -> dict[str, Any]:
    if status != HTTPStatus.OK:
        # A redirect is refused as well: credentials go where the operator sent them.
        raise ProviderRefusedError(f"the provider answered {status}", status=status)
    if len(body) > MAX_BODY_BYTES:
        raise ProviderUnavailableError(f"a page has more than {MAX_BODY_BYTES} bytes")
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailableError("a page is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise ProviderUnavailableError("a page is not a JSON object")
    return value


def _seconds(retry_after: str) -> float:
    """What ``Retry-After`` asks for; its other form, a date, is not worth a clock."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _wait(attempt: int, wanted_seconds: float) -> float:
    bound = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**attempt)
    jitter = random.uniform(0, bound)  # noqa: S311  # spreads load, guards nothing
    return min(BACKOFF_CAP_SECONDS, wanted_seconds + jitter)
