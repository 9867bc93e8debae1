"""The real handler over moto: the environment's variables, the table, the bucket, the key."""

import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from api import bootstrap
from api.handler import lambda_handler
from billing.adapters.queues import usage_from_message
from billing.services.post_usage import PostUsage
from builders import a_usage_event
from contract.aws import moto
from integration.api.client import (
    ACME,
    ADMIN,
    CALL_EVENT,
    CATALOG,
    DECK,
    FIXED,
    GLOBEX_ADMIN,
    MEMBER,
    OPERATOR,
    PUBLIC_URL,
    RATES,
    RECHARGE,
    SERVICE,
    SOURCE,
    Reply,
    Token,
    a_tenant_body,
    an_event,
    reply,
)

SECRET = "canary-secret-of-the-connection"
CANARIES = (SECRET, "Coyote", "+14155550001", "tok_succeeds", "acme", "e30.e30")


@dataclass
class Deployment:
    """The handler as Lambda calls it, and everything it has written to its log."""

    log: pytest.CaptureFixture[str]
    logged: str = ""
    calls: int = 0

    def call(self, method: str, path: str, body: Any = None, **sent: Any) -> Reply:
        token: Token = sent.pop("token")
        headers = sent.pop("headers", None)
        current = token.but(exp=str(int(datetime.now(UTC).timestamp()) + 60))
        event = an_event(method, path, body, token=current, headers=headers, query=sent)
        found = reply(lambda_handler(event, LambdaContext()))
        self.calls += 1
        self.logged += self.log.readouterr().out
        return found


