"""The webhook as API Gateway delivers it: events of payload format 2.0, answers of the handler."""

import base64
import copy
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
from moto import mock_aws

from billing.adapters.dynamodb.connections import DynamoDBConnections
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.adapters.queues import usage_from_message
from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.account import AccountRef
from billing.domain.usage import CallStatus, UsageEvent
from billing.ports import Connection
from billing.services.take_usage import TakeUsage
from fakes.stores import InMemoryConnections, InMemoryQuarantine
from fakes.usage_parts import InMemoryCarrierCosts, InMemoryUsageParts
from fakes.world import FixedClock, RecordingUsageQueue
from local.twilio import signed_callback
from usage_ingest import bootstrap, receive
from usage_ingest.receive import MAX_BODY_BYTES, handle

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "events"
PUBLIC_URL = "https://billing.example.com"
SECRET = "0123456789abcdef0123456789abcdef"
ACCOUNT_SID = "AC00000000000000000000000000000001"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
ACME = AccountRef("acme", "main")
REQUEST_ID = "UbTxkhO2oAMEJ5w="


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


class World:
    def __init__(self, accounts: dict[str, AccountRef] | None = None) -> None:
        connections = InMemoryConnections()
        accounts = {ACCOUNT_SID: ACME} if accounts is None else accounts
        connections.save(Connection("acme-twilio", "twilio", (SECRET,), None, accounts, 1, NOW), 0)
        self.quarantine = InMemoryQuarantine()
        self.queue = RecordingUsageQueue()
        self.take_usage = TakeUsage(
            connections=connections,
            quarantine=self.quarantine,
            queue=self.queue,
            parts=InMemoryUsageParts(),
            costs=InMemoryCarrierCosts(),
            clock=FixedClock(NOW),
            providers=PROVIDERS,
        )

    def post(self, event: dict[str, Any], public_url: str = PUBLIC_URL) -> dict[str, Any]:
        return handle(event, self.take_usage, public_url)

    @property
    def queued(self) -> list[UsageEvent]:
        return [event for _, events in self.queue.waiting for event in events]


@pytest.mark.parametrize(
    ("name", "status", "quantity"),
    [
        ("twilio-voice-completed", CallStatus.COMPLETED, 61),
        ("twilio-voice-no-answer", CallStatus.NO_ANSWER, 0),
        ("twilio-sms-delivered", CallStatus.COMPLETED, 1),
        ("twilio-sms-received", CallStatus.COMPLETED, 2),
    ],
)
def test_a_signed_callback_is_queued_and_answered_204(
    name: str, status: CallStatus, quantity: int
) -> None:
    world = World()
    assert world.post(load(name)) == {
        "statusCode": 204,
        "headers": {"X-Request-Id": REQUEST_ID},
    }
    (event,) = world.queued
    assert (event.status, event.quantity) == (status, quantity)


def test_a_trailing_slash_of_the_public_url_and_a_stage_in_the_path_change_nothing() -> None:
    world = World()
    event = load("twilio-voice-completed")
    event["rawPath"] = "/prod/webhooks/usage/acme-twilio"
    assert world.post(event, PUBLIC_URL + "/")["statusCode"] == 204


def test_a_body_delivered_as_text_is_the_same_body() -> None:
    world = World()
    event = load("twilio-voice-completed")
    event |= {"body": base64.b64decode(event["body"]).decode(), "isBase64Encoded": False}
    assert world.post(event)["statusCode"] == 204


def test_a_sub_account_nobody_mapped_is_answered_204_and_parked() -> None:
    world = World(accounts={})
    assert world.post(load("twilio-voice-completed"))["statusCode"] == 204
    (parked,) = world.quarantine.parked(None, 10)
    assert parked.reason == "account_not_mapped"
    assert world.queued == []


def _changed(path: list[str], value: object) -> dict[str, Any]:
    event = load("twilio-voice-completed")
    target = event
    for name in path[:-1]:
        target = target[name]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return event


BODY = base64.b64decode(load("twilio-voice-completed")["body"])

REFUSED = [
    pytest.param(
        _changed(["body"], base64.b64encode(BODY.replace(b"=61", b"=60")).decode()),
        id="an altered body",
    ),
    pytest.param(_changed(["body"], base64.b64encode(b"\xff\xfe").decode()), id="no text at all"),
    pytest.param(_changed(["body"], None), id="no body"),
    pytest.param(_changed(["isBase64Encoded"], False), id="a body taken for text"),
    pytest.param(_changed(["rawQueryString"], "x=1"), id="another query"),
    pytest.param(_changed(["pathParameters", "conn"], "globex"), id="an unknown connection"),
    pytest.param(_changed(["pathParameters", "conn"], "a/../b#\ud800"), id="an impossible id"),
    pytest.param(_changed(["pathParameters"], None), id="no connection"),
    pytest.param(_changed(["headers", "x-twilio-signature"], None), id="no signature"),
    pytest.param(_changed(["headers", "x-twilio-signature"], "é,\ud800"), id="odd signature"),
    pytest.param(_changed(["headers", "content-type"], None), id="no content type"),
    pytest.param(_changed(["headers", "content-type"], "application/json"), id="another type"),
    pytest.param(_changed(["headers"], None), id="no headers"),
]


