"""One account, 32 writers in several processes, and quiet accounts beside it.

``TALKTIME_WRITERS`` and ``TALKTIME_WRITES`` (of each) make it as long as there is time for.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from billing.adapters.clock import SystemClock
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.gateways.sandbox import SandboxGateway
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.domain.account import AccountRef
from billing.domain.ledger import EntryKind, prove
from billing.domain.orders import Order, OrderState
from billing.domain.records import RechargeState
from contract.beds import Bed, in_cloud
from integration.api.client import AUDIENCE, ISSUER
from integration.stack import writer
from local import demo, paths
from local.cloud import LocalCloud
from local.demo_catalog import CATALOG

pytestmark = pytest.mark.cloud

WRITERS = int(os.environ.get("TALKTIME_WRITERS", "32"))
EACH = int(os.environ.get("TALKTIME_WRITES", "2"))
PROCESSES = 4

HOT, QUIET = "hot", ("quiet", "still")

OPENED_WITH = "12.00"
"""Enough, with all recharges, for some of the orders and not for all of them."""

RATES = """\
prefix,destination,rate
1,Anywhere,0.0060
"""

LOST_FOR_EACH_WON = 8
"""The budget: races lost for each Change of an account that all write to."""

LONELY_POSTINGS = 20
QUIET_PAUSE_SECONDS = 0.1


class Shop:
    """Three tenants in a table of their own, which no function looks at; the routes they call."""

    def __init__(self, bed: Bed) -> None:
        self.book = bed.book
        self.reservations = bed.reservations
        self.client = writer.client()
        self.ended_at = datetime.now(UTC) - timedelta(minutes=1)
        self._posted = 0

    def request(self, name: str, role: str, tenant: str | None, body: Any, **more: str) -> None:
        answered = self.client.request(name, writer.token_for(role, tenant), body, **more)
        assert answered.status in (200, 201), answered

    def open(self) -> None:
        self.request("put_catalog", "operator", None, CATALOG)
        since = "2026-01-01T00:00:00Z"
        deck = {"deck": demo.DECK, "currency": "USD", "effective_at": since}
        self.request("put_rate_deck", "operator", None, RATES, **deck)
        for tenant in (HOT, *QUIET):
            account = {
                "account": "main",
                "name": "Main",
                "currency": "USD",
                "time_zone": "UTC",
                "plan": "starter",
                "billing_day": 1,
                "rate_deck": demo.DECK,
            }
            body = {"tenant": tenant, "name": tenant, "account": account}
            self.request("post_tenant", "operator", None, body, key=tenant)
        card = {"gateway": "sandbox", "token": "tok_succeeds", "label": "Visa"}
        accepted = {"acceptance": demo.ACCEPTANCE}
        admin = ("billing-admin", HOT)
        self.request("post_funding_source", *admin, card | accepted, key="card", acct="main")
        money = {"amount": {"amount": OPENED_WITH, "currency": "USD"}}
        self.request("post_recharge", *admin, money | accepted, key="first", acct="main")

    def seconds_of_quiet_posting(self) -> float:
        """One call to each quiet account, one after the other."""
        began = time.perf_counter()
        self._posted += 1
        for tenant in QUIET:
            assert self.client.post(AccountRef(tenant, "main"), [self._posted], self.ended_at)
        return time.perf_counter() - began


@pytest.fixture
def shop(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with in_cloud(cloud.endpoint) as bed:
        bucket = f"{bed.table_name}-decks"
        boto3.client("s3").create_bucket(Bucket=bucket)
        sandbox = f"{bed.table_name}-sandbox"
        boto3.client("dynamodb").create_table(
            TableName=sandbox,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        unused = ("USAGE_QUEUE_URL", "CONNECTIONS_KEY_ID", "CURSOR_SECRET_ARN", "STRIPE_KEY_ARN")
        for name, value in {
            **dict.fromkeys(unused, "unused"),
            "STAGE": "local",
            "TABLE_NAME": bed.table_name,
            "SANDBOX_TABLE_NAME": sandbox,
            "DECKS_BUCKET": bucket,
            "DOCUMENTS_BUCKET": bucket,
            "PAYMENT_GATEWAY": "sandbox",
            "CORS_ORIGINS": "",
            "PUBLIC_URL": "https://billing.example.com",
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
            "POWERTOOLS_METRICS_NAMESPACE": "Talktime",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("CLOCK_FILE", raising=False)
        shop = Shop(bed)
        shop.open()
        yield shop


class Crowd:
    """The writers' processes: each is started, says that it is ready, and waits for the word."""

    def __init__(self, ended_at: datetime) -> None:
        threads = WRITERS // PROCESSES
        self._processes = [
            self._start(writer.Job(HOT, first, threads, WRITERS, EACH), ended_at)
            for first in range(0, WRITERS, threads)
        ]
        for process in self._processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    @staticmethod
    def _start(job: writer.Job, ended_at: datetime) -> subprocess.Popen[str]:
        path = os.pathsep.join(str(paths.ROOT / part) for part in ("functions", "tests", "."))
        process = subprocess.Popen(
            [sys.executable, "-m", writer.__name__],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({**asdict(job), "ended_at": ended_at.isoformat()}) + "\n")
        process.stdin.flush()
        return process

    def begin(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

    @property
    def is_at_work(self) -> bool:
        """All of them: who is left alone at the end is no crowd."""
        return all(process.poll() is None for process in self._processes)

    def reports(self) -> list[dict[str, Any]]:
        said = [process.communicate()[0] for process in self._processes]
        assert not any(process.returncode for process in self._processes)
        return [json.loads(one) for one in said]

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


def test_writers_of_one_account_lose_nothing_and_disturb_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    races = writer.Races()
    races.watch(lambda watched: monkeypatch.setattr(DynamoDBBook, "commit", watched))
    with ExitStack() as stack:
        crowd = Crowd(shop.ended_at)
        stack.callback(crowd.stop)
        alone = [shop.seconds_of_quiet_posting() for _ in range(LONELY_POSTINGS)]
        began = time.monotonic()
        crowd.begin()
        beside: list[float] = []
        while crowd.is_at_work:
            beside.append(shop.seconds_of_quiet_posting())
            time.sleep(QUIET_PAUSE_SECONDS)
        reports = crowd.reports()
        took = time.monotonic() - began

    said = sum((Counter(report["said"]) for report in reports), Counter())
    won = sum(report["won"][HOT] for report in reports)
    lost = sum(report["lost"].get(HOT, 0) for report in reports)
    ratio = statistics.median(beside) / statistics.median(alone)
    figures = (
        f"{WRITERS} writers in {PROCESSES} processes, {EACH} things each: {won} Changes written"
        f" and {lost} races lost ({lost / won:.1f} for each, budget {LOST_FOR_EACH_WON})"
        f" in {took:.1f} s; beside them a quiet account took {ratio:.1f} times as long as alone"
        f" ({len(beside)} postings, {races.lost.total()} races lost); answers: {dict(said)}"
    )
    record_property("figures", figures)
    assert [fault for report in reports for fault in report["faults"]] == []
    assert max(report["most_open"] for report in reports) == 1
    assert_sound(shop, said)
    assert not shop.reservations.holds(AccountRef(HOT, "main")).reservations
    assert lost <= LOST_FOR_EACH_WON * won
    assert not races.lost
    assert ratio < WRITERS


def assert_sound(shop: Shop, said: Counter[str]) -> None:
    """Nothing is missing that was acknowledged, and nothing is there twice."""
    ref = AccountRef(HOT, "main")
    account = shop.book.account(ref)
    entries = list(shop.book.entries(account))
    proof = prove(account, entries)
    assert proof.is_sound, proof.problems
    assert account.wallet_micros == sum(entry.wallet_change_micros for entry in entries)

    posted = Counter(key for entry in entries for key in entry.usage.calls)
    assert set(posted.values()) == {1}
    assert len(posted) == account.totals.calls == 2 * said["usage posted"]

    sales = [entry for entry in entries if entry.kind is EntryKind.SALE]
    assert all(entry.balance_micros >= 0 for entry in sales), "an order overdrew the wallet"
    orders = shop.book.things(ref, Order)
    delivered = [order for order in orders if order.state is OrderState.DELIVERED]
    assert len(delivered) == said["order 201"] > 0
    assert said["order insufficient_balance"] > 0
    # Each is two entries: its price, and its tax.
    assert len(sales) == 2 * len(delivered)
    bundles = [grant for grant in account.grants if grant.recurring_id is None]
    assert len(bundles) <= len(delivered)

    recharges = shop.book.recharges(ref, None, WRITERS * EACH)
    assert {one.state for one in recharges} == {RechargeState.SUCCEEDED}
    sandbox = TableSandboxBook(os.environ["SANDBOX_TABLE_NAME"])
    charges = SandboxGateway(sandbox, SystemClock()).captured()
    credited = [entry for entry in entries if entry.kind is EntryKind.RECHARGE]
    assert len(charges) == len(recharges) == len(credited) > 1
    micros_of_minor = 10_000
    assert sum(charge.amount_minor for charge in charges) * micros_of_minor == sum(
        entry.amount_micros for entry in credited
    )
    assert account.recharging.opened == ()
