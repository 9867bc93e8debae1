"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.timers import DynamoDBTimers
from billing.adapters.gateways.sandbox import SandboxGateway
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.adapters.queues import SqsWorkQueue
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.sweep_timers import SweepTimers


@cache
def sweep_timers() -> SweepTimers:
    return SweepTimers(
        timers=DynamoDBTimers(Table(os.environ["TABLE_NAME"])),
        queue=SqsWorkQueue(os.environ["RECHARGE_QUEUE_URL"], boto3.client("sqs")),
        clock=clock_from(os.environ),
    )


@cache
def collect_recharge() -> CollectRecharge:
    book = DynamoDBBook(Table(os.environ["TABLE_NAME"]))
    clock = clock_from(os.environ)
    sandbox = SandboxGateway(TableSandboxBook(os.environ["SANDBOX_TABLE_NAME"]))
    return CollectRecharge(
        book=book,
        gateways={sandbox.name: sandbox},
        clock=clock,
        change_account=ChangeAccount(book, clock),
    )
