"""A process that works on one account with several threads at once: real adapters, real routes.

It takes its orders as a line of JSON, says that it is ready, begins at the second line, and ends
with a line of JSON: what it was answered, and how many races for the account it lost.
"""

import json
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import usage_ingest.bootstrap
import usage_ingest.post
from api import bootstrap
from api.endpoint import Endpoint
from api.observing import RequestLine
from api.routes import ENDPOINTS
from api.serving import Server, render
from api.wiring import Talktime
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.queues import group_of
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.domain.change import Change
from billing.domain.errors import BookContendedError, StaleAccountError
from billing.services.post_usage import PostUsage
from builders import a_usage_event
from integration.api.client import Token, a_token, an_event
from local import demo
from simulation.queues import Message

MOST_TRIES = 30
"""Of one request that is told to come again: whoever asks is more patient than a race is long."""

RECHARGED, BUNDLE = "2.00", "minutes-100"
KINDS = ("usage", "order", "usage", "call", "usage", "recharge")

_OPERATIONS: Mapping[str, Endpoint] = {endpoint.name: endpoint for endpoint in ENDPOINTS}


@dataclass(frozen=True)
class Job:
    """What one process is to do.

    Args:
        first: The number of its first writer, of all ``writers`` of all processes.
        each: How many things each of its writers does, one after the other.
    """

    tenant: str
    first: int
    threads: int
    writers: int
    each: int

    @property
    def ref(self) -> AccountRef:
        return AccountRef(self.tenant, "main")


@dataclass
class Races:
    """What became of every Change that was written, or was not: counted where it is written."""

    won: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    most_open: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, patch: Callable[[Any], None]) -> None:
        commit = DynamoDBBook.commit

        def watched(book: DynamoDBBook, change: Change) -> None:
            tenant = change.after.ref.tenant_id
            try:
                commit(book, change)
            except (StaleAccountError, BookContendedError):
                with self.lock:
                    self.lost[tenant] += 1
                raise
            with self.lock:
                self.won[tenant] += 1
                self.most_open = max(self.most_open, len(change.after.recharging.opened))

        patch(watched)


