"""Composition root: the only module here that reads the environment or builds a client."""

import os
from functools import cache

from aws_lambda_powertools import Metrics

from billing.adapters.clock import clock_from
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.directory import DynamoDBDirectory
from billing.adapters.dynamodb.table import Table
from billing.ports import Clock
from billing.services.prove_ledger import ProveLedger
from billing.services.prove_ledgers import ProveLedgers


@cache
def prove_ledgers() -> ProveLedgers:
    table = Table(os.environ["TABLE_NAME"])
    return ProveLedgers(DynamoDBDirectory(table), ProveLedger(DynamoDBBook(table)), clock())


@cache
def clock() -> Clock:
    return clock_from(os.environ)


@cache
def metrics() -> Metrics:
    found = Metrics()
    found.set_default_dimensions(stage=os.environ["STAGE"])
    return found
