"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.timers import DynamoDBTimers
from billing.adapters.queues import SqsWorkQueue
from billing.services.change_account import ChangeAccount
from billing.services.roll_period import RollPeriod
from billing.services.sweep_timers import SweepTimers


@cache
def sweep_timers() -> SweepTimers:
    return SweepTimers(
        timers=DynamoDBTimers(Table(os.environ["TABLE_NAME"])),
        queue=SqsWorkQueue(os.environ["ROLL_QUEUE_URL"], boto3.client("sqs")),
        clock=clock_from(os.environ),
    )


@cache
def roll_period() -> RollPeriod:
    return RollPeriod(
        ChangeAccount(DynamoDBBook(Table(os.environ["TABLE_NAME"])), clock_from(os.environ))
    )
