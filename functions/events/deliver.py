"""Deliver events to tenants' own endpoints.

Triggers: the delivery queue, which a rule of the event bus fills; EventBridge Scheduler, every
minute, for what is due again.
"""

import traceback
from typing import Any

from aws_lambda_powertools import Logger

from billing.adapters.delivery_queue import BusEvent, delivery_message
from billing.services.deliver_webhook import DeliverWebhook
from billing.services.fan_out_event import FanOutEvent
from events import bootstrap

logger = Logger()


@logger.inject_lambda_context(log_event=False)
def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    if "schedule" in event:
        return sweep(bootstrap.deliver_webhook())
    return handle(event, bootstrap.fan_out_event(), bootstrap.deliver_webhook())


def sweep(deliver_webhook: DeliverWebhook) -> dict[str, Any]:
    """Hand on what is due, and say how much that was."""
    enqueued = deliver_webhook.sweep()
    logger.info("deliveries swept", enqueued=enqueued)
    return {"enqueued": enqueued}


def handle(
    event: dict[str, Any], fan_out_event: FanOutEvent, deliver_webhook: DeliverWebhook
) -> dict[str, Any]:
    """Work on every message, each by itself, and name those that must come again.

    What an endpoint answers is no failure here: it is recorded, and tried again in its own time.
    """
    failed: list[str] = []
    for record in event["Records"]:
        try:
            work(record["body"], fan_out_event, deliver_webhook)
        except Exception as error:  # noqa: BLE001  # the queue delivers again, whatever it was
            # Without its text, which may quote what is on its way.
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error(
                "delivery comes again",
                messages=[record["messageId"]],
                error=f"{type(error).__name__} at {place.filename}:{place.lineno}",
            )
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def work(body: str, fan_out_event: FanOutEvent, deliver_webhook: DeliverWebhook) -> None:
    """Work on one message. The log names no URL, and nothing of what is sent."""
    message = delivery_message(body)
    if isinstance(message, BusEvent):
        logger.info("event fanned out", endpoints=fan_out_event.fan_out(message.event))
        return
    delivery = deliver_webhook.deliver(message.account, message.delivery_id)
    if delivery is None:
        logger.info("nothing to deliver", delivery=message.delivery_id)
        return
    last = delivery.attempts[-1]
    logger.info(
        "delivery attempted",
        delivery=delivery.delivery_id,
        state=delivery.state.value,
        attempt=len(delivery.attempts),
        status=last.status,
        failure=last.failure.value if last.failure else None,
    )
