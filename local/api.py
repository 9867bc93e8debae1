"""A small client of Talktime's own HTTP API, as a tenant's back end would write one."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPMessage
from typing import Any, Protocol

TIMEOUT_SECONDS = 30.0


class ApiError(Exception):
    """The API refused a request; carries its problem document."""

    def __init__(self, method: str, path: str, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{method} {path}: {status} {json.dumps(problem)}")
        self.status = status
        self.problem = problem


@dataclass(frozen=True)
class Answer:
    """A status, headers, and the decoded body."""

    status: int
    headers: HTTPMessage
    # Any: decoded JSON.
    body: Any


class Client(Protocol):
    """The API as one token sees it, wherever it is: what scripts need of it."""

    def get(self, path: str, **query: str) -> Answer: ...

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer: ...


@dataclass(frozen=True)
class Api:
    """The API as one token sees it."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str, **query: str) -> Answer:
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self.request("GET", path + suffix)

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send JSON, or text as CSV; raise ``ApiError`` for anything but a success."""
        data = body.encode() if isinstance(body, str) else None
        kind = "text/csv"
        if body is not None and data is None:
            data, kind = json.dumps(body).encode(), "application/json"
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **(headers or {})}
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return Answer(answer.status, answer.headers, json.loads(answer.read() or b"null"))
        except urllib.error.HTTPError as error:
            raise ApiError(method, path, error.code, _problem(error)) from error

    # Any: rows are decoded JSON.
    def rows(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit="100", **query, **({"cursor": cursor} if cursor else {}))
            yield from page.body["data"]
            cursor = page.body["next_cursor"]
            if cursor is None:
                return


def _problem(error: urllib.error.HTTPError) -> Mapping[str, Any]:
    text = error.read().decode(errors="replace")
    try:
        found: Mapping[str, Any] = json.loads(text)
    except ValueError:
        return {"detail": text[:500]}
    return found