@pytest.fixture
def deployment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Deployment]:
    with moto() as aws:
        secrets = aws.client("secretsmanager")
        secret = secrets.create_secret(Name="cursors", SecretString="s" * 32)
        environment = {
            "TABLE_NAME": aws.main_table().name,
            "PAYMENT_GATEWAY": "sandbox",
            "SANDBOX_TABLE_NAME": aws.sandbox_table(),
            "STRIPE_KEY_ARN": secrets.create_secret(Name="stripe")["ARN"],
            "DECKS_BUCKET": aws.bucket(),
            "DOCUMENTS_BUCKET": aws.bucket(),
            "USAGE_QUEUE_URL": aws.queue_url(),
            "CONNECTIONS_KEY_ID": aws.key_id(),
            "CURSOR_SECRET_ARN": secret["ARN"],
            "CORS_ORIGINS": "",
            "PUBLIC_URL": PUBLIC_URL,
            "JWT_ISSUER": ADMIN.claims["iss"],
            "JWT_AUDIENCE": "another,talktime",
            "STAGE": "test",
            "POWERTOOLS_SERVICE_NAME": "api",
            "POWERTOOLS_METRICS_NAMESPACE": "Talktime",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        bootstrap.app.cache_clear()
        bootstrap.talktime.cache_clear()
        yield Deployment(capsys)
        bootstrap.app.cache_clear()
        bootstrap.talktime.cache_clear()
        # The next test has another standard output, so it needs another logger.
        logging.Logger.manager.loggerDict.pop("api")


def test_the_handler_serves_a_tenants_life(deployment: Deployment) -> None:
    call = deployment.call
    first = {"If-None-Match": "*"}
    assert call("PUT", "/v1/catalog", CATALOG, token=OPERATOR, headers=first).status == 201
    uploaded = call(
        "PUT",
        f"/v1/rate-decks/{DECK}",
        RATES,
        token=OPERATOR,
        headers={"Content-Type": "text/csv"},
        currency="USD",
        effective_at="2026-01-01T00:00:00Z",
    )
    assert uploaded.status == 201
    for tenant in ("acme", "globex"):
        key = {"Idempotency-Key": tenant}
        opened = call("POST", "/v1/tenants", a_tenant_body(tenant), token=OPERATOR, headers=key)
        again = call("POST", "/v1/tenants", a_tenant_body(tenant), token=OPERATOR, headers=key)
        assert (opened.status, again.text) == (201, opened.text)
    connection = {
        "provider": "twilio",
        "secret": SECRET,
        "account": {"tenant": "acme", "account": "default"},
    }
    connected = call("PUT", "/v1/connections/twilio", connection, token=OPERATOR, headers=first)
    assert connected.status == 201

    path = "/v1/accounts/default"
    key = {"Idempotency-Key": "first"}
    assert call("POST", f"{path}/funding-sources", SOURCE, token=ADMIN, headers=key).status == 201
    etag = call("GET", f"{path}/auto-recharge", token=ADMIN).headers["etag"]
    match = {"If-Match": etag}
    assert call("PUT", f"{path}/auto-recharge", FIXED, token=ADMIN, headers=match).status == 200
    assert call("PUT", f"{path}/auto-recharge", FIXED, token=ADMIN, headers=match).status == 412
    paid = call("POST", f"{path}/recharges", RECHARGE, token=ADMIN, headers=key)
    again = call("POST", f"{path}/recharges", RECHARGE, token=ADMIN, headers=key)
    assert (paid.status, again.text) == (201, paid.text)
    assert again.headers["idempotency-replayed"] == "true"

    use(7)
    overview = call("GET", path, token=ADMIN).body
    assert overview["balance"]["settled"] == {"amount": "22.60", "currency": "USD"}
    assert "balance" not in call("GET", path, token=MEMBER).body
    assert call("GET", f"{path}/ledger/verify", token=ADMIN).body["is_sound"] is True
    assert len(every(deployment, f"{path}/usage")) == 7
    assert [row["sequence"] for row in every(deployment, f"{path}/ledger")] == [*range(1, 9)]
    assert every(deployment, f"{path}/ledger", token=GLOBEX_ADMIN) == []
    quote = {"to": "+14155550001", "duration_seconds": 61}
    quoted = call("POST", f"/v1/rate-decks/{DECK}/quote", quote, token=OPERATOR)
    assert quoted.body["total"]["amount"] == "1.20"
    listed = [
        call("GET", f"/v1/{noun}", token=OPERATOR).body["data"]
        for noun in ("tenants", "connections", "rate-decks", "quarantine")
    ]
    assert [len(rows) for rows in listed] == [2, 1, 1, 0]
    assert call("DELETE", "/v1/connections/twilio", token=OPERATOR).status == 204
    assert_logged(deployment)


def test_usage_waits_in_the_queue_before_it_is_answered(deployment: Deployment) -> None:
    call = deployment.call
    assert call("PUT", "/v1/catalog", CATALOG, token=OPERATOR).status == 201
    key = {"Idempotency-Key": "acme"}
    opened = call("POST", "/v1/tenants", a_tenant_body("acme"), token=OPERATOR, headers=key)
    assert opened.status == 201, opened.text
    batch = [CALL_EVENT, {**CALL_EVENT, "data": {**CALL_EVENT["data"], "account": "nowhere"}}]
    sent = {"Content-Type": "application/cloudevents-batch+json"}
    found = call("POST", "/v1/usage", batch, token=SERVICE, headers=sent)
    assert (found.status, [r["status"] for r in found.body["results"]]) == (
        202,
        ["accepted", "rejected"],
    )
    queue = boto3.client("sqs")
    (message,) = queue.receive_message(
        QueueUrl=os.environ["USAGE_QUEUE_URL"], AttributeNames=["All"], MaxNumberOfMessages=10
    )["Messages"]
    ref, (usage,) = usage_from_message(message["Body"])
    assert message["Attributes"]["MessageGroupId"] == str(ref)
    assert (ref.tenant_id, str(usage.key)) == ("acme", "api#urn:dialler:berlin#c-1")
    for canary in (*CANARIES, "+14155550123", "c-1", "dialler:berlin"):
        assert canary not in deployment.logged


def use(count: int) -> None:
    talktime = bootstrap.talktime()
    service = PostUsage(
        book=talktime.book,
        decks=talktime.decks,
        quarantine=talktime.quarantine,
        clock=talktime.clock,
        change_account=talktime.change_account,
        settle_reservations=talktime.settle_reservations,
    )
    now = datetime.now(UTC)
    for number in range(1, count + 1):
        assert service.post(ACME, [a_usage_event(number, now)]) == 1


def every(deployment: Deployment, path: str, token: Token = ADMIN) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    query = {"limit": "3"}
    while True:
        found = deployment.call("GET", path, token=token, **query).body
        rows += found["data"]
        if found["next_cursor"] is None:
            return rows
        query["cursor"] = found["next_cursor"]


def assert_logged(deployment: Deployment) -> None:
    """A line for every request, and nothing in any that somebody sent."""
    lines = [json.loads(line) for line in io.StringIO(deployment.logged) if line.strip()]
    requests = [line for line in lines if line.get("message") == "request"]
    metrics = [line for line in lines if "_aws" in line]
    assert len(requests) == len(metrics) == deployment.calls
    assert {line["status"] for line in requests} == {200, 201, 204, 412}
    for canary in CANARIES:
        assert canary not in deployment.logged
