"""One tenant's money from end to end: webhook, queue, table, gateway, schedules, API."""

import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import jwt
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from integration.stack.conftest import ACCOUNT, Stack
from local import demo, statement
from local.api import Api, ApiError

pytestmark = pytest.mark.cloud


def call(seconds: int = 60, **overrides: str) -> dict[str, str]:
    """A completed call as Twilio reports it, that ended a minute ago."""
    ended = datetime.now(UTC) - timedelta(minutes=1)
    return {
        "CallSid": f"CA{uuid4().hex}",
        "AccountSid": demo.ACME_SID,
        "From": demo.ACME_NUMBER,
        "To": "+14155550123",
        "CallStatus": "completed",
        "Direction": "outbound-api",
        "Timestamp": format_datetime(ended),
        "CallDuration": str(seconds),
        **overrides,
    }


def post(url: str, body: bytes, signature: str) -> int:
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature,
    }
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def signed(stack: Stack, params: Mapping[str, str]) -> tuple[str, bytes, str]:
    """A callback signed by Twilio's own helper."""
    validator = RequestValidator(demo.CONNECTION_SECRET)
    signature = validator.compute_signature(stack.webhook_url, params)
    return stack.webhook_url, urlencode(params).encode(), signature


def usage_of(stack: Stack, params: Mapping[str, str], who: str = "acme_admin") -> list[str]:
    """The ledger sequences under which the API shows that call."""
    rows = stack.api(who).rows(f"{ACCOUNT}/usage")
    return [row["sequence"] for row in rows if row["call_id"] == params["CallSid"]]


def test_a_callback_signed_by_the_official_helper_is_billed(stack: Stack) -> None:
    params = call()
    assert post(*signed(stack, params)) == 204
    stack.settle()
    assert len(usage_of(stack, params)) == 1


def test_one_changed_byte_is_a_401_and_bills_nothing(stack: Stack) -> None:
    params = call()
    url, body, signature = signed(stack, params)
    changed = body.replace(b"CallDuration=60", b"CallDuration=61")
    assert changed != body
    assert post(url, changed, signature) == 401
    assert post(f"{url}?x=1", body, signature) == 401
    assert post(url.replace(demo.CONNECTION, "twilia"), body, signature) == 401
    assert post(url, body, ("B" if signature[0] == "A" else "A") + signature[1:]) == 401
    assert post(url, body, "") == 401
    stack.settle()
    assert usage_of(stack, params) == []


def test_the_same_call_delivered_50_times_in_parallel_is_billed_once(stack: Stack) -> None:
    params = call(seconds=600)
    callback = signed(stack, params)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(*callback), range(50)))
    assert answers == [204] * 50
    stack.settle()
    assert len(usage_of(stack, params)) == 1
    assert stack.api("acme_admin").get(f"{ACCOUNT}/ledger/verify").body["is_sound"]


def test_a_call_is_corrected_by_reversal_and_new_entry(stack: Stack) -> None:
    params = call(seconds=60)
    assert post(*signed(stack, params)) == 204
    stack.settle()
    operator = stack.api("operator")
    corrected = operator.request(
        "POST",
        f"{ACCOUNT}/corrections",
        {
            "provider": "twilio",
            "provider_account": demo.ACME_SID,
            "call_id": params["CallSid"],
            "quantity": 600,
            "reason": "the carrier's record says ten minutes",
        },
        {"Idempotency-Key": str(uuid4()), "Talktime-Tenant": "acme"},
    )
    assert corrected.body["call"]["billed_quantity"] == 600
    admin = stack.api("acme_admin")
    last = [entry["kind"] for entry in admin.rows(f"{ACCOUNT}/ledger")][-2:]
    assert last == ["reversal", "usage"]
    assert admin.get(f"{ACCOUNT}/ledger/verify").body["is_sound"]


def test_usage_of_a_sub_account_nobody_mapped_is_parked_and_visible(stack: Stack) -> None:
    params = call(AccountSid="AC" + "0" * 32)
    assert post(*signed(stack, params)) == 204
    parked = list(stack.api("operator").rows("/v1/quarantine"))
    assert [p["reason"] for p in parked if p["event"]["call_id"] == params["CallSid"]] == [
        "account_not_mapped"
    ]
    assert usage_of(stack, params) == []


def test_usage_that_has_no_price_is_parked_and_the_rest_is_billed(stack: Stack) -> None:
    unrated, rated = call(To="+8821234567"), call()
    for params in (unrated, rated):
        assert post(*signed(stack, params)) == 204
    stack.settle()
    parked = list(stack.api("operator").rows("/v1/quarantine"))
    assert [p["reason"] for p in parked if p["event"]["call_id"] == unrated["CallSid"]] == [
        "destination_not_rated"
    ]
    assert usage_of(stack, unrated) == []
    assert len(usage_of(stack, rated)) == 1


def test_the_sweep_recharges_below_the_threshold_and_the_books_agree(stack: Stack) -> None:
    acme = stack.api("acme_admin")
    # More than grants and wallet hold: the wallet ends below its threshold.
    for _ in range(40):
        assert post(*signed(stack, call(seconds=2400))) == 204
    stack.settle()
    before = Decimal(stack.balance())
    assert before < 10
    stack.fire("RechargeSchedule")
    added = Decimal(stack.balance()) - before
    # The smallest whole multiple of 25 that brings the balance to 10.
    assert added == 25 * math.ceil((10 - before) / 25)
    stack.fire("RechargeSchedule")
    assert Decimal(stack.balance()) == before + added
    month = statement.read(acme, stack.cloud.client, stack.outputs, datetime.now(UTC))
    assert statement.is_proven(month)
    assert month.captures >= 1


