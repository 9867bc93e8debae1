"""Twilio's REST lists, on loopback: paged, filtered and signed in as Twilio does it.

Written from Twilio's documentation and the requests of its own SDK, and from nothing of ours.
"""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

RESOURCES = {"Calls": "start_time", "Messages": "date_sent"}
"""The lists, and the time each is filtered by."""


@dataclass
class Account:
    """One account or sub-account. ``parent``: whose token also opens it."""

    token: str
    parent: str = ""
    records: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in RESOURCES}
    )


@dataclass(frozen=True)
class Answer:
    """What is answered instead, once."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


class TwilioRest:
    """The lists of some accounts, and what was asked for.

    Args:
        page_size: The largest page given, whatever is asked for.
    """

    def __init__(self, page_size: int = 1000) -> None:
        self.page_size = page_size
        self.accounts: dict[str, Account] = {}
        self.instead: list[Answer] = []
        self.asked: list[str] = []
        self.url = ""

    def add_account(self, sid: str, token: str, parent: str = "") -> None:
        self.accounts[sid] = Account(token, parent)

    def add(self, resource: str, record: Mapping[str, Any]) -> None:
        self.accounts[str(record["account_sid"])].records[resource].append(dict(record))

    def add_call(self, record: Mapping[str, Any]) -> None:
        self.add("Calls", record)

    def add_message(self, record: Mapping[str, Any]) -> None:
        self.add("Messages", record)

    @contextmanager
    def serving(self) -> Iterator["TwilioRest"]:
        """Listen on a free loopback port; ``url`` says which."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, path: str, authorization: str) -> Answer:
        self.asked.append(path)
        if self.instead:
            return self.instead.pop(0)
        url = urlsplit(path)
        parts = url.path.removesuffix(".json").split("/")
        if len(parts) != 5 or parts[1:3] != ["2010-04-01", "Accounts"] or parts[4] not in RESOURCES:
            return Answer(404)
        sid, resource = parts[3:]
        account = self.accounts.get(sid)
        if account is None or not self._is_let_in(sid, account, authorization):
            return Answer(401, b'{"code": 20003, "message": "Authenticate"}')
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        return Answer(200, json.dumps(self._page(url.path, account, resource, query)).encode())

    def _is_let_in(self, sid: str, account: Account, authorization: str) -> bool:
        opening = [(sid, account.token)]
        if account.parent:
            opening.append((account.parent, self.accounts[account.parent].token))
        return authorization in [
            "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()
            for name, token in opening
        ]

    def _page(
        self, path: str, account: Account, resource: str, query: Mapping[str, str]
    ) -> dict[str, Any]:
        name = "StartTime" if resource == "Calls" else "DateSent"
        begin_at, end_at = _instant(query[f"{name}>"]), _instant(query[f"{name}<"])
        found = [
            record
            for record in reversed(account.records[resource])
            if begin_at <= _listed_at(record, RESOURCES[resource], begin_at) <= end_at
        ]
        size = min(int(query.get("PageSize", "50")), self.page_size)
        number = int(query.get("Page", "0"))
        following = {**query, "Page": str(number + 1), "PageToken": f"PA{number + 1}"}
        is_last = (number + 1) * size >= len(found)
        return {
            resource.lower(): found[number * size : (number + 1) * size],
            "page": number,
            "page_size": size,
            "uri": path,
            "next_page_uri": None if is_last else f"{path}?{urlencode(following)}",
        }


def a_listed_call(
    account_sid: str, sid: str, ended_at: datetime, **overrides: Any
) -> dict[str, Any]:
    """A completed, rated outbound call of 61 seconds, as Twilio lists it."""
    seconds = int(overrides.get("duration") or 61)
    return {
        "sid": sid,
        "account_sid": account_sid,
        "parent_call_sid": None,
        "from": "+14155550100",
        "to": "+14155550123",
        "status": "completed",
        "direction": "outbound-api",
        "start_time": listed_time(datetime.fromtimestamp(ended_at.timestamp() - seconds, UTC)),
        "end_time": listed_time(ended_at),
        "duration": str(seconds),
        "price": "-0.02800",
        "price_unit": "USD",
        "date_created": listed_time(ended_at),
        "date_updated": listed_time(ended_at),
        "uri": f"/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json",
        **overrides,
    }


def a_listed_message(
    account_sid: str, sid: str, sent_at: datetime, **overrides: Any
) -> dict[str, Any]:
    """A delivered, rated outbound message of one segment, as Twilio lists it."""
    return {
        "sid": sid,
        "account_sid": account_sid,
        "from": "+14155550100",
        "to": "+14155550123",
        "body": "nobody's business",
        "status": "delivered",
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "date_created": listed_time(sent_at),
        "date_sent": listed_time(sent_at),
        "date_updated": listed_time(sent_at),
        "price": "-0.00790",
        "price_unit": "USD",
        **overrides,
    }


def listed_time(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC).replace(microsecond=0))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _listed_at(record: Mapping[str, Any], name: str, otherwise: datetime) -> datetime:
    """A record without a time, or with nonsense, is listed whenever one asks."""
    try:
        return parsedate_to_datetime(record[name])
    except (TypeError, ValueError):
        return otherwise


def _handler(twilio: TwilioRest) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = twilio.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Nothing: a test prints what it means to."""

    return Handler