@pytest.mark.parametrize("event", REFUSED)
def test_every_refusal_is_the_same_401(event: dict[str, Any]) -> None:
    world = World()
    answer = world.post(event)
    assert answer["statusCode"] == 401
    assert answer["headers"] == {
        "Content-Type": "application/problem+json",
        "X-Request-Id": REQUEST_ID,
    }
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "the signature is missing or wrong",
        "code": "invalid_signature",
        "request_id": REQUEST_ID,
    }
    assert world.queued == []
    assert world.quarantine.parked(None, 10) == []


def test_a_body_too_large_is_413_whoever_signed_it() -> None:
    world = World()
    largest = _changed(["body"], base64.b64encode(b"a" * MAX_BODY_BYTES).decode())
    assert world.post(largest)["statusCode"] == 401
    larger = copy.deepcopy(largest)
    larger["body"] = base64.b64encode(b"a" * (MAX_BODY_BYTES + 1)).decode()
    answer = world.post(larger)
    assert answer["statusCode"] == 413
    assert json.loads(answer["body"])["code"] == "body_too_large"
    assert answer["headers"]["X-Request-Id"] == REQUEST_ID


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the handler logs, as it would be written."""
    handler, written = receive.logger.registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def test_logs_hold_no_number_no_secret_and_no_body(log: io.StringIO) -> None:
    world, unmapped = World(), World(accounts={})
    for name in ("twilio-voice-completed", "twilio-sms-received"):
        world.post(load(name))
        unmapped.post(load(name))
    world.post(_changed(["rawQueryString"], "x=1"))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line.get("outcome") for line in lines] == [*["accepted", "parked"] * 2, None]
    signature = load("twilio-voice-completed")["headers"]["x-twilio-signature"]
    for secret in ("4155550", SECRET, signature, "danke", ACCOUNT_SID, "CA0000"):
        assert secret not in json.dumps(lines)


@dataclass
class Context:
    function_name: str = "receive"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:receive"
    aws_request_id: str = "a-request"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The function's world in moto; gives the queue's URL."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    bootstrap.take_usage.cache_clear()
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="receive-test",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        queue = boto3.client("sqs").create_queue(
            QueueName="usage.fifo", Attributes={"FifoQueue": "true"}
        )
        kms = boto3.client("kms")
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        DynamoDBConnections(Table("receive-test"), key_id, kms, FixedClock(NOW)).save(
            Connection("acme-twilio", "twilio", (SECRET,), None, {ACCOUNT_SID: ACME}, 1, NOW), 0
        )
        monkeypatch.setenv("TABLE_NAME", "receive-test")
        monkeypatch.setenv("USAGE_QUEUE_URL", queue["QueueUrl"])
        monkeypatch.setenv("CONNECTIONS_KEY_ID", key_id)
        monkeypatch.setenv("PUBLIC_URL", PUBLIC_URL)
        monkeypatch.delenv("CLOCK_FILE", raising=False)
        yield queue["QueueUrl"]
    bootstrap.take_usage.cache_clear()


def test_the_deployed_function_takes_refuses_and_parks(deployed: str, log: io.StringIO) -> None:
    assert receive.lambda_handler(load("twilio-voice-completed"), Context())["statusCode"] == 204
    refused = _changed(["pathParameters", "conn"], "globex")
    assert receive.lambda_handler(refused, Context())["statusCode"] == 401

    body = BODY.replace(ACCOUNT_SID.encode(), b"AC9")
    headers, raw = signed_callback(
        f"{PUBLIC_URL}/webhooks/usage/acme-twilio", SECRET, dict(parse_qsl(body.decode()))
    )
    unmapped = load("twilio-voice-completed") | {
        "headers": {name.lower(): value for name, value in headers.items()},
        "body": base64.b64encode(raw).decode(),
    }
    assert receive.lambda_handler(unmapped, Context())["statusCode"] == 204

    (message,) = boto3.client("sqs").receive_message(QueueUrl=deployed, MaxNumberOfMessages=10)[
        "Messages"
    ]
    ref, (event,) = usage_from_message(message["Body"])
    assert (ref, event.quantity) == (ACME, 61)
    (parked,) = DynamoDBQuarantine(Table("receive-test")).parked(None, 10)
    assert (parked.reason, parked.account) == ("account_not_mapped", None)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["correlation_id"] for line in lines} == {REQUEST_ID}


def test_receiving_loads_no_library_it_does_not_use() -> None:
    script = "import sys, usage_ingest.receive; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT / "functions",
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert not {"pydantic", "stripe", "twilio"} & set(output.split())
