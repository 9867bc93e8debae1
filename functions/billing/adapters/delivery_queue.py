"""The queue of what goes to tenants' endpoints: events of the bus, and deliveries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from billing.adapters.queues import MAX_BATCH, QueueError
from billing.domain.account import AccountRef, require_id
from billing.domain.canonical import canonical_json
from billing.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event of the bus, to be handed to endpoints."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeliveryWork:
    """One delivery to attempt."""

    account: AccountRef
    delivery_id: str


def delivery_message(body: str) -> BusEvent | DeliveryWork:
    """Read a message of the queue.

    Raises:
        InvalidInputError: It is neither; trying it again changes nothing.
    """
    try:
        message = json.loads(body)
        if "detail" in message:
            event = message["detail"]
            _ref(event)
            return BusEvent({**event, "type": event["type"], "id": event["id"]})
        return DeliveryWork(_ref(message), str(message["delivery"]))
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(f"not a message of deliveries: {type(error).__name__}") from error


def _ref(message: dict[str, Any]) -> AccountRef:
    return AccountRef(
        require_id(message["tenant"], "tenant"), require_id(message["account"], "account")
    )


class SqsDeliveryQueue:
    """DeliveryQueue on SQS. It is in no order: nothing waits for what cannot be delivered."""

    def __init__(self, queue_url: str, sqs: "SQSClient") -> None:
        self._queue_url = queue_url
        self._sqs = sqs

    def send(self, deliveries: Sequence[tuple[AccountRef, str]], delay: timedelta) -> None:
        """
        Raises:
            QueueError: Some were not taken; they stay due.
        """
        failed = 0
        for start in range(0, len(deliveries), MAX_BATCH):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {
                    "Id": str(place),
                    "MessageBody": canonical_json(
                        {
                            "tenant": ref.tenant_id,
                            "account": ref.account_id,
                            "delivery": delivery_id,
                        }
                    ),
                    # Begun seconds count as whole ones: a message never comes before its time.
                    "DelaySeconds": -int(-delay.total_seconds() // 1),
                }
                for place, (ref, delivery_id) in enumerate(deliveries[start : start + MAX_BATCH])
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            failed += len(answer.get("Failed", ()))
        if failed:
            raise QueueError(f"the queue did not take {failed} of {len(deliveries)} messages")
