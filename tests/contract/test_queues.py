"""What every queue keeps to, and what a queue on SQS says and refuses."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from billing.adapters.queues import (
    MAX_BODY_BYTES,
    QueueError,
    SqsUsageQueue,
    SqsWorkQueue,
    usage_from_message,
    work_from_message,
)
from billing.domain.account import AccountRef
from billing.domain.errors import InvalidInputError, InvalidUsageError
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from billing.ports import UsageQueue, WorkQueue
from contract.aws import EVERYWHERE, NOON, Aws, moto, opened
from fakes.world import RecordingUsageQueue, RecordingWorkQueue

ACME = AccountRef("acme", "main")
GLOBEX = AccountRef("globex", "main")


def call(call_id: str, quantity: int = 61, to_number: str = "+4930123456") -> UsageEvent:
    return UsageEvent(
        key=CallKey("twilio", "AC1", call_id),
        unit=Unit.VOICE_SECONDS,
        direction=Direction.OUTBOUND,
        from_number="+15550100",
        to_number=to_number,
        status=CallStatus.COMPLETED,
        quantity=quantity,
        answered_at=NOON,
        ended_at=NOON,
        connection_id="twilio-1",
    )


@dataclass
class Usage:
    """A usage queue, and what arrives at its other end: one pair per message, in order."""

    queue: UsageQueue
    arrive: Callable[[], list[tuple[AccountRef, list[UsageEvent]]]]


@dataclass
class Work:
    """A work queue, and the accounts that arrive at its other end."""

    queue: WorkQueue
    arrive: Callable[[], list[AccountRef]]


def messages(aws: Aws, queue_url: str) -> list[dict[str, Any]]:
    """Everything that waits; each is deleted, so that the next of its group can follow."""
    sqs, found = aws.client("sqs"), []
    asked = {"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"]}
    while received := sqs.receive_message(**asked).get("Messages"):
        found += received
        for message in received:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return found


@pytest.fixture
def aws() -> Iterator[Aws]:
    with moto() as found:
        yield found


@pytest.fixture(params=EVERYWHERE)
def usage(request: pytest.FixtureRequest) -> Iterator[Usage]:
    if request.param == "memory":
        fake = RecordingUsageQueue()
        yield Usage(fake, lambda: [(ref, list(events)) for ref, events in fake.take()])
        return
    with opened(request) as aws:
        url = aws.queue_url()
        real = SqsUsageQueue(url, aws.client("sqs"))
        yield Usage(real, lambda: [usage_from_message(m["Body"]) for m in messages(aws, url)])


@pytest.fixture(params=EVERYWHERE)
def work(request: pytest.FixtureRequest) -> Iterator[Work]:
    if request.param == "memory":
        fake = RecordingWorkQueue()
        yield Work(fake, fake.take)
        return
    with opened(request) as aws:
        url = aws.queue_url()
        real = SqsWorkQueue(url, aws.client("sqs"))
        yield Work(real, lambda: [work_from_message(m["Body"]) for m in messages(aws, url)])


def test_events_arrive_whole_and_in_order(usage: Usage) -> None:
    unanswered = replace(
        call("CA2", 0), status=CallStatus.BUSY, answered_at=None, from_number="anonymous"
    )
    usage.queue.send(ACME, [call("CA1"), unanswered])
    usage.queue.send(GLOBEX, [call("CA3")])
    assert usage.arrive() == [(ACME, [call("CA1"), unanswered]), (GLOBEX, [call("CA3")])]


def test_no_events_are_no_message(usage: Usage) -> None:
    usage.queue.send(ACME, [])
    assert usage.arrive() == []


def test_the_same_report_twice_is_one_message(usage: Usage) -> None:
    usage.queue.send(ACME, [call("CA1")])
    usage.queue.send(ACME, [call("CA1")])
    assert usage.arrive() == [(ACME, [call("CA1")])]


def test_another_report_of_the_same_call_is_another_message(usage: Usage) -> None:
    usage.queue.send(ACME, [call("CA1", 61)])
    usage.queue.send(ACME, [call("CA1", 62)])
    assert [events[0].quantity for _, events in usage.arrive()] == [61, 62]


def test_the_same_report_for_another_cause_is_another_message(usage: Usage) -> None:
    usage.queue.send(ACME, [call("CA1")])
    usage.queue.send(ACME, [call("CA1")], "replay 1")
    usage.queue.send(ACME, [call("CA1")], "replay 1")
    usage.queue.send(ACME, [call("CA1")], "replay 2")
    assert usage.arrive() == [(ACME, [call("CA1")])] * 3


def test_the_same_report_for_another_account_is_another_message(usage: Usage) -> None:
    usage.queue.send(ACME, [call("CA1")])
    usage.queue.send(GLOBEX, [call("CA1")])
    assert [ref for ref, _ in usage.arrive()] == [ACME, GLOBEX]


def test_work_arrives_once_for_each_account(work: Work) -> None:
    refs = [AccountRef("acme", f"account-{number}") for number in range(23)]
    assert work.queue.send(iter(refs), "recharge") == 23
    assert sorted(work.arrive()) == sorted(refs)


def test_no_work_is_no_message(work: Work) -> None:
    assert work.queue.send([], "recharge") == 0
    assert work.arrive() == []


def test_the_same_cause_for_the_same_account_waits_once(work: Work) -> None:
    work.queue.send([ACME], "recharge 1")
    work.queue.send([ACME, GLOBEX], "recharge 1")
    assert work.arrive() == [ACME, GLOBEX]


def test_another_cause_is_another_message(work: Work) -> None:
    work.queue.send([ACME], "recharge 1")
    work.queue.send([ACME], "recharge 2")
    assert work.arrive() == [ACME, ACME]


def test_messages_are_grouped_by_account(aws: Aws) -> None:
    usage_url, work_url = aws.queue_url(), aws.queue_url()
    SqsUsageQueue(usage_url, aws.client("sqs")).send(ACME, [call("CA1")])
    SqsWorkQueue(work_url, aws.client("sqs")).send([ACME], "recharge")
    for url in (usage_url, work_url):
        (message,) = messages(aws, url)
        assert message["Attributes"]["MessageGroupId"] == "acme#main"


def test_two_longest_ids_still_make_a_group(aws: Aws) -> None:
    url = aws.queue_url()
    longest = AccountRef("t" * 64, "a" * 64)
    SqsUsageQueue(url, aws.client("sqs")).send(longest, [call("CA1")])
    (message,) = messages(aws, url)
    assert len(message["Attributes"]["MessageGroupId"]) <= 128
    assert usage_from_message(message["Body"])[0] == longest


def test_work_names_an_account_and_nothing_else(aws: Aws) -> None:
    url = aws.queue_url()
    SqsWorkQueue(url, aws.client("sqs")).send([ACME], "recharge")
    (message,) = messages(aws, url)
    assert json.loads(message["Body"]) == {"tenant": "acme", "account": "main"}


def test_many_events_are_split_so_that_each_message_fits(aws: Aws) -> None:
    url = aws.queue_url()
    # Numbers are text from outside: what counts is bytes, not characters.
    events = [call(f"CA{number}", to_number="☎" * 250) for number in range(600)]
    SqsUsageQueue(url, aws.client("sqs")).send(ACME, events)
    bodies = [message["Body"] for message in messages(aws, url)]
    assert len(bodies) > 1
    assert all(len(body.encode()) <= MAX_BODY_BYTES for body in bodies)
    assert [event for body in bodies for event in usage_from_message(body)[1]] == events


def test_an_event_that_fits_no_message_is_refused(aws: Aws) -> None:
    queue = SqsUsageQueue(aws.queue_url(), aws.client("sqs"))
    with pytest.raises(InvalidUsageError):
        queue.send(ACME, [call("CA1", to_number="☎" * MAX_BODY_BYTES)])


class RefusingSqs:
    """A queue that takes all but the first message of each batch."""

    # Any: it stands in for boto3's client, made at run time.
    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803 boto3's own names
        failed = {"Id": Entries[0]["Id"], "SenderFault": False, "Code": "InternalError"}
        return {"Successful": Entries[1:], "Failed": [failed]}


def test_work_the_queue_did_not_take_is_an_error_that_says_how_much() -> None:
    sqs: Any = RefusingSqs()
    refs = [AccountRef("acme", f"account-{number}") for number in range(25)]
    with pytest.raises(QueueError, match="3 of 25"):
        SqsWorkQueue("https://queue", sqs).send(refs, "recharge")


MALFORMED = [
    pytest.param("", id="nothing"),
    pytest.param("{", id="no JSON"),
    pytest.param("[]", id="a list"),
    pytest.param("null", id="null"),
    pytest.param("{}", id="no members"),
    pytest.param('{"tenant": "acme", "events": []}', id="no account"),
    pytest.param('{"tenant": "a#b", "account": "main", "events": []}', id="a forged id"),
    pytest.param('{"tenant": "acme", "account": 7, "events": []}', id="an id that is no text"),
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_work_message_is_refused(body: str) -> None:
    with pytest.raises(InvalidInputError):
        work_from_message(body)


@pytest.mark.parametrize(
    "body",
    [
        *MALFORMED,
        pytest.param('{"tenant": "acme", "account": "main"}', id="no events"),
        pytest.param('{"tenant": "acme", "account": "main", "events": 1}', id="events no list"),
        pytest.param('{"tenant": "acme", "account": "main", "events": [{}]}', id="an empty event"),
        pytest.param('{"tenant": "acme", "account": "main", "events": ["x"]}', id="a text event"),
    ],
)
def test_a_malformed_usage_message_is_refused(body: str) -> None:
    with pytest.raises(InvalidUsageError):
        usage_from_message(body)
