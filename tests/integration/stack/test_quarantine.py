"""From parked to posted on the whole stack, and the count that raises alarms, with IAM enforced."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from integration.stack.conftest import ACCOUNT, Stack
from integration.stack.test_stack import post
from local import demo
from local.api import ApiError
from local.twilio import signed_callback

pytestmark = pytest.mark.cloud

PATH = "/v1/quarantine"


def report(stack: Stack, **overrides: str) -> str:
    """A completed call as Twilio reports it; its id."""
    ended = datetime.now(UTC) - timedelta(minutes=1)
    call_id = f"CA{uuid4().hex}"
    params = {
        "CallSid": call_id,
        "AccountSid": demo.ACME_SID,
        "From": demo.ACME_NUMBER,
        "To": "+14155550123",
        "CallStatus": "completed",
        "Direction": "outbound-api",
        "Timestamp": format_datetime(ended),
        "CallDuration": "60",
        **overrides,
    }
    headers, body = signed_callback(stack.webhook_url, demo.CONNECTION_SECRET, params)
    assert urlencode(params).encode() == body
    assert post(stack.webhook_url, body, headers["X-Twilio-Signature"]) == 204
    stack.settle()
    return call_id


def item_of(stack: Stack, call_id: str) -> Any:
    rows = stack.api("operator").rows(PATH)
    (found,) = [row for row in rows if row["event"]["call_id"] == call_id]
    return found


def billed(stack: Stack, call_id: str) -> int:
    rows = stack.api("acme_admin").rows(f"{ACCOUNT}/usage")
    return len([row for row in rows if row["call_id"] == call_id])


def replay(stack: Stack, parked_id: str) -> Any:
    answer = stack.api("operator").request("POST", f"{PATH}/{parked_id}/replay")
    stack.settle()
    return answer.body


def test_unrated_usage_is_fixed_and_replayed_and_billed_once(stack: Stack) -> None:
    call_id = report(stack, To="+8821234567")
    item = item_of(stack, call_id)
    in_vain = replay(stack, item["id"])
    assert in_vain["state"] == "replayed"
    item = item_of(stack, call_id)
    assert (item["state"], item["attempts"]) == ("parked", 1)
    operator = stack.api("operator")
    fixed = operator.request(
        "PATCH",
        f"{PATH}/{item['id']}",
        {"to": "+14155550123"},
        headers={"If-Match": f'"{item["version"]}"'},
    )
    assert fixed.body["state"] == "fixed"
    for _ in range(2):
        replay(stack, item["id"])
    assert billed(stack, call_id) == 1
    assert item_of(stack, call_id)["state"] == "resolved"


def test_the_count_closes_what_was_posted_and_leaves_the_rest(stack: Stack) -> None:
    posted = report(stack, AccountSid="AC" + "1" * 32)
    waiting = report(stack, AccountSid="AC" + "2" * 32)
    operator = stack.api("operator")
    item = item_of(stack, posted)
    operator.request(
        "PATCH",
        f"{PATH}/{item['id']}",
        {"account": {"tenant": "acme", "account": "default"}},
        headers={"If-Match": f'"{item["version"]}"'},
    )
    replay(stack, item["id"])
    with pytest.raises(ApiError) as refused:
        replay(stack, item_of(stack, waiting)["id"])
    assert refused.value.problem["code"] == "account_not_mapped"
    before = item_of(stack, posted)
    counted = stack.fire("AgeQuarantineSchedule")
    assert counted["settled"] >= 1
    assert counted["waiting"] >= 1
    after = item_of(stack, posted)
    assert (before, after["state"]) == (after, "resolved")
    assert item_of(stack, waiting)["state"] == "parked"
    assert stack.fire("AgeQuarantineSchedule") == {**counted, "settled": 0} | {
        "oldest_seconds": pytest.approx(counted["oldest_seconds"], abs=60)
    }
