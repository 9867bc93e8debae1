"""Call authorisation on the deployed stack: everybody at once, and a carrier's callback after."""

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.gateways.sandbox import SUCCEEDS
from integration.stack.conftest import Stack
from local import demo
from local.api import ApiError
from local.twilio import signed_callback

pytestmark = pytest.mark.cloud

TENANT = {"Talktime-Tenant": "umbrella"}
ACCOUNT = "/v1/accounts/main"
CONNECTION = "umbrella-twilio"
SECRET = "the-auth-token-of-umbrella"
SID = "AC" + "b2e1" * 8
GERMANY = "+4930123456"
SECONDS = 3_000
"""At 0.06 a minute: three dollars."""

AT_ONCE = 64


class Dialler:
    """The operator's back end, for one tenant."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        while True:
            try:
                api = self._stack.api("operator")
                return api.request(method, path, body, {**TENANT, **headers}).body
            except ApiError as error:
                # Busy is an answer that says: again.
                if error.status != 503:
                    raise

    def authorise(self, call_id: str, seconds: int = SECONDS) -> Any:
        wanted = {
            "account": "main",
            "call_id": call_id,
            "direction": "outbound",
            "kind": "call",
            "to": GERMANY,
            "duration_seconds": seconds,
        }
        return self.request("POST", "/v1/calls/authorize", wanted)

    @property
    def balance(self) -> dict[str, str]:
        shown = self.request("GET", ACCOUNT)["balance"]
        return {name: money["amount"] for name, money in shown.items()}


@pytest.fixture(scope="module")
def dialler(stack: Stack) -> Dialler:
    """Its plan's hundred minutes are taken, and its wallet can pay for ten calls."""
    account = {
        "account": "main",
        "name": "Umbrella",
        "currency": "USD",
        "time_zone": "UTC",
        "plan": "starter",
        "billing_day": 1,
        "rate_deck": demo.DECK,
    }
    tenant = {"tenant": "umbrella", "name": "Umbrella", "account": account}
    key = {"Idempotency-Key": "umbrella"}
    stack.api("operator").request("POST", "/v1/tenants", tenant, key)
    dialler = Dialler(stack)
    source = {"token": SUCCEEDS, "label": "Visa", "acceptance": demo.ACCEPTANCE}
    dialler.request("POST", f"{ACCOUNT}/funding-sources", source, **key)
    amount = {"amount": "30.00", "currency": "USD"}
    body = {"amount": amount, "acceptance": demo.ACCEPTANCE}
    dialler.request("POST", f"{ACCOUNT}/recharges", body, **key)
    dialler.request(
        "PUT",
        f"/v1/connections/{CONNECTION}",
        {
            "provider": "twilio",
            "secret": SECRET,
            "account": {"tenant": "umbrella", "account": "main"},
        },
    )
    assert dialler.authorise("minutes", 6_000)["max_duration_seconds"] == 6_000
    assert dialler.balance == {"settled": "30.00", "reserved": "0.00", "available": "30.00"}
    return dialler


def test_64_at_once_on_a_wallet_for_10_admit_exactly_10_and_are_settled(
    stack: Stack, dialler: Dialler
) -> None:
    starting = Barrier(AT_ONCE)

    def ask(number: int) -> Any:
        starting.wait()
        return dialler.authorise(f"call-{number}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(ask, range(AT_ONCE)))
    admitted = [answer for answer in found if answer["allowed"]]
    assert len(admitted) == 10
    assert {answer["max_duration_seconds"] for answer in admitted} == {SECONDS}
    refused = {answer["reason"] for answer in found if not answer["allowed"]}
    assert refused == {"insufficient_balance"}
    assert dialler.balance == {"settled": "30.00", "reserved": "30.00", "available": "0.00"}

    # Asking again is harmless, and an unanswered call makes room for another.
    assert [dialler.authorise(f"call-{n}")["allowed"] for n in range(AT_ONCE)] == [
        answer["allowed"] for answer in found
    ]
    first, second = (answer["reservation_id"] for answer in admitted[:2])
    dialler.request("DELETE", f"/v1/reservations/{first}")
    assert dialler.authorise("another")["allowed"]

    # The carrier's callback settles what was linked to its call.
    sid = f"CA{uuid4().hex}"
    call = {"provider": "twilio", "provider_account": SID, "call_id": sid}
    dialler.request("PUT", f"/v1/reservations/{second}/call", call)
    assert _reported(stack, sid) == 204
    stack.settle()
    deadline = time.monotonic() + 30
    while dialler.balance["reserved"] != "27.00":
        assert time.monotonic() < deadline, dialler.balance
        time.sleep(0.5)


def _reported(stack: Stack, sid: str) -> int:
    ended = stack.cloud.clock.now() - timedelta(seconds=1)
    url = f"{stack.url}/webhooks/usage/{CONNECTION}"
    params = {
        "CallSid": sid,
        "AccountSid": SID,
        "From": demo.ACME_NUMBER,
        "To": GERMANY,
        "CallStatus": "completed",
        "Direction": "outbound-api",
        "Timestamp": format_datetime(ended),
        "CallDuration": "60",
    }
    headers, body = signed_callback(url, SECRET, params)
    sent = urllib.request.Request(url, body, dict(headers), method="POST")
    with urllib.request.urlopen(sent, timeout=60) as answer:
        return int(answer.status)
