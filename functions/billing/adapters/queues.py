"""First-in-first-out queues grouped by account, and what their messages say."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from billing.domain.account import AccountRef, require_id
from billing.domain.canonical import Json, canonical_json, digest
from billing.domain.errors import InvalidInputError, InvalidUsageError, TalktimeError
from billing.domain.usage import UsageEvent

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

MAX_BODY_BYTES = 200_000
"""A message holds 256 KiB on every queue ever made (SQS quota, 2026); this leaves room."""

CORRELATION_ATTRIBUTE = "correlation_id"

MAX_BATCH = 10
"""Messages one request may carry (SQS quota, 2026)."""

MAX_GROUP_CHARACTERS = 128
"""Of a message group's name (SQS quota, 2026)."""


class QueueError(TalktimeError):
    """A queue did not take everything; sending all of it again is safe."""

    code = "queue_unavailable"


class SqsUsageQueue:
    """UsageQueue on SQS.

    Args:
        correlation_id: Of the request that is being answered, by which its usage can be followed
            to its ledger entry; None: there is none.
    """

    def __init__(
        self,
        queue_url: str,
        sqs: "SQSClient",
        correlation_id: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._queue_url = queue_url
        self._sqs = sqs
        self._correlation_id = correlation_id

    def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
        attributes = correlated(self._correlation_id())
        for part in _parts(ref, events):
            self._sqs.send_message(
                QueueUrl=self._queue_url,
                MessageBody=canonical_json(part),
                MessageGroupId=group_of(ref),
                # Of the events, never of the call alone: a correction or a second half of the
                # same call is another message.
                MessageDeduplicationId=digest([part, cause] if cause else part),
                MessageAttributes=attributes,
            )


class SqsWorkQueue:
    """WorkQueue on SQS."""

    def __init__(self, queue_url: str, sqs: "SQSClient") -> None:
        self._queue_url = queue_url
        self._sqs = sqs

    def send(self, refs: Iterable[AccountRef], cause: str) -> int:
        """
        Raises:
            QueueError: Some were not taken. The others were, and are the same message when sent
                again with the same cause.
        """
        sent = failed = 0
        remaining = iter(refs)
        while batch := list(islice(remaining, MAX_BATCH)):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(place),
                    "MessageBody": canonical_json(_identity(ref)),
                    "MessageGroupId": group_of(ref),
                    "MessageDeduplicationId": digest([ref.tenant_id, ref.account_id, cause]),
                }
                for place, ref in enumerate(batch)
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            refused = len(answer.get("Failed", ()))
            failed += refused
            sent += len(batch) - refused
        if failed:
            raise QueueError(f"the queue did not take {failed} of {sent + failed} messages")
        return sent


def group_of(ref: AccountRef) -> str:
    """The message group of an account: its name, unless two longest ids make that too long."""
    name = str(ref)
    return name if len(name) <= MAX_GROUP_CHARACTERS else digest([ref.tenant_id, ref.account_id])


def correlated(correlation_id: str | None) -> "dict[str, MessageAttributeValueTypeDef]":
    """What a message says of where it comes from, beside its body: a repetition is no other work
    for having come by another request."""
    if not correlation_id:
        return {}
    return {CORRELATION_ATTRIBUTE: {"DataType": "String", "StringValue": correlation_id}}


def correlation_of(record: Mapping[str, Any]) -> str | None:
    """What ``correlated`` said, of a message as Lambda hands it over."""
    attribute = record.get("messageAttributes", {}).get(CORRELATION_ATTRIBUTE, {})
    value = attribute.get("stringValue")
    return value if isinstance(value, str) else None


def usage_from_message(body: str) -> tuple[AccountRef, list[UsageEvent]]:
    """Read a message of the usage queue.

    Raises:
        InvalidUsageError: It is not one; trying it again changes nothing.
    """
    try:
        message = json.loads(body)
        events = [UsageEvent.from_json(event) for event in message["events"]]
        return _ref(message), events
    except InvalidUsageError:
        raise
    except (ValueError, TypeError, KeyError, InvalidInputError) as error:
        raise InvalidUsageError(f"not a usage message: {error!r}") from error


def work_from_message(body: str) -> AccountRef:
    """Read a message of a work queue.

    Raises:
        InvalidInputError: It is not one; trying it again changes nothing.
    """
    try:
        return _ref(json.loads(body))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(f"not a work message: {error!r}") from error


def _identity(ref: AccountRef) -> dict[str, Json]:
    return {"tenant": ref.tenant_id, "account": ref.account_id}


def _ref(message: dict[str, str]) -> AccountRef:
    return AccountRef(
        require_id(message["tenant"], "tenant"), require_id(message["account"], "account")
    )


def _parts(ref: AccountRef, events: Sequence[UsageEvent]) -> Iterator[dict[str, Json]]:
    """Messages that hold the events in order, each as many as fit."""
    identity = _identity(ref)
    empty_bytes = _size({**identity, "events": []})
    held: list[Json] = []
    held_bytes = empty_bytes
    for event in events:
        document = event.to_json()
        event_bytes = _size(document) + len(",")
        if empty_bytes + event_bytes > MAX_BODY_BYTES:
            raise InvalidUsageError(f"one event of {event_bytes} bytes does not fit a message")
        if held and held_bytes + event_bytes > MAX_BODY_BYTES:
            yield {**identity, "events": held}
            held, held_bytes = [], empty_bytes
        held.append(document)
        held_bytes += event_bytes
    if held:
        yield {**identity, "events": held}


def _size(document: Json) -> int:
    return len(canonical_json(document).encode())
