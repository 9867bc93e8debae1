"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.connections import DynamoDBConnections
from billing.adapters.dynamodb.decks import DynamoDBDecks
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.adapters.queues import SqsUsageQueue
from billing.adapters.telephony.registry import PROVIDERS
from billing.services.change_account import ChangeAccount
from billing.services.post_usage import PostUsage
from billing.services.take_usage import TakeUsage


@cache
def take_usage() -> TakeUsage:
    table = Table(os.environ["TABLE_NAME"])
    clock = clock_from(os.environ)
    return TakeUsage(
        connections=DynamoDBConnections(
            table, os.environ["CONNECTIONS_KEY_ID"], boto3.client("kms"), clock
        ),
        quarantine=DynamoDBQuarantine(table),
        queue=SqsUsageQueue(os.environ["USAGE_QUEUE_URL"], boto3.client("sqs")),
        clock=clock,
        providers=PROVIDERS,
    )


def public_url() -> str:
    """Scheme and host as providers call them: signatures cover it."""
    return os.environ["PUBLIC_URL"]


@cache
def post_usage() -> PostUsage:
    table = Table(os.environ["TABLE_NAME"])
    clock = clock_from(os.environ)
    book = DynamoDBBook(table)
    return PostUsage(
        book=book,
        decks=DynamoDBDecks(table, os.environ["DECKS_BUCKET"], boto3.client("s3"), clock),
        quarantine=DynamoDBQuarantine(table),
        clock=clock,
        change_account=ChangeAccount(book, clock),
    )
