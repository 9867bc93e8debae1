"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

import boto3
from aws_lambda_powertools import Logger, Metrics

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.catalogs import DynamoDBCatalogs
from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.timers import DynamoDBTimers
from billing.adapters.entry_log import EntryLog
from billing.adapters.gateways import registry, sandbox, stripe
from billing.adapters.queues import SqsWorkQueue
from billing.adapters.secrets import ChangingSecret, gateway_key
from billing.ports import Gateway
from billing.services.begin_source import BeginSource
from billing.services.change_account import ChangeAccount
from billing.services.collect_invoices import CollectInvoices
from billing.services.collect_recharge import CollectRecharge
from billing.services.confirm_source import ConfirmSource
from billing.services.notice_sources import NoticeSources
from billing.services.reconcile_payments import ReconcilePayments
from billing.services.refund_payment import RefundPayment
from billing.services.renew_numbers import RenewNumbers
from billing.services.spends import all_spends
from billing.services.sweep_timers import SweepTimers
from billing.services.take_gateway_event import TakeGatewayEvent
from billing.services.take_gateway_webhook import TakeGatewayWebhook


@cache
def sweep_timers() -> SweepTimers:
    return SweepTimers(
        timers=DynamoDBTimers(Table(os.environ["TABLE_NAME"])),
        queue=_recharge_queue(),
        clock=clock_from(os.environ),
    )


@cache
def reconcile_payments() -> ReconcilePayments:
    return ReconcilePayments(
        timers=DynamoDBTimers(Table(os.environ["TABLE_NAME"])),
        queue=_recharge_queue(),
        clock=clock_from(os.environ),
    )


@cache
def collect_recharge() -> CollectRecharge:
    return CollectRecharge(
        book=_book(),
        gateways=_gateways(),
        clock=clock_from(os.environ),
        change_account=_change_account(),
        spends=all_spends(_book(), _catalogs()),
    )


@cache
def renew_numbers() -> RenewNumbers:
    return RenewNumbers(
        book=_book(),
        catalogs=_catalogs(),
        reservations=DynamoDBReservations(Table(os.environ["TABLE_NAME"])),
        change_account=_change_account(),
        gateways=_gateways(),
        collect_recharge=collect_recharge(),
    )


@cache
def collect_invoices() -> CollectInvoices:
    return CollectInvoices(
        book=_book(),
        catalogs=_catalogs(),
        gateways=_gateways(),
        change_account=_change_account(),
        collect_recharge=collect_recharge(),
    )


@cache
def refund_payment() -> RefundPayment:
    return RefundPayment(
        book=_book(),
        gateways=_gateways(),
        reservations=DynamoDBReservations(Table(os.environ["TABLE_NAME"])),
        clock=clock_from(os.environ),
        change_account=_change_account(),
    )


@cache
def notice_sources() -> NoticeSources:
    return NoticeSources(_book(), _change_account())


@cache
def take_gateway_webhook() -> TakeGatewayWebhook:
    return TakeGatewayWebhook(
        dialects=registry.WEBHOOKS,
        secrets={
            sandbox.NAME: _changing_secret("SANDBOX_WEBHOOK_SECRET_ARN").values,
            stripe.NAME: _changing_secret("STRIPE_WEBHOOK_SECRET_ARN").values,
        },
        take_gateway_event=_take_gateway_event(),
        clock=clock_from(os.environ),
    )


def _take_gateway_event() -> TakeGatewayEvent:
    return TakeGatewayEvent(
        book=_book(),
        change_account=_change_account(),
        collect_recharge=collect_recharge(),
        refund_payment=refund_payment(),
        confirm_source=ConfirmSource(
            book=_book(),
            gateways=_gateways(),
            change_account=_change_account(),
            begin_source=BeginSource(
                book=_book(),
                gateways=_gateways(),
                clock=clock_from(os.environ),
                change_account=_change_account(),
            ),
        ),
        queue=_recharge_queue(),
    )


def public_url() -> str:
    """Scheme and host as payment gateways call them."""
    return os.environ["PUBLIC_URL"]


@cache
def metrics() -> Metrics:
    found = Metrics()
    found.set_default_dimensions(stage=os.environ["STAGE"])
    return found


@cache
def _book() -> DynamoDBBook:
    return DynamoDBBook(Table(os.environ["TABLE_NAME"]))


@cache
def _catalogs() -> DynamoDBCatalogs:
    return DynamoDBCatalogs(Table(os.environ["TABLE_NAME"]))


@cache
def _change_account() -> ChangeAccount:
    return ChangeAccount(_book(), clock_from(os.environ), on_written=EntryLog(Logger()))


@cache
def _gateways() -> dict[str, Gateway]:
    return registry.gateways(
        in_use=os.environ["PAYMENT_GATEWAY"],
        sandbox_table=os.environ["SANDBOX_TABLE_NAME"],
        stripe_key=gateway_key(_changing_secret("STRIPE_KEY_ARN")),
        clock=clock_from(os.environ),
    )


def _changing_secret(variable: str) -> ChangingSecret:
    return ChangingSecret(os.environ[variable], boto3.client("secretsmanager"))


def _recharge_queue() -> SqsWorkQueue:
    return SqsWorkQueue(os.environ["RECHARGE_QUEUE_URL"], boto3.client("sqs"))
