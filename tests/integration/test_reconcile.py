"""The comparison as Scheduler, the queue and a person invoke it, on a table and queues of moto."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from billing.adapters.dynamodb.connections import DynamoDBConnections
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.adapters.queues import QueueError
from billing.adapters.reconciliation_queue import SqsReconciliationQueue
from billing.domain.provider_records import Reconciliation
from billing.domain.usage import UsageEvent
from billing.ports import Connection
from builders import ACME, a_sid, a_tenant, an_account, an_opening
from contract.beds import in_moto
from fakes.twilio_rest import TwilioRest, a_listed_call
from fakes.world import FixedClock
from scripts import reconcile as script
from usage_ingest import bootstrap, reconcile

SID = "AC" + "0" * 31 + "1"
NOW = datetime.now(UTC)
YESTERDAY = (NOW - timedelta(days=1)).date()
NOON = datetime(YESTERDAY.year, YESTERDAY.month, YESTERDAY.day, 12, tzinfo=UTC)
CONTEXT = SimpleNamespace(
    get_remaining_time_in_millis=lambda: 600_000,
    function_name="reconcile",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn",
    aws_request_id="id",
)


@dataclass
class Bed:
    """A deployment with one connection and one open account."""

    twilio: TwilioRest
    table: Table
    connections: DynamoDBConnections
    queue_url: str
    usage_queue_url: str
    failed: list[str] = field(default_factory=list)

    def save(self, name: str, **changes: Any) -> None:
        connection = Connection(name, "twilio", ("token",), None, {SID: ACME}, 1, NOW)
        self.connections.save(replace(connection, **changes), 0)

    def invoke(self, event: Mapping[str, Any], remaining: int = 600_000) -> Any:
        context = SimpleNamespace(
            **{**vars(CONTEXT), "get_remaining_time_in_millis": lambda: remaining}
        )
        return reconcile.lambda_handler(dict(event), context)

    def messages(self) -> list[dict[str, Any]]:
        sqs = boto3.client("sqs")
        found: list[dict[str, Any]] = []
        while got := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [{"messageId": one["MessageId"], "body": one["Body"]} for one in got]
            for one in got:
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=one["ReceiptHandle"])
        return found

    def work_off(self, remaining: int = 600_000) -> int:
        """Deliver what is in the queue, one by one, until nothing is left."""
        deliveries = 0
        while messages := self.messages():
            for message in messages:
                deliveries += 1
                answer = self.invoke({"Records": [message]}, remaining)
                self.failed += [one["itemIdentifier"] for one in answer["batchItemFailures"]]
        return deliveries

    def parked(self) -> list[str]:
        return [
            UsageEvent.from_json(parked.event).key.call_id
            for parked in DynamoDBQuarantine(self.table).parked(None, 100)
        ]


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    with mock_aws(), in_moto() as stored, TwilioRest(page_size=1).serving() as twilio:
        stored.commit(an_opening(an_account(now=NOW - timedelta(days=40)), a_tenant()))
        sqs = boto3.client("sqs")
        key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        queue_url = sqs.create_queue(QueueName="reconcile")["QueueUrl"]
        usage_queue_url = sqs.create_queue(
            QueueName="usage.fifo", Attributes={"FifoQueue": "true"}
        )["QueueUrl"]
        for name, value in {
            "TABLE_NAME": stored.table_name,
            "CONNECTIONS_KEY_ID": key_id,
            "USAGE_QUEUE_URL": usage_queue_url,
            "RECONCILE_QUEUE_URL": queue_url,
            "TWILIO_API_URL": twilio.url,
            "REPLAY_MISSING": "false",
            "STAGE": "test",
            "POWERTOOLS_SERVICE_NAME": "usage_ingest.reconcile",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("CLOCK_FILE", raising=False)
        forget_singletons()
        twilio.add_account(SID, "token")
        table = Table(stored.table_name)
        connections = DynamoDBConnections(table, key_id, boto3.client("kms"), FixedClock(NOW))
        yield Bed(twilio, table, connections, queue_url, usage_queue_url)
        forget_singletons()


def forget_singletons() -> None:
    for built in (
        bootstrap.reconcile_usage,
        bootstrap.plan_reconciliations,
        bootstrap.reconciliation_queue,
    ):
        built.cache_clear()


def calls(count: int) -> list[dict[str, Any]]:
    return [a_listed_call(SID, a_sid(number), NOON) for number in range(count)]


def asked(**more: str) -> dict[str, str]:
    return {"connection": "acme", "day": YESTERDAY.isoformat(), **more}


def test_a_night_compares_two_days_of_every_connection(bed: Bed) -> None:
    bed.save("acme")
    bed.save("globex")
    bed.twilio.add_call(calls(1)[0])
    assert bed.invoke({"schedule": "reconcile"}) == {"enqueued": 4}
    assert bed.work_off() == 4
    # Both connections map that account, and it is one call all the same.
    assert bed.parked() == [a_sid(0)]
    assert bed.failed == []


def test_a_connection_that_fails_holds_back_no_other(bed: Bed) -> None:
    bed.save("a-wrong-one", secrets=("wrong",))
    bed.save("acme")
    bed.twilio.add_call(calls(1)[0])
    bed.invoke({"schedule": "reconcile"})
    assert bed.work_off() == 4
    assert len(bed.failed) == 2
    assert bed.parked() == [a_sid(0)]


def test_what_takes_longer_than_one_run_goes_on_in_the_next(bed: Bed) -> None:
    bed.save("acme")
    for call in calls(5):
        bed.twilio.add_call(call)
    boto3.client("sqs").send_message(
        QueueUrl=bed.queue_url,
        MessageBody=json.dumps(asked()),
    )
    # No time beyond one page: five of calls, then one of messages.
    assert bed.work_off(remaining=0) == 6
    assert sorted(bed.parked()) == sorted(a_sid(number) for number in range(5))
    assert bed.failed == []


def test_a_person_is_answered_with_what_was_found(bed: Bed) -> None:
    bed.save("acme")
    bed.twilio.add_call(calls(1)[0])
    found = bed.invoke(asked())
    assert found["counts"]["missing_callback"] == 1
    assert found["differences"][0]["call_id"] == a_sid(0)
    assert found["carrier_cost"] == {"USD": "0.02800"}
    assert (found["next"], found["uncompared"]) == (None, [])


def test_what_a_person_asks_wrong_is_refused(bed: Bed) -> None:
    assert bed.invoke({"connection": "acme"})["refused"]["code"] == "invalid_input"
    assert bed.invoke(asked())["refused"]["code"] == "not_found"
    bed.save("acme", secrets=("wrong",))
    assert bed.invoke(asked())["refused"]["code"] == "provider_refused"


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"connection": "nobody", "day": "2026-03-14"}'])
def test_a_message_that_means_nothing_goes_to_the_dead_letters(bed: Bed, body: str) -> None:
    answer = bed.invoke({"Records": [{"messageId": "m1", "body": body}]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


def test_what_is_missing_is_billed_at_once_if_the_deployment_says_so(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPLAY_MISSING", "true")
    bed.save("acme", updated_at=NOON - timedelta(days=9))
    bed.twilio.add_call(calls(1)[0])
    assert bed.invoke(asked())["counts"]["queued"] == 1
    (message,) = boto3.client("sqs").receive_message(QueueUrl=bed.usage_queue_url)["Messages"]
    assert json.loads(message["Body"])["events"][0]["call_id"] == a_sid(0)
    assert bed.parked() == []


def test_no_log_line_holds_a_number_or_a_secret(bed: Bed, caplog: Any, capsys: Any) -> None:
    bed.save("acme")
    bed.twilio.add_call(calls(1)[0])
    bed.invoke(asked())
    said = caplog.text + "".join(capsys.readouterr())
    assert "+1415" not in said
    assert "token" not in said


def test_work_is_sent_in_batches_and_what_is_not_taken_is_an_error(bed: Bed) -> None:
    queue = SqsReconciliationQueue(bed.queue_url, boto3.client("sqs"))
    queue.send([Reconciliation(f"conn-{number}", YESTERDAY) for number in range(23)])
    assert len(bed.messages()) == 23

    class Full:
        def send_message_batch(self, **_: Any) -> dict[str, Any]:
            return {"Failed": [{"Id": "0"}]}

    full: Any = Full()
    with pytest.raises(QueueError, match="1 of 2"):
        SqsReconciliationQueue("url", full).send([Reconciliation("a", YESTERDAY)] * 2)


# The command


class Deployed:
    """The function, invoked as Lambda invokes it, with time for one page only."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.invoked = 0

    # The names are AWS's.
    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803
        assert FunctionName == "reconcile-function"
        self.invoked += 1
        answer = self.bed.invoke(json.loads(Payload), remaining=0)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def test_the_command_goes_on_until_the_day_is_done(bed: Bed) -> None:
    bed.save("acme")
    for call in calls(3):
        bed.twilio.add_call(call)
    deployed = Deployed(bed)
    day = YESTERDAY.isoformat()
    found = script.reconcile(deployed, "reconcile-function", "acme", day)
    assert deployed.invoked == 4
    assert found["counts"]["missing_callback"] == 3
    assert found["carrier_cost"] == {"USD": "0.08400"}
    assert found["uncompared"] == [SID]
    printed = script.rendered(found)
    assert printed.startswith(f"acme, {day} (UTC)\n")
    assert "missing_callback              3" in printed
    assert f"- missing_callback {a_sid(0)}" in printed


def test_the_command_says_why_it_could_not(bed: Bed) -> None:
    with pytest.raises(script.ReconcileError, match="no connection 'nobody'"):
        script.reconcile(Deployed(bed), "reconcile-function", "nobody", YESTERDAY.isoformat())


def test_the_command_tells_of_a_fault_as_well() -> None:
    class Faulty:
        # The names are AWS's.
        def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803
            fault = b'{"errorMessage": "Task timed out after 600.00 seconds"}'
            return {"Payload": io.BytesIO(fault), "FunctionError": "Unhandled"}

    with pytest.raises(script.ReconcileError, match="timed out"):
        script.reconcile(Faulty(), "reconcile-function", "acme", "2026-03-14")
