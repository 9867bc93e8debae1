"""The real bootstraps, deployed to AWS on our own wire."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from pynamodb.connection import TableConnection

import api.bootstrap
import events.bootstrap
import quota_reset.bootstrap
import recharge.bootstrap
import usage_ingest.bootstrap
from api.wiring import Talktime
from billing.adapters.dynamodb import table as table_module
from billing.adapters.gateways.sandbox import NAME
from billing.adapters.gateways.sandbox_table import sandbox_items
from billing.services import change_account, change_holds

TABLE, SANDBOX = "talktime-faults", "sandbox-faults"
ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "SANDBOX_TABLE_NAME": SANDBOX,
    "STAGE": "test",
    "PUBLIC_URL": "https://billing.example.com",
    "CORS_ORIGINS": "",
    "JWT_ISSUER": "https://issuer.example.com",
    "JWT_AUDIENCE": "talktime",
    "CURSOR_SECRET_ARN": "arn:cursor",
    "STRIPE_KEY_ARN": "arn:stripe",
    "PAYMENT_GATEWAY": NAME,
    "CONNECTIONS_KEY_ID": "key",
    "DECKS_BUCKET": "decks",
    "DOCUMENTS_BUCKET": "documents",
    "EVENT_BUS_NAME": "bus",
    "USAGE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/usage.fifo",
    "RECHARGE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/recharge.fifo",
    "ROLL_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/roll.fifo",
    "POWERTOOLS_METRICS_NAMESPACE": "Talktime",
    "POWERTOOLS_SERVICE_NAME": "faults",
}

BOOTSTRAPS: tuple[ModuleType, ...] = (
    api.bootstrap,
    events.bootstrap,
    quota_reset.bootstrap,
    recharge.bootstrap,
    usage_ingest.bootstrap,
)


def cold_start() -> Talktime:
    """As in a new process: nothing is remembered from the invocation before."""
    _forget_services()
    return api.bootstrap.talktime()


def forget() -> None:
    """Let go of the clients that were made as well."""
    sandbox_items.cache_clear()
    _forget_services()


def _forget_services() -> None:
    for bootstrap in BOOTSTRAPS:
        for made in vars(bootstrap).values():
            if hasattr(made, "cache_clear"):
                made.cache_clear()


@contextmanager
def deployed(now: Callable[[], datetime]) -> Iterator[None]:
    """The real bootstraps before our own AWS. Clients are made once; everything else afresh for
    every invocation."""
    clients: dict[str, Any] = {}
    connections: dict[str, Any] = {}
    make_client: Any = boto3.client

    def client(service: str, **options: Any) -> Any:
        if service not in clients:
            clients[service] = make_client(service, **options)
        return clients[service]

    def connection(name: str, **options: Any) -> Any:
        if name not in connections:
            connections[name] = TableConnection(name, **options)
        return connections[name]

    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "client", client)
        patch.setattr(table_module, "TableConnection", connection)
        for bootstrap in BOOTSTRAPS:
            patch.setattr(bootstrap, "clock_from", lambda _: SimpleNamespace(now=now))
        for module in (change_account, change_holds):
            patch.setattr(module, "wait_seconds", lambda _: 0)
        patch.setattr(api.bootstrap, "_print", functools.cache(api.bootstrap._print))
        logging.disable(logging.CRITICAL)
        forget()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
            forget()
