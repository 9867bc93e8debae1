"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3

from billing.adapters.bus import BusEvents
from billing.adapters.dynamodb.outbox import DynamoDBOutbox
from billing.adapters.dynamodb.table import Table
from billing.services.publish_events import PublishEvents


@cache
def publish_events() -> PublishEvents:
    return PublishEvents(
        BusEvents(
            os.environ["EVENT_BUS_NAME"],
            boto3.client("events"),
            DynamoDBOutbox(Table(os.environ["TABLE_NAME"])),
        )
    )
