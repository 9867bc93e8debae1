"""Publish the outbox to the event bus. Trigger: the table's stream, new events only.

An early recharge goes to the worker that collects as well, which then does not wait for a sweep.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from billing.adapters.dynamodb import outbox
from billing.services.publish_events import PublishEvents
from events import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> PartialItemFailureResponse:
    return handle(event, bootstrap.publish_events())


def handle(event: dict[str, Any], publish_events: PublishEvents) -> PartialItemFailureResponse:
    """Publish every new event, one by one, and name the first that could not be.

    The stream then begins again from there; after its last attempt the record goes to the failure
    queue, which has an alarm, and the event is still in the outbox.
    """

    def publish(record: DynamoDBRecord) -> None:
        image = record.raw_event["dynamodb"]["NewImage"]
        if outbox.is_event(image):
            publish_events.publish([outbox.outgoing(image)])
            logger.info("event published")

    return process_partial_response(
        event=event,
        record_handler=publish,
        processor=BatchProcessor(
            event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False
        ),
    )
