"""Payments on the deployed stack: lost answers, signed webhooks, the reconciler, early recharge."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.gateways.sandbox import SUCCEEDS, TIMES_OUT_AFTER_CHARGING, SandboxGateway
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.adapters.gateways.sandbox_webhooks import signed_request
from billing.domain.callbacks import WebhookRequest
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from contract.aws import in_cloud
from integration.stack.conftest import ACCOUNT, Stack
from local import demo, sandbox
from local.api import Api
from local.twilio import signed_callback

pytestmark = pytest.mark.cloud

PATIENCE_SECONDS = 60.0
CONNECTION = "initech-twilio"
CONNECTION_SECRET = "the-auth-token-of-initech"
SID = "AC" + "17e0" * 8


@dataclass(frozen=True)
class Payments:
    """A tenant of the operator's, and the payment gateway it pays through."""

    stack: Stack
    gateway: SandboxGateway
    webhook_secret: str

    def request(self, method: str, path: str, body: dict[str, Any], **headers: str) -> Any:
        """As the operator, for the tenant."""
        given = {"Talktime-Tenant": "initech", **headers}
        return self.api.request(method, path, body, given).body

    @property
    def api(self) -> Api:
        return self.stack.api("operator")

    def get(self, path: str) -> Any:
        return self.api.request("GET", path, None, {"Talktime-Tenant": "initech"})

    def add_source(self, token: str) -> str:
        body = {"token": token, "label": token, "acceptance": demo.ACCEPTANCE}
        key = {"Idempotency-Key": str(uuid4())}
        source = self.request("POST", f"{ACCOUNT}/funding-sources", body, **key)["source"]
        return str(source)

    def recharge(self, source: str, amount: str = "20.00") -> Any:
        body = {
            "amount": {"amount": amount, "currency": "USD"},
            "pay_with": {"source": source},
            "acceptance": demo.ACCEPTANCE,
        }
        key = {"Idempotency-Key": str(uuid4())}
        return self.request("POST", f"{ACCOUNT}/recharges", body, **key)

    @property
    def balance(self) -> Decimal:
        settled = self.get(ACCOUNT).body["balance"]["settled"]["amount"]
        return Decimal(settled)

    @property
    def recharges(self) -> list[dict[str, Any]]:
        """Newest first."""
        rows: list[dict[str, Any]] = self.get(f"{ACCOUNT}/recharges").body["data"]
        return rows

    def told(self, kind: GatewayEventKind, **metadata: str) -> GatewayEvent:
        """What the gateway has to tell of that one."""
        wanted = {"tenant": "initech", **metadata}.items()
        (event,) = [
            event
            for event in self.gateway.events()
            if event.kind is kind and wanted <= event.metadata.items()
        ]
        return event

    def captured(self, ordinal: int) -> GatewayEvent:
        return self.told(GatewayEventKind.CAPTURED, recharge=str(ordinal))

    def signed(self, event: GatewayEvent, gateway: str = "sandbox") -> WebhookRequest:
        url = f"{self.stack.url}/webhooks/payments/{gateway}"
        return signed_request(event, self.webhook_secret, url, self.stack.cloud.clock.now())


@pytest.fixture(scope="module")
def payments(stack: Stack) -> Iterator[Payments]:
    stack.api("operator").request(
        "POST",
        "/v1/tenants",
        {
            "tenant": "initech",
            "name": "Initech",
            "account": {
                "account": "main",
                "name": "Initech",
                "currency": "USD",
                "time_zone": "UTC",
                "plan": "starter",
                "billing_day": 1,
                "rate_deck": demo.DECK,
            },
        },
        {"Idempotency-Key": "initech"},
    )
    secret = sandbox.webhook_secret(stack.cloud.client, stack.outputs)
    with in_cloud(stack.cloud):
        book = TableSandboxBook(stack.outputs["SandboxTableName"])
        payments = Payments(stack, SandboxGateway(book, stack.cloud.clock), secret)
        # The default, which automatic recharge asks.
        payments.add_source(SUCCEEDS)
        yield payments


def post(request: WebhookRequest) -> int:
    sent = urllib.request.Request(
        request.url, request.body, dict(request.headers), method=request.method
    )
    try:
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_lost_answer_is_credited_by_the_gateways_webhook_before_anybody_asks(
    payments: Payments,
) -> None:
    before = payments.balance
    answer = payments.recharge(payments.add_source(TIMES_OUT_AFTER_CHARGING))
    assert answer["state"] == "unknown"
    assert payments.balance == before
    ordinal = payments.recharges[0]["recharge"]
    told = payments.captured(ordinal)

    request = payments.signed(told)
    altered = WebhookRequest(
        "POST", request.url, request.headers, request.body.replace(b"2000", b"9000")
    )
    assert altered.body != request.body
    assert post(altered) == 401
    assert post(WebhookRequest("POST", request.url, {}, request.body)) == 401
    # Neither is it one of another gateway, whose secret nobody has put in.
    assert post(payments.signed(told, "stripe")) == 401
    assert post(payments.signed(told, "nobody")) == 404
    assert payments.balance == before

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(post, [request] * 10)) == [204] * 10
    assert payments.balance == before + 20
    assert payments.recharges[0]["state"] == "succeeded"
    assert payments.get(f"{ACCOUNT}/ledger/verify").body["is_sound"]


