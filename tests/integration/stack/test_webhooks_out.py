"""Events reach a tenant's own endpoint through the deployed bus, queue and function."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.telephony import standard_webhooks
from billing.domain.callbacks import WebhookRequest
from integration.stack.conftest import ACCOUNT, Stack
from unit.adapters.hook_server import OK, Answer, HookServer, answering, serving

pytestmark = pytest.mark.cloud

PATH = f"{ACCOUNT}/webhook-endpoints"
GONE = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"
SECONDS = 30


def put(stack: Stack, *endpoints: dict[str, Any]) -> list[dict[str, Any]]:
    api = stack.api("globex_admin")
    headers = {"If-Match": api.get(PATH).headers["ETag"]}
    answer = api.request("PUT", PATH, {"endpoints": list(endpoints)}, headers)
    found: list[dict[str, Any]] = answer.body["endpoints"]
    return found


def happen(stack: Stack, account: str) -> str:
    """Put an event on the bus, as publishing does, and say what it is called."""
    event_id = f"{account}/{uuid4().hex}/period.rolled"
    detail = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/talktime/tenants/globex/accounts/{account}",
        "type": "period.rolled",
        "time": datetime.now(UTC).isoformat(),
        "tenant": "globex",
        "account": account,
        "data": {},
    }
    entry = {
        "EventBusName": stack.outputs["EventBusName"],
        "Source": "talktime",
        "DetailType": "period.rolled",
        "Detail": json.dumps(detail),
    }
    assert stack.cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    return event_id


def delivered(stack: Stack, server: HookServer, answer_state: str) -> dict[str, Any]:
    """The newest delivery, once its endpoint was asked and what it said is recorded."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        rows = list(stack.api("globex_admin").rows(f"{ACCOUNT}/webhook-deliveries"))
        if server.requests and rows and rows[0]["state"] == answer_state:
            return dict(rows[0])
        time.sleep(0.1)
    raise AssertionError(f"not {answer_state}: {rows}, {server.requests}")


def run(stack: Stack, answer: Answer, state: str) -> tuple[HookServer, dict[str, Any], str, str]:
    account = stack.api("globex_admin").get(ACCOUNT).body["account"]
    with serving(answer) as server:
        url = f"http://127.0.0.1:{server.port}/hooks"
        (endpoint,) = put(stack, {"url": url, "events": ["period.rolled"]})
        event_id = happen(stack, account)
        delivery = delivered(stack, server, state)
    return server, delivery, endpoint["secret"], event_id


def test_an_event_arrives_signed_and_its_delivery_is_listed(stack: Stack) -> None:
    server, delivery, secret, event_id = run(stack, OK, "delivered")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    # Lower-casing spoils the signature alone; its own line is read as it came.
    (signature,) = (
        line.split(": ", 1)[1]
        for line in head.decode().split("\r\n")
        if line.lower().startswith("webhook-signature")
    )
    request = WebhookRequest("POST", "", {**headers, "webhook-signature": signature}, body)
    assert standard_webhooks.is_signed(request, [secret], datetime.now(UTC))
    assert json.loads(body)["id"] == event_id
    assert delivery["webhook_id"] == headers["webhook-id"]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [204]
    put(stack)


def test_an_endpoint_that_is_gone_is_disabled(stack: Stack) -> None:
    _, delivery, _, _ = run(stack, answering(GONE), "failed")
    assert delivery["attempts"][-1]["status"] == 410
    (endpoint,) = stack.api("globex_admin").get(PATH).body["endpoints"]
    assert (endpoint["is_enabled"], endpoint["disabled_reason"]) == (False, "gone")
    put(stack)


def test_what_was_delivered_is_delivered_again_when_asked_for(stack: Stack) -> None:
    _, delivery, _, _ = run(stack, OK, "delivered")
    with serving() as server:
        url = f"http://127.0.0.1:{server.port}/"
        (one,) = stack.api("globex_admin").get(PATH).body["endpoints"]
        put(stack, {"id": one["id"], "url": url, "events": ["*"]})
        path = f"{ACCOUNT}/webhook-deliveries/{delivery['id']}/redeliver"
        assert stack.api("globex_admin").request("POST", path).status == 202
        stack.fire("DeliveriesSchedule")
        again = delivered(stack, server, "delivered")
    assert again["id"] == delivery["id"]
    assert [attempt["status"] for attempt in again["attempts"]] == [204, 204]
    put(stack)
