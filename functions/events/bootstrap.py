"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3

from billing.adapters.bus import BusEvents
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.outbox import DynamoDBOutbox
from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.adapters.queues import SqsWorkQueue
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
