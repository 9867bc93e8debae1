"""What a book is tested on: memory, our own wire, moto, and the local cloud, alike."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.audit import DynamoDBAudit
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.directory import DynamoDBDirectory
from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.adapters.dynamodb.members import DynamoDBMembers
from billing.adapters.dynamodb.quotes import DynamoDBQuotes
from billing.adapters.dynamodb.table import Table
from billing.adapters.dynamodb.timers import DynamoDBTimers
from billing.domain.account import Account
from billing.domain.change import Change
from billing.ports import AuditTrail, Book, Directory, Members, Quotes, Reservations, Timers
from fakes.audit import InMemoryAudit
from fakes.book import InMemoryBook
from fakes.quotes import InMemoryQuotes
from fakes.reservations import InMemoryReservations
from wire.aws import WiredAws, wired

REGION = "us-east-1"
CLOUD = pytest.param("cloud", marks=pytest.mark.cloud)
AWS = [pytest.param("aws", marks=pytest.mark.aws)] if "TALKTIME_TEST_AWS" in os.environ else []
"""A real account, where somebody says so: `make test-aws`."""

BEDS = ["memory", "wire", "moto", CLOUD, *AWS]
BEDS_FOR_THREADS = ["memory", CLOUD, *AWS]
"""moto loses updates and crashes under threads."""


@dataclass(frozen=True)
class Bed:
    """One empty book.

    Args:
        contents: Everything that is stored, comparable: what is equal before and after was not
            written to.
        table_name: Where it is kept; empty in memory.
    """

    book: Book
    directory: Directory
    timers: Timers
    members: Members
    audit: AuditTrail
    reservations: Reservations
    quotes: Quotes
    contents: Callable[[], Any]
    table_name: str = ""

    def commit(self, change: Change) -> Account:
        """Commit it, and read the account back."""
        self.book.commit(change)
        return self.book.account(change.after.ref)


def in_memory() -> Bed:
    reservations = InMemoryReservations()
    book = InMemoryBook(reservations)

    def contents() -> dict[str, object]:
        parts = {**vars(book), **vars(book.members)}
        return {name: _copy(part) for name, part in parts.items()}

    return Bed(
        book,
        book,
        book,
        book.members,
        InMemoryAudit(book),
        reservations,
        InMemoryQuotes(book),
        contents,
    )


@contextmanager
def in_moto() -> Iterator[Bed]:
    with pytest.MonkeyPatch.context() as patch:
        _log_in(patch)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            yield in_dynamodb()


@contextmanager
def in_wire() -> Iterator[Bed]:
    """Behind botocore in this process, where every call can be made to fail: tests/wire."""
    with wired(WiredAws()):
        yield in_dynamodb()


@contextmanager
def in_cloud(endpoint: str) -> Iterator[Bed]:
    with pytest.MonkeyPatch.context() as patch:
        _log_in(patch)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield in_dynamodb()


@contextmanager
def in_aws() -> Iterator[Bed]:
    """A table in the account that the environment is logged in to, dropped afterwards."""
    bed = in_dynamodb()
    client = boto3.client("dynamodb")
    client.get_waiter("table_exists").wait(TableName=bed.table_name)
    try:
        yield bed
    finally:
        client.delete_table(TableName=bed.table_name)


def in_dynamodb() -> Bed:
    """A fresh table wherever the environment points."""
    client = boto3.client("dynamodb")
    name = f"talktime-{uuid4().hex[:12]}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("pk", "sk", "due_pk", "due_at")
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": keys.DUE_INDEX,
                "KeySchema": [
                    {"AttributeName": "due_pk", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    table = Table(name)

    def contents() -> list[Any]:
        found = client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        stored = [item for page in found for item in page["Items"]]
        return sorted(stored, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    return Bed(
        DynamoDBBook(table),
        DynamoDBDirectory(table),
        DynamoDBTimers(table),
        DynamoDBMembers(table),
        DynamoDBAudit(table),
        DynamoDBReservations(table),
        DynamoDBQuotes(table),
        contents,
        name,
    )


def _log_in(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_DEFAULT_REGION", REGION)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.delenv("AWS_PROFILE", raising=False)


def _copy(part: object) -> object:
    if not isinstance(part, dict):
        return None
    return {key: list(value) if isinstance(value, list) else value for key, value in part.items()}