def test_what_happened_is_published_once_committed(stack: Stack) -> None:
    queue_url = listen(stack)
    stack.api("globex_admin").request(
        "POST",
        f"{ACCOUNT}/recharges",
        {"amount": {"amount": "12.00", "currency": "USD"}, "acceptance": demo.ACCEPTANCE},
        {"Idempotency-Key": str(uuid4())},
    )
    event = heard(stack, queue_url)
    assert event["detail-type"] == "recharge.succeeded"
    assert event["detail"]["tenant"] == "globex"
    assert event["detail"]["data"]["amount"] == {"amount": "12.00", "currency": "USD"}


def listen(stack: Stack) -> str:
    """A queue that hears Globex's recharge of 12 dollars."""
    sqs, events = stack.cloud.client("sqs"), stack.cloud.client("events")
    queue_url: str = sqs.create_queue(QueueName=f"heard-{uuid4().hex[:8]}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    bus = stack.outputs["EventBusName"]
    detail = {"tenant": ["globex"], "data": {"amount": {"amount": ["12.00"]}}}
    pattern = {"detail-type": ["recharge.succeeded"], "detail": detail}
    name = f"heard-{uuid4().hex[:8]}"
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    arn = attributes["Attributes"]["QueueArn"]
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "heard", "Arn": arn}])
    return queue_url


def heard(stack: Stack, queue_url: str) -> Any:
    sqs = stack.cloud.client("sqs")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1)
        for message in answer.get("Messages", ()):
            return json.loads(message["Body"])
    raise AssertionError("nothing was published")


def test_the_same_request_twice_moves_money_once(stack: Stack) -> None:
    globex = stack.api("globex_admin")
    before = Decimal(stack.balance("globex_admin"))
    body = {"amount": {"amount": "7.00", "currency": "USD"}, "acceptance": demo.ACCEPTANCE}
    key = {"Idempotency-Key": str(uuid4())}
    first = globex.request("POST", f"{ACCOUNT}/recharges", body, key)
    second = globex.request("POST", f"{ACCOUNT}/recharges", body, key)
    assert second.body == first.body
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Decimal(stack.balance("globex_admin")) == before + 7


def problem_of(api: Api, method: str, path: str) -> tuple[int, dict[str, object]]:
    with pytest.raises(ApiError) as refused:
        api.request(method, path)
    problem = dict(refused.value.problem)
    problem.pop("request_id", None)
    return refused.value.status, problem


def test_no_token_no_answer(stack: Stack) -> None:
    claims = {"sub": "mallory", "custom:tenant_id": "acme", "cognito:groups": ["operator"]}
    soon = datetime.now(UTC) + timedelta(hours=1)
    forged = jwt.encode({**claims, "exp": soon}, "k" * 32, algorithm="HS256")
    unsigned = jwt.encode({**claims, "exp": soon}, "", algorithm="none")
    tampered = stack.tokens["acme_admin"][:-8] + "AAAAAAAA"
    for token in ("", "x", forged, unsigned, tampered):
        status, _ = problem_of(Api(stack.url, token), "GET", ACCOUNT)
        assert status == 401


def test_another_tenants_account_looks_like_none_at_all(stack: Stack) -> None:
    globex = stack.api("globex_admin")
    acme_main = stack.api("acme_admin").get("/v1/accounts").body["data"][0]["account"]
    operator = stack.api("operator")
    operator.request(
        "POST",
        "/v1/accounts",
        {
            "name": "Second",
            "currency": "USD",
            "time_zone": "UTC",
            "plan": "starter",
            "billing_day": 1,
        },
        {"Idempotency-Key": str(uuid4()), "Talktime-Tenant": "acme"},
    )
    accounts = [row["account"] for row in stack.api("acme_admin").rows("/v1/accounts")]
    (second,) = [account for account in accounts if account != acme_main]
    assert problem_of(globex, "GET", f"/v1/accounts/{second}") == problem_of(
        globex, "GET", "/v1/accounts/no-such-account"
    )


def test_a_turned_period_is_rolled_once_however_often_the_schedule_fires(stack: Stack) -> None:
    globex = stack.api("globex_admin")
    before = globex.get(ACCOUNT).body
    turn = datetime.fromisoformat(before["period"]["end_at"])
    stack.cloud.clock.move_to(turn + timedelta(minutes=5))
    try:
        assert stack.fire("MonthlySchedule")["enqueued"] >= 1
        stack.fire("CatchUpSchedule")
        after = globex.get(ACCOUNT).body
        assert after["period"]["start_at"] == before["period"]["end_at"]
        assert after["balance"] == before["balance"]
        (quota,) = after["quotas"]
        assert (quota["total"], quota["remaining"]) == (6000, 6000)
        table = stack.cloud.client("dynamodb")
        closed = table.query(
            TableName=stack.outputs["TableName"],
            KeyConditionExpression="pk = :pk AND begins_with(sk, :period)",
            ExpressionAttributeValues={
                ":pk": {"S": f"PAPERS#globex#main#{turn.year}"},
                ":period": {"S": "PERIOD#"},
            },
        )
        assert closed["Count"] == 1
    finally:
        stack.cloud.clock.set_offset(0)