def test_the_reconciler_finds_out_what_became_of_a_payment(payments: Payments) -> None:
    before = payments.balance
    payments.recharge(payments.add_source(TIMES_OUT_AFTER_CHARGING))
    assert payments.stack.fire("PaymentsSchedule")["enqueued"] == 0
    assert payments.recharges[0]["state"] == "unknown"
    payments.stack.cloud.clock.set_offset(16 * 60)
    try:
        assert payments.stack.fire("PaymentsSchedule")["enqueued"] >= 1
        assert payments.recharges[0]["state"] == "succeeded"
        assert payments.balance == before + 20
    finally:
        payments.stack.cloud.clock.set_offset(0)
    # What the webhook says later is known.
    assert post(payments.signed(payments.captured(payments.recharges[0]["recharge"]))) == 204
    assert payments.balance == before + 20


def test_refunds_disputes_and_saved_sources_are_told_by_webhook(payments: Payments) -> None:
    before = payments.balance
    recharge = payments.recharge(payments.add_source(SUCCEEDS))
    ordinal, payment_id = recharge["recharge"], recharge["payment_id"]
    payments.gateway.refund_elsewhere(payment_id, 500)
    payments.gateway.dispute(payment_id)
    payments.gateway.close_dispute(f"{payment_id}_dispute", won=True)
    kinds = GatewayEventKind
    for kind, balance in (
        (kinds.REFUNDED, 15),
        (kinds.DISPUTED, -5),
        (kinds.DISPUTE_WON, 15),
        (kinds.DISPUTED, 15),
    ):
        assert post(payments.signed(payments.told(kind, recharge=str(ordinal)))) == 204
        assert payments.balance == before + balance

    body = {"label": "In the hosted fields", "acceptance": demo.ACCEPTANCE}
    key = {"Idempotency-Key": str(uuid4())}
    begun = payments.request("POST", f"{ACCOUNT}/funding-sources", body, **key)
    assert begun["state"] == "pending"
    payments.gateway.finish_setup(begun["setup"]["setup_id"])
    saved = payments.told(kinds.SOURCE_SAVED, source=begun["source"])
    assert post(payments.signed(saved)) == 204
    sources = payments.get(f"{ACCOUNT}/funding-sources").body["data"]
    states = {source["source"]: source["state"] for source in sources}
    assert states[begun["source"]] == "active"
    assert payments.get(f"{ACCOUNT}/ledger/verify").body["is_sound"]


def test_an_early_recharge_waits_for_no_schedule(payments: Payments) -> None:
    payments.request(
        "PUT",
        f"/v1/connections/{CONNECTION}",
        {
            "provider": "twilio",
            "secret": CONNECTION_SECRET,
            "account": {"tenant": "initech", "account": "main"},
        },
    )
    payments.recharge(payments.add_source(SUCCEEDS))
    seen = payments.get(f"{ACCOUNT}/auto-recharge").headers["ETag"]
    policy = {
        "mode": "fixed",
        "threshold": {"amount": "0.50", "currency": "USD"},
        "amount": {"amount": "25.00", "currency": "USD"},
        "early": True,
        "acceptance": demo.ACCEPTANCE,
    }
    payments.request("PUT", f"{ACCOUNT}/auto-recharge", policy, **{"If-Match": seen})
    automatic = [row for row in payments.recharges if row["reason"] != "requested"]
    assert automatic == []

    # Fast enough for the wallet to be empty within minutes, and never below the threshold before.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (early := [row for row in payments.recharges if row["reason"] == "early"]):
        assert time.monotonic() < deadline, "nothing was collected"
        call(payments)
        payments.stack.settle()
    assert early[0]["state"] == "succeeded"
    # As many multiples as last until the next cycle, which is a matter of the time of day.
    assert Decimal(early[0]["amount"]["amount"]) % 25 == 0


def call(payments: Payments) -> None:
    """Forty minutes to India, over just now."""
    ended = payments.stack.cloud.clock.now() - timedelta(seconds=1)
    url = f"{payments.stack.url}/webhooks/usage/{CONNECTION}"
    params = {
        "CallSid": f"CA{uuid4().hex}",
        "AccountSid": SID,
        "From": demo.ACME_NUMBER,
        "To": "+912255512345",
        "CallStatus": "completed",
        "Direction": "outbound-api",
        "Timestamp": format_datetime(ended),
        "CallDuration": "2400",
    }
    headers, body = signed_callback(url, CONNECTION_SECRET, params)
    assert post(WebhookRequest("POST", url, headers, body)) == 204
