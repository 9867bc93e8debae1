"""A tenant's own systems report usage to the deployed API; decks come in past a request's size."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from integration.stack.conftest import ACCOUNT, Stack
from local import demo

pytestmark = pytest.mark.cloud

PREFIXES = range(100_000, 350_000)
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def a_call(account: str = "default", **changes: Any) -> dict[str, Any]:
    ended = datetime.now(UTC) - timedelta(minutes=1)
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "urn:dialler:berlin",
        "type": "call.ended",
        "data": {
            "call_id": uuid4().hex,
            "account": account,
            "direction": "outbound",
            "from": demo.ACME_NUMBER,
            "to": "+14155550123",
            "answered_at": (ended - timedelta(seconds=60)).isoformat(),
            "ended_at": ended.isoformat(),
            "billable_seconds": 60,
            "status": "completed",
            **changes,
        },
    }


def report(stack: Stack, *events: dict[str, Any]) -> list[str]:
    body = json.dumps(events)
    answer = stack.api("acme_service").request("POST", "/v1/usage", body, BATCH)
    assert answer.status == 202
    return [result["status"] for result in answer.body["results"]]


def test_reported_usage_is_billed_once_however_often_it_is_sent(stack: Stack) -> None:
    event, wrong = a_call(), a_call("nowhere")
    for _ in range(3):
        assert report(stack, event, wrong) == ["accepted", "rejected"]
        stack.settle()
    rows = stack.api("acme_admin").rows(f"{ACCOUNT}/usage")
    calls = [row for row in rows if row["call_id"] == event["data"]["call_id"]]
    assert [(row["provider"], row["quantity"]) for row in calls] == [("api", 60)]
    assert stack.api("acme_admin").get(f"{ACCOUNT}/ledger/verify").body["is_sound"]


def test_a_deck_of_250_000_lines_uploads_activates_and_rates(stack: Stack) -> None:
    operator = stack.api("operator")
    path = f"/v1/rate-decks/large-{uuid4().hex[:8]}"
    lines = (f"{prefix},Place {prefix % 5000},0.{prefix % 5000:04d}" for prefix in PREFIXES)
    deck = "\n".join(("prefix,destination,rate", *lines, "")).encode()
    offer = operator.request("POST", f"{path}/uploads", {"bytes": len(deck)}).body
    put = urllib.request.Request(offer["url"], deck, offer["headers"], method=offer["method"])
    with urllib.request.urlopen(put, timeout=30) as answer:
        assert answer.status == 200
    terms = {"currency": "USD", "activate": False}
    completed = operator.request("POST", f"{path}/uploads/{offer['upload']}/complete", terms)
    assert (completed.status, completed.body["draft"]) == (201, True)
    activated = operator.request("POST", f"{path}/versions/1/activate", {})
    assert (activated.status, activated.body["draft"]) == (200, False)
    diff = operator.request("POST", f"{path}/versions/1/diff", {"against": 1})
    assert diff.body["is_empty"]
    asked = {
        "to": f"+{PREFIXES[123_456]}7890",
        "duration_seconds": 60,
        # It takes effect once every worker can know of it.
        "answered_at": (datetime.now(UTC) + timedelta(minutes=10)).isoformat(),
    }
    quote = operator.request("POST", f"{path}/quote", asked).body
    assert (quote["prefix"], quote["total"]["amount"]) == ("223456", "0.3456")
