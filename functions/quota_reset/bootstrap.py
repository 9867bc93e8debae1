"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3
from aws_lambda_powertools import Logger

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.catalogs import DynamoDBCatalogs
from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.timers import DynamoDBTimers
from billing.adapters.entry_log import EntryLog
from billing.adapters.queues import SqsWorkQueue
from billing.services.bill_account import BillAccount
from billing.services.change_account import ChangeAccount
from billing.services.renew_numbers import RenewNumbers
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
    return RollPeriod(_change_account())


@cache
def bill_account() -> BillAccount:
    return BillAccount(
        book=_book(),
        catalogs=DynamoDBCatalogs(Table(os.environ["TABLE_NAME"])),
        clock=clock_from(os.environ),
        change_account=_change_account(),
        recharge_queue=SqsWorkQueue(os.environ["RECHARGE_QUEUE_URL"], boto3.client("sqs")),
    )


@cache
def renew_numbers() -> RenewNumbers:
    return RenewNumbers(
        book=_book(),
        catalogs=DynamoDBCatalogs(Table(os.environ["TABLE_NAME"])),
        reservations=DynamoDBReservations(Table(os.environ["TABLE_NAME"])),
        change_account=_change_account(),
        recharge_queue=SqsWorkQueue(os.environ["RECHARGE_QUEUE_URL"], boto3.client("sqs")),
    )


@cache
def _book() -> DynamoDBBook:
    return DynamoDBBook(Table(os.environ["TABLE_NAME"]))


@cache
def _change_account() -> ChangeAccount:
    return ChangeAccount(_book(), clock_from(os.environ), on_written=EntryLog(Logger()))
