"""Publish the outbox to the event bus. Trigger: the table's stream, new events and parked usage.

Of usage that was parked its account is told, where it is known. An early recharge goes to the
worker that collects as well, which then does not wait for a sweep.
"""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch import EventType as BatchEventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from billing.adapters.dynamodb import outbox
from billing.domain.records import EventType
from billing.services.publish_events import PublishEvents
from events import bootstrap

COUNTED = {
    EventType.RECHARGE_SUCCEEDED: "RechargesSucceeded",
    EventType.RECHARGE_FAILED: "RechargesFailed",
    EventType.RECHARGE_UNKNOWN: "RechargesUnknown",
    EventType.PAYMENT_DISPUTED: "PaymentsDisputed",
}
"""What a dashboard shows of all tenants together. Every such event comes through here."""

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> PartialItemFailureResponse:
    return handle(event, bootstrap.publish_events(), bootstrap.metrics())


def handle(
    event: dict[str, Any], publish_events: PublishEvents, metrics: Metrics
) -> PartialItemFailureResponse:
    """Publish every new event, one by one, and name the first that could not be.

    The stream then begins again from there; after its last attempt the record goes to the failure
    queue, which has an alarm, and the event is still in the outbox, or the usage in the quarantine.
    """

    def publish(record: DynamoDBRecord) -> None:
        image = record.raw_event["dynamodb"]["NewImage"]
        if outbox.is_event(image):
            outgoing = outbox.outgoing(image)
            publish_events.publish([outgoing])
            logger.info("event published")
            if outgoing.type in COUNTED:
                metrics.add_metric(COUNTED[outgoing.type], MetricUnit.Count, 1)
        elif outbox.is_parked(image) and (told := outbox.quarantined(image)) is not None:
            publish_events.tell([told])
            logger.info("quarantined usage told")

    answer = process_partial_response(
        event=event,
        record_handler=publish,
        processor=BatchProcessor(
            event_type=BatchEventType.DynamoDBStreams, raise_on_entire_batch_failure=False
        ),
    )
    if metrics.metric_set:
        metrics.flush_metrics()
    return answer
