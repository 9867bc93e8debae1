"""Events reach a tenant's own endpoint through the deployed bus, queue and function."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.telephony import standard_webhooks
from billing.domain.callbacks import WebhookRequest
from billing.domain.webhook_deliveries import webhook_id
from integration.stack.conftest import ACCOUNT, Stack
from unit.adapters.hook_server import OK, Answer, answering, serving

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


def happen(stack: Stack, account: str) -> dict[str, Any]:
    """Put an event on the bus, as publishing does."""
    event = {
        "specversion": "1.0",
        "id": f"{account}/{uuid4().hex}/period.rolled",
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
        "Detail": json.dumps(event),
    }
    assert stack.cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    return event


def recorded(stack: Stack, endpoint: str, name: str, attempts: int) -> dict[str, Any]:
    """The delivery of that event to that endpoint, once so many attempts are recorded.

    Nothing else may be looked at: the same tenant's other events are delivered meanwhile.
    """
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        rows = list(stack.api("globex_admin").rows(f"{ACCOUNT}/webhook-deliveries"))
        for row in rows:
            is_it = (row["endpoint"], row["webhook_id"]) == (endpoint, name)
            if is_it and row["state"] != "pending" and len(row["attempts"]) == attempts:
                return row
        time.sleep(0.1)
    raise AssertionError(f"{name} was not tried {attempts} times: {rows}")


@dataclass(frozen=True)
class Delivered:
    """One event at one endpoint: as it happened, as it was sent, as it is listed."""

    event: dict[str, Any]
    requests: list[bytes]
    secret: str
    delivery: dict[str, Any]


def run(stack: Stack, answer: Answer) -> Delivered:
    account = stack.api("globex_admin").get(ACCOUNT).body["account"]
    with serving(answer) as server:
        url = f"http://127.0.0.1:{server.port}/hooks"
        (endpoint,) = put(stack, {"url": url, "events": ["period.rolled"]})
        event = happen(stack, account)
        delivery = recorded(stack, endpoint["id"], webhook_id(event), attempts=1)
    return Delivered(event, server.requests, endpoint["secret"], delivery)


def test_an_event_arrives_signed_and_its_delivery_is_listed(stack: Stack) -> None:
    found = run(stack, OK)
    (sent,) = (one for one in found.requests if found.event["id"].encode() in one)
    head, _, body = sent.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    # Lower-casing spoils the signature alone; its own line is read as it came.
    (signature,) = (
        line.split(": ", 1)[1]
        for line in head.decode().split("\r\n")
        if line.lower().startswith("webhook-signature")
    )
    request = WebhookRequest("POST", "", {**headers, "webhook-signature": signature}, body)
    assert standard_webhooks.is_signed(request, [found.secret], datetime.now(UTC))
    assert json.loads(body) == found.event
    assert found.delivery["webhook_id"] == headers["webhook-id"]
    assert found.delivery["state"] == "delivered"
    assert [attempt["status"] for attempt in found.delivery["attempts"]] == [204]
    put(stack)


def test_an_endpoint_that_is_gone_is_disabled(stack: Stack) -> None:
    delivery = run(stack, answering(GONE)).delivery
    assert delivery["state"] == "failed"
    assert delivery["attempts"][-1]["status"] == 410
    (endpoint,) = stack.api("globex_admin").get(PATH).body["endpoints"]
    assert endpoint["id"] == delivery["endpoint"]
    assert (endpoint["is_enabled"], endpoint["disabled_reason"]) == (False, "gone")
    put(stack)


def test_what_was_delivered_is_delivered_again_when_asked_for(stack: Stack) -> None:
    delivery = run(stack, OK).delivery
    with serving() as server:
        url = f"http://127.0.0.1:{server.port}/"
        put(stack, {"id": delivery["endpoint"], "url": url, "events": ["period.rolled"]})
        path = f"{ACCOUNT}/webhook-deliveries/{delivery['id']}/redeliver"
        assert stack.api("globex_admin").request("POST", path).status == 202
        stack.fire("DeliveriesSchedule")
        again = recorded(stack, delivery["endpoint"], delivery["webhook_id"], attempts=2)
    assert again["id"] == delivery["id"]
    assert again["state"] == "delivered"
    assert [attempt["status"] for attempt in again["attempts"]] == [204, 204]
    assert any(delivery["webhook_id"].encode() in one for one in server.requests)
    put(stack)
