"""Calls that come in parts, through the whole stack: routes, roles, table, queue and schedule."""

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from integration.stack.conftest import ACCOUNT, Stack

pytestmark = pytest.mark.cloud

TELNYX_KEY = Ed25519PrivateKey.generate()
PLIVO_TOKEN = "a-token-of-plivos"


@pytest.fixture(scope="module")
def connected(stack: Stack) -> Stack:
    """Two connections whose usage goes to Acme."""
    public = base64.b64encode(TELNYX_KEY.public_key().public_bytes_raw()).decode()
    for name, secret in (("telnyx", public), ("plivo", PLIVO_TOKEN)):
        stack.api("operator").request(
            "PUT",
            f"/v1/connections/{name}",
            {
                "provider": name,
                "secret": secret,
                "account": {"tenant": "acme", "account": "main"},
            },
        )
    return stack


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def telnyx(stack: Stack, event_type: str, call_id: str, at: datetime, **more: object) -> int:
    payload = {"call_leg_id": call_id, "connection_id": "1", "to": "+14155550123", **more}
    event = {"event_type": event_type, "occurred_at": at.isoformat(), "payload": payload}
    body = json.dumps({"data": event}).encode()
    timestamp = str(int(stack.cloud.clock.now().timestamp())).encode()
    signature = TELNYX_KEY.sign(timestamp + b"|" + body)
    headers = {
        "Content-Type": "application/json",
        "Telnyx-Timestamp": timestamp.decode(),
        "Telnyx-Signature-Ed25519": base64.b64encode(signature).decode(),
    }
    url = f"{stack.url}/webhooks/usage/telnyx"
    return status_of(urllib.request.Request(url, body, headers, method="POST"))


def quantities(stack: Stack, call_id: str) -> list[int]:
    rows = stack.api("acme_admin").rows(f"{ACCOUNT}/usage")
    return [row["quantity"] for row in rows if row["call_id"] == call_id]


def parked(stack: Stack, call_id: str) -> list[str]:
    rows = stack.api("operator").rows("/v1/quarantine")
    return [row["reason"] for row in rows if row["event"].get("call_id") == call_id]


def test_the_parts_of_a_call_are_billed_once_they_are_all_there(connected: Stack) -> None:
    call_id = uuid4().hex
    ended = connected.cloud.clock.now() - timedelta(minutes=1)
    rated = {"status": "success", "total_cost": "0.01", "billed_duration_secs": 120}
    hangup = {"hangup_cause": "normal_clearing"}
    outgoing = {"direction": "outgoing"}
    answered, rang = ended - timedelta(seconds=61), ended - timedelta(seconds=70)
    cost = {**rated, "cost_parts": [{"currency": "USD"}]}
    assert telnyx(connected, "call.cost", call_id, ended, **cost) == 204
    assert telnyx(connected, "call.hangup", call_id, ended, **hangup) == 204
    assert telnyx(connected, "call.initiated", call_id, rang, **outgoing) == 204
    connected.settle()
    assert quantities(connected, call_id) == []
    assert telnyx(connected, "call.answered", call_id, answered) == 204
    assert telnyx(connected, "call.hangup", call_id, ended, **hangup) == 204
    connected.settle()
    assert quantities(connected, call_id) == [61]
    assert parked(connected, call_id) == []


def test_halves_are_parked_by_the_schedule_and_billed_when_the_rest_comes(connected: Stack) -> None:
    call_id = uuid4().hex
    clock = connected.cloud.clock
    rang = clock.now()
    assert telnyx(connected, "call.initiated", call_id, rang, direction="incoming") == 204
    connected.fire("PartsSchedule")
    assert parked(connected, call_id) == []
    clock.set_offset(7 * 3600)
    try:
        for _ in range(2):
            connected.fire("PartsSchedule")
        assert parked(connected, call_id) == ["half_of_a_call"]
        assert telnyx(connected, "call.hangup", call_id, clock.now(), hangup_cause="busy") == 204
        connected.settle()
        assert quantities(connected, call_id) == [0]
    finally:
        clock.set_offset(0)


def test_a_callback_may_come_by_get(connected: Stack) -> None:
    call_id = uuid4().hex
    ended = connected.cloud.clock.now() - timedelta(minutes=1)
    fields = {
        "CallStatus": "completed",
        "CallUUID": call_id,
        "Direction": "outbound",
        "Duration": "61",
        "AnswerTime": f"{ended - timedelta(seconds=61):%Y-%m-%d_%H:%M:%S}".replace("_", "+"),
        "EndTime": f"{ended:%Y-%m-%d_%H:%M:%S}".replace("_", "+"),
        "Event": "Hangup",
        "From": "14155550100",
        "To": "14155550123",
    }
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    decoded = "&".join(f"{name}={fields[name]}" for name in sorted(fields)).replace("+", " ")
    url = f"{connected.url}/webhooks/usage/plivo"
    signed = f"{url}?{decoded}.nonce".encode()
    signature = hmac.new(PLIVO_TOKEN.encode(), signed, hashlib.sha256).digest()
    headers = {
        "X-Plivo-Signature-V3": base64.b64encode(signature).decode(),
        "X-Plivo-Signature-V3-Nonce": "nonce",
    }
    request = urllib.request.Request(f"{url}?{query}", headers=headers, method="GET")
    assert status_of(request) == 204
    assert status_of(urllib.request.Request(f"{url}?{query}&x=1", headers=headers)) == 401
    connected.settle()
    assert quantities(connected, call_id) == [61]
