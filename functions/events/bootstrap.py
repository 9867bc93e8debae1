"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3
from aws_lambda_powertools import Metrics

from billing.adapters.bus import BusEvents
from billing.adapters.clock import LOCAL_STAGE, clock_from
from billing.adapters.delivery_queue import SqsDeliveryQueue
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.outbox import DynamoDBOutbox
from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.webhooks import DynamoDBDeliveries, DynamoDBEndpoints
from billing.adapters.money_metrics import MoneyMetrics
from billing.adapters.queues import SqsWorkQueue
from billing.domain.public_addresses import is_loopback, is_public
from billing.services.deliver_webhook import DeliverWebhook
from billing.services.fan_out_event import FanOutEvent
from billing.services.project_usage import ProjectUsage
from billing.services.publish_events import PublishEvents


@cache
def publish_events() -> PublishEvents:
    return PublishEvents(
        BusEvents(
            os.environ["EVENT_BUS_NAME"],
            boto3.client("events"),
            DynamoDBOutbox(Table(os.environ["TABLE_NAME"])),
        ),
        SqsWorkQueue(os.environ["RECHARGE_QUEUE_URL"], boto3.client("sqs")),
    )


@cache
def project_usage() -> ProjectUsage:
    # Tables of every country's numbers, which publishing has no use for.
    from billing.adapters.countries import country_of

    table = Table(os.environ["TABLE_NAME"])
    return ProjectUsage(DynamoDBBook(table), DynamoDBSummaries(table), country_of)


@cache
def fan_out_event() -> FanOutEvent:
    return FanOutEvent(
        _endpoints(), DynamoDBDeliveries(_table()), _delivery_queue(), clock_from(os.environ)
    )


@cache
def deliver_webhook() -> DeliverWebhook:
    # Certificates and HTTP, which the other functions have no use for.
    from billing.adapters.webhook_sender import PinnedSender

    is_local = os.environ["STAGE"] == LOCAL_STAGE
    return DeliverWebhook(
        endpoints=_endpoints(),
        deliveries=DynamoDBDeliveries(_table()),
        sender=PinnedSender(_is_allowed_locally if is_local else is_public),
        queue=_delivery_queue(),
        bus=BusEvents(
            os.environ["EVENT_BUS_NAME"], boto3.client("events"), DynamoDBOutbox(_table())
        ),
        clock=clock_from(os.environ),
        is_local=is_local,
    )


def _is_allowed_locally(address: str) -> bool:
    return is_public(address) or is_loopback(address)


@cache
def metrics() -> Metrics:
    found = Metrics()
    found.set_default_dimensions(**_dimensions())
    return found


@cache
def money_metrics() -> MoneyMetrics:
    return MoneyMetrics(_dimensions())


def _dimensions() -> dict[str, str]:
    return {"stage": os.environ["STAGE"]}


@cache
def _table() -> Table:
    return Table(os.environ["TABLE_NAME"])


@cache
def _endpoints() -> DynamoDBEndpoints:
    return DynamoDBEndpoints(_table(), os.environ["CONNECTIONS_KEY_ID"], boto3.client("kms"))


@cache
def _delivery_queue() -> SqsDeliveryQueue:
    return SqsDeliveryQueue(os.environ["DELIVERY_QUEUE_URL"], boto3.client("sqs"))