class _Lines:
    """Keeps what a request failed of, so that a fault is not only a number."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def write(self, line: RequestLine) -> None:
        if line.status >= 500 and line.code != "busy":
            self.faults.append(
                f"{line.method} {line.route}: {line.status} {line.code} {line.where}"
            )


@dataclass(frozen=True)
class Answered:
    status: int
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["code"]) if self.status >= 400 else ""


class Client:
    """The endpoints and the usage worker, as one process of each would serve them.

    Powertools' resolver keeps the request in a variable of its class, as a function serves one at a
    time; so this goes to the server behind it, whose checks are all the same.
    """

    def __init__(self, talktime: Talktime, post_usage: PostUsage) -> None:
        self.log = _Lines()
        self._server = Server(talktime, self.log)
        self._post_usage = post_usage

    def request(
        self, name: str, token: Token, body: Any = None, key: str = "", **path: str
    ) -> Answered:
        endpoint = _OPERATIONS[name]
        headers = {"Idempotency-Key": key} if key else {}
        if isinstance(body, str):
            headers["Content-Type"] = "text/csv"
        asked = ("currency", "effective_at")
        query: dict[str, str] = {one: path.pop(one) for one in asked if one in path}
        event = an_event(
            endpoint.method, endpoint.path, body, token=token, headers=headers, query=query
        )
        answer = self._server.serve(endpoint, event, path)
        return Answered(answer.status, json.loads(render(answer.body) or "null"))

    def post(self, ref: AccountRef, numbers: list[int], now: datetime) -> bool:
        """Deliver usage; whether the queue may forget it."""
        events: list[Json] = [a_usage_event(number, now).to_json() for number in numbers]
        message: dict[str, Json] = {
            "tenant": ref.tenant_id,
            "account": ref.account_id,
            "events": events,
        }
        record = Message(str(numbers), group_of(ref), canonical_json(message), 1).as_record()
        answer = usage_ingest.post.handle({"Records": [record]}, self._post_usage)
        return not answer["batchItemFailures"]


def client() -> Client:
    """Built as the functions build it, and not kept: whoever asks may look at another table."""
    return Client(bootstrap.talktime.__wrapped__(), usage_ingest.bootstrap.post_usage.__wrapped__())


def token_for(role: str, tenant: str | None = None) -> Token:
    return a_token(role, tenant).but(exp=str(int(time.time()) + 3_600))


class Writer:
    """One of many; what it does is told by its number alone."""

    def __init__(self, client: Client, job: Job, number: int, ended_at: datetime) -> None:
        self._client = client
        self._job = job
        self._number = number
        self._ended_at = ended_at
        self._admin = token_for("billing-admin", job.tenant)
        self._service = token_for("service", job.tenant)
        self.said: Counter[str] = Counter()

    def work(self) -> Counter[str]:
        for turn in range(self._job.each):
            kind = KINDS[(self._number + turn) % len(KINDS)]
            getattr(self, f"_{kind}")(turn)
        return self.said

    def _until_answered(self, what: str, ask: Callable[[], Answered]) -> Answered:
        for _ in range(MOST_TRIES):
            answered = ask()
            if answered.code not in ("busy", "conflict"):
                self.said[f"{what} {answered.code or answered.status}"] += 1
                return answered
            self.said["came again"] += 1
        raise AssertionError(f"{what} was never answered")

    def _usage(self, turn: int) -> None:
        """Two calls of its own, and one that another process reports at about the same time."""
        writers = self._job.writers
        own = self._number * self._job.each + turn
        shared = (self._number + writers // 2) % writers * self._job.each + turn
        numbers = [2 * own, 2 * own + 1, 2 * shared]
        for _ in range(MOST_TRIES):
            if self._client.post(self._job.ref, numbers, self._ended_at):
                self.said["usage posted"] += 1
                return
            self.said["came again"] += 1
        raise AssertionError("usage was never posted")

    def _order(self, turn: int) -> None:
        """Any order makes every quote of before out of date: then it asks for another."""
        for number in range(MOST_TRIES):
            if not self._ordered(f"order-{self._number}-{turn}-{number}"):
                return
        self.said["order given up"] += 1

    def _ordered(self, key: str) -> bool:
        """Whether it is to be tried again, by another quote."""
        wants = {"wants": [{"kind": "bundle", "what": BUNDLE, "quantity": 1}]}
        quoted = self._until_answered("quote", self._asking("post_quote", wants))
        if quoted.status != 201:
            # It has as many bundles as an account may have.
            return False
        body = {
            "quote_id": quoted.body["quote_id"],
            "pay_with": {"wallet": True},
            "acceptance": demo.ACCEPTANCE,
        }
        ask = self._asking("post_order", body, key)
        first = self._until_answered("order", ask)
        again = self._until_answered("order again", ask)
        assert first.status != 201 or again.body == first.body, "one key, one order"
        return first.code == "quote_stale"

    def _asking(self, name: str, body: Any, key: str = "") -> Callable[[], Answered]:
        return lambda: self._client.request(name, self._admin, body, key, acct="main")

    def _call(self, turn: int) -> None:
        wanted = {
            "account": "main",
            "call_id": f"call-{self._number}-{turn}",
            "direction": "outbound",
            "kind": "call",
            "to": "+14155550123",
        }
        found = self._until_answered(
            "call", lambda: self._client.request("authorize_call", self._service, wanted)
        )
        if found.body["allowed"]:
            self.said["call allowed"] += 1
            held = found.body["reservation_id"]
            self._until_answered(
                "release",
                lambda: self._client.request("delete_reservation", self._service, id=held),
            )

    def _recharge(self, turn: int) -> None:
        body = {
            "amount": {"amount": RECHARGED, "currency": "USD"},
            "acceptance": demo.ACCEPTANCE,
        }
        # Two processes ask with one key: they mean one payment.
        key = f"recharge-{self._number % (self._job.writers // 2)}-{turn}"
        self._until_answered("recharge", self._asking("post_recharge", body, key))


def work(job: Job, ended_at: datetime) -> dict[str, Any]:
    races = Races()
    races.watch(lambda watched: setattr(DynamoDBBook, "commit", watched))
    served = client()
    writers = [
        Writer(served, job, number, ended_at)
        for number in range(job.first, job.first + job.threads)
    ]
    _say("ready")
    sys.stdin.readline()
    said: Counter[str] = Counter()
    with ThreadPoolExecutor(job.threads) as pool:
        for one in pool.map(Writer.work, writers):
            said += one
    return {
        "said": said,
        "won": races.won,
        "lost": races.lost,
        "most_open": races.most_open,
        "faults": served.log.faults,
    }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    logging.disable(logging.CRITICAL)
    orders = json.loads(sys.stdin.readline())
    ended_at = datetime.fromisoformat(orders.pop("ended_at")).astimezone(UTC)
    _say(json.dumps(work(Job(**orders), ended_at)))


if __name__ == "__main__":
    assert os.environ["STAGE"] == "local"
    main()
