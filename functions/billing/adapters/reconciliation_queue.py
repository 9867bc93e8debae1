"""The queue of comparisons to be made with providers' own lists."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from billing.adapters.queues import MAX_BATCH, QueueError
from billing.domain.canonical import canonical_json
from billing.domain.provider_records import Reconciliation

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef


class SqsReconciliationQueue:
    """ReconciliationQueue on SQS."""

    def __init__(self, queue_url: str, sqs: "SQSClient") -> None:
        self._queue_url = queue_url
        self._sqs = sqs

    def send(self, work: Sequence[Reconciliation]) -> None:
        """
        Raises:
            QueueError: Some were not taken; sending all again is safe.
        """
        failed = 0
        for start in range(0, len(work), MAX_BATCH):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(place), "MessageBody": canonical_json(one.to_json())}
                for place, one in enumerate(work[start : start + MAX_BATCH])
            ]
            answer = self._sqs.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            failed += len(answer.get("Failed", ()))
        if failed:
            raise QueueError(f"the queue did not take {failed} of {len(work)} messages")
