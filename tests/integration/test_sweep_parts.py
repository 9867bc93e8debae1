"""The hourly sweep of parts of calls, as it is deployed: a table, a queue, and two halves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.usage_parts import DynamoDBUsageParts
from billing.adapters.queues import usage_from_message
from billing.domain.units import Direction
from billing.domain.usage import CallKey, CallStatus
from billing.domain.usage_parts import PartKind, UsagePart
from billing.ports import KeptPart
from builders import ACME
from contract.beds import in_moto
from usage_ingest import bootstrap, sweep

LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)
INITIATED = UsagePart(
    key=CallKey("telnyx", "1", "half"),
    kind=PartKind.INITIATED,
    at=LONG_AGO,
    direction=Direction.INBOUND,
    from_number="+14155550100",
    to_number="+14155550123",
    status=None,
    connection_id="telnyx",
)


@dataclass
class Context:
    function_name: str = "sweep"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:sweep"
    aws_request_id: str = "a-request"


@dataclass(frozen=True)
class Deployed:
    table: Table
    queue_url: str


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """The function's world in moto."""
    bootstrap.sweep_parts.cache_clear()
    with in_moto() as bed:
        created = boto3.client("sqs").create_queue(
            QueueName="usage.fifo", Attributes={"FifoQueue": "true"}
        )
        monkeypatch.setenv("TABLE_NAME", bed.table_name)
        monkeypatch.setenv("USAGE_QUEUE_URL", created["QueueUrl"])
        monkeypatch.delenv("CLOCK_FILE", raising=False)
        yield Deployed(Table(bed.table_name), created["QueueUrl"])
    bootstrap.sweep_parts.cache_clear()


def test_the_deployed_function_parks_halves_and_hands_on_what_is_whole(deployed: Deployed) -> None:
    parts = DynamoDBUsageParts(deployed.table)
    whole = replace(INITIATED, key=CallKey("telnyx", "1", "whole"))
    answered = replace(whole, kind=PartKind.ANSWERED)
    ended = replace(
        whole,
        kind=PartKind.ENDED,
        at=LONG_AGO + timedelta(seconds=61),
        status=CallStatus.COMPLETED,
    )
    for part in (INITIATED, whole, answered, ended):
        parts.keep(KeptPart(part, ACME, LONG_AGO, LONG_AGO + timedelta(days=30)))

    answers = [sweep.lambda_handler({"schedule": "parts"}, Context()) for _ in range(2)]
    assert answers == [{"outcomes": {"half_of_a_call": 1, "settled": 1}}, {"outcomes": {}}]
    (parked,) = DynamoDBQuarantine(deployed.table).parked(None, 10)
    assert (parked.reason, parked.account, parked.key()) == ("half_of_a_call", ACME, INITIATED.key)
    received = boto3.client("sqs").receive_message(QueueUrl=deployed.queue_url)
    ((ref, (event,)),) = [usage_from_message(each["Body"]) for each in received["Messages"]]
    assert (ref, event.key, event.quantity) == (ACME, whole.key, 61)
