"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3
from aws_lambda_powertools import Logger, Metrics

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.carrier_costs import DynamoDBCarrierCosts
from billing.adapters.dynamodb.connections import DynamoDBConnections
from billing.adapters.dynamodb.decks import DynamoDBDecks
from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.usage_parts import DynamoDBUsageParts
from billing.adapters.entry_log import EntryLog
from billing.adapters.queues import SqsUsageQueue
from billing.adapters.reconciliation_queue import SqsReconciliationQueue
from billing.adapters.telephony import twilio_rest
from billing.adapters.telephony.json_rest import JsonRest
from billing.adapters.telephony.registry import PROVIDERS
from billing.services.age_quarantine import AgeQuarantine
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.plan_reconciliations import PlanReconciliations
from billing.services.post_usage import PostUsage
from billing.services.reconcile_usage import ReconcileUsage
from billing.services.settle_reservations import SettleReservations
from billing.services.sweep_parts import SweepParts
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
        queue=SqsUsageQueue(
            os.environ["USAGE_QUEUE_URL"], boto3.client("sqs"), Logger().get_correlation_id
        ),
        parts=DynamoDBUsageParts(table),
        costs=DynamoDBCarrierCosts(table),
        clock=clock,
        providers=PROVIDERS,
    )


def public_url() -> str:
    """Scheme and host as providers call them: signatures cover it."""
    return os.environ["PUBLIC_URL"]


@cache
def sweep_parts() -> SweepParts:
    table = Table(os.environ["TABLE_NAME"])
    return SweepParts(
        parts=DynamoDBUsageParts(table),
        book=DynamoDBBook(table),
        quarantine=DynamoDBQuarantine(table),
        queue=SqsUsageQueue(os.environ["USAGE_QUEUE_URL"], boto3.client("sqs")),
        clock=clock_from(os.environ),
    )


@cache
def age_quarantine() -> AgeQuarantine:
    table = Table(os.environ["TABLE_NAME"])
    return AgeQuarantine(DynamoDBQuarantine(table), DynamoDBBook(table), clock_from(os.environ))


@cache
def metrics() -> Metrics:
    found = Metrics()
    found.set_default_dimensions(stage=os.environ["STAGE"])
    return found


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
        change_account=ChangeAccount(book, clock, on_written=EntryLog(Logger())),
        settle_reservations=SettleReservations(
            book, clock, ChangeHolds(DynamoDBReservations(table))
        ),
    )


@cache
def reconcile_usage() -> ReconcileUsage:
    table = Table(os.environ["TABLE_NAME"])
    clock = clock_from(os.environ)
    rest = JsonRest(os.environ["TWILIO_API_URL"])
    return ReconcileUsage(
        connections=_connections(table),
        providers={twilio_rest.PROVIDER: twilio_rest.TwilioRecords(rest)},
        book=DynamoDBBook(table),
        quarantine=DynamoDBQuarantine(table),
        queue=SqsUsageQueue(os.environ["USAGE_QUEUE_URL"], boto3.client("sqs")),
        clock=clock,
        replay=os.environ["REPLAY_MISSING"] == "true",
    )


@cache
def plan_reconciliations() -> PlanReconciliations:
    return PlanReconciliations(
        connections=_connections(Table(os.environ["TABLE_NAME"])),
        providers={twilio_rest.PROVIDER},
        queue=reconciliation_queue(),
        clock=clock_from(os.environ),
    )


@cache
def reconciliation_queue() -> SqsReconciliationQueue:
    return SqsReconciliationQueue(os.environ["RECONCILE_QUEUE_URL"], boto3.client("sqs"))


def _connections(table: Table) -> DynamoDBConnections:
    key_id = os.environ["CONNECTIONS_KEY_ID"]
    return DynamoDBConnections(table, key_id, boto3.client("kms"), clock_from(os.environ))
