"""One id leads from a webhook to its ledger entry, through the deployed functions' logs."""

import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger, Metrics

from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.connections import DynamoDBConnections
from billing.adapters.entry_log import EntryLog
from billing.adapters.queues import SqsUsageQueue, correlation_of
from billing.ports import Connection
from builders import ACME, a_credit, a_posting, a_tenant, a_usage_event, an_account, an_opening
from contract import aws
from fakes.world import FixedClock
from quota_reset import bootstrap as periods
from recharge import bootstrap as payments
from usage_ingest import bootstrap, post, receive

EVENTS = Path(__file__).parents[1] / "events"
PUBLIC_URL = "https://billing.example.com"
SECRET = "0123456789abcdef0123456789abcdef"
ACCOUNT_SID = "AC00000000000000000000000000000001"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
REQUEST_ID = "UbTxkhO2oAMEJ5w="


@dataclass
class Context:
    """What Lambda hands to a function."""

    function_name: str = "talktime"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:talktime"
    aws_request_id: str = "a-request"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    handler, written = Logger().registered_handler, io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBBook]:
    """Both functions as they are composed, in moto, with an account that calls are mapped to."""
    caches = (bootstrap.take_usage, bootstrap.post_usage)
    for cached in caches:
        cached.cache_clear()
    with aws.moto() as made:
        table, key_id, bucket = made.main_table(), made.key_id(), made.bucket()
        monkeypatch.setenv("TABLE_NAME", table.name)
        monkeypatch.setenv("STAGE", "test")
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Talktime")
        monkeypatch.setenv("USAGE_QUEUE_URL", made.queue_url())
        monkeypatch.setenv("CONNECTIONS_KEY_ID", key_id)
        monkeypatch.setenv("DECKS_BUCKET", bucket)
        monkeypatch.setenv("PUBLIC_URL", PUBLIC_URL)
        monkeypatch.setattr(bootstrap, "clock_from", lambda _: FixedClock(NOW))
        clock = FixedClock(NOW)
        DynamoDBConnections(table, key_id, made.client("kms"), clock).save(
            Connection("acme-twilio", "twilio", (SECRET,), None, {ACCOUNT_SID: ACME}, 1, NOW), 0
        )
        book = DynamoDBBook(table)
        book.commit(an_opening(an_account(ACME, NOW), a_tenant()))
        yield book
    for cached in caches:
        cached.cache_clear()


def delivered() -> list[dict[str, Any]]:
    """What the queue holds, as Lambda hands it over."""
    url = os.environ["USAGE_QUEUE_URL"]
    answer = boto3.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )
    return [
        {
            "messageId": message["MessageId"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                for name, value in message.get("MessageAttributes", {}).items()
            },
        }
        for message in answer["Messages"]
    ]


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_callback_is_followed_to_its_ledger_entry_by_its_request_id(
    deployed: DynamoDBBook, log: io.StringIO
) -> None:
    event = json.loads((EVENTS / "twilio-voice-no-answer.json").read_text())
    assert receive.lambda_handler(event, Context())["statusCode"] == 204
    done = post.lambda_handler({"Records": delivered()}, Context())
    assert done == {"batchItemFailures": []}

    (entry,) = deployed.entries(deployed.account(ACME))
    named = [
        line
        for line in lines(log)
        if REQUEST_ID in (line.get("correlation_id"), *line.get("correlation_ids", ()))
    ]
    assert [line["message"] for line in named] == ["callback taken", "ledger entry", "usage posted"]
    (told,) = [line for line in named if line["message"] == "ledger entry"]
    assert (told["account"], told["sequence"], told["cause"]) == ("acme#main", 1, entry.cause)


def test_the_ids_of_one_batch_are_not_those_of_the_next(
    deployed: DynamoDBBook, log: io.StringIO
) -> None:
    event = json.loads((EVENTS / "twilio-voice-no-answer.json").read_text())
    receive.lambda_handler(event, Context())
    post.lambda_handler({"Records": delivered()}, Context())
    unreadable = {"messageId": "m", "body": "", "attributes": {"SentTimestamp": "1"}}
    post.lambda_handler({"Records": [unreadable]}, Context())
    assert "correlation_ids" not in lines(log)[-1]


def test_an_entry_is_logged_without_what_was_used(log: io.StringIO) -> None:
    opened = an_opening(an_account(ACME, NOW)).after
    credited = a_credit(opened, 5_000_000, "recharge/1", NOW)
    call = a_usage_event(1, NOW)
    EntryLog(Logger())(credited)
    EntryLog(Logger())(a_posting(credited.after, [call], NOW))
    assert [(line["sequence"], line["kind"]) for line in lines(log)] == [
        (1, "recharge"),
        (2, "usage"),
    ]
    for number in (call.from_number, call.to_number):
        assert number not in log.getvalue()


def test_an_id_makes_no_other_message_of_the_same_usage() -> None:
    """Twilio's second delivery of a callback is another request, and must be the same work."""
    with aws.moto() as made:
        client, url = made.client("sqs"), made.queue_url()
        said = iter(("first", "second", None))
        queue = SqsUsageQueue(url, client, lambda: next(said))
        for _ in range(3):
            queue.send(ACME, [a_usage_event(1)])
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
    (message,) = answer["Messages"]
    assert message["MessageAttributes"]["correlation_id"]["StringValue"] == "first"
    assert correlation_of({"messageId": "m", "body": "{}"}) is None


@pytest.mark.parametrize("package", [payments, periods], ids=["payments", "periods"])
def test_what_payments_and_periods_write_is_logged_as_well(
    package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook of a payment gateway writes its entry itself, under its own request's id."""
    monkeypatch.setenv("TABLE_NAME", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert isinstance(package._change_account.__wrapped__()._on_written, EntryLog)


def test_how_long_usage_waited_is_measured_from_its_queue(
    capsys: pytest.CaptureFixture[str],
) -> None:
    records = [{"attributes": {"SentTimestamp": str(sent)}} for sent in (1_500, 1_000, 9_000)]
    metrics = Metrics(namespace="Talktime", service="usage_ingest.post")
    post.measure({"Records": records}, metrics, 4_000)
    assert json.loads(capsys.readouterr().out)["IngestLag"] == [3_000]
