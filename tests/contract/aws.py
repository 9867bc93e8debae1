"""What the operator's stores need of AWS, made afresh for a test: in moto or in the local cloud."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from billing.adapters.dynamodb.keys import DUE_INDEX
from billing.adapters.dynamodb.table import Table
from local.cloud import REGION, LocalCloud

EVERYWHERE = ["memory", "moto", pytest.param("cloud", marks=pytest.mark.cloud)]
"""Where a contract holds: in the fake, in moto, and in the local cloud."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Aws:
    """Makes resources under names that no other test uses."""

    # Any: the client's type depends on the service named.
    client: Callable[[str], Any]

    def table(self, *key_names: str, index: str | None = None) -> str:
        name = _fresh("talktime")
        index_names = ("due_pk", "due_at") if index else ()
        indexes = [
            {
                "IndexName": index,
                "KeySchema": _key_schema(index_names),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ]
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key_name, "AttributeType": "S"}
                for key_name in (*key_names, *index_names)
            ],
            KeySchema=_key_schema(key_names),
            **({"GlobalSecondaryIndexes": indexes} if index else {}),
        )
        return name

    def main_table(self) -> Table:
        name = self.table("pk", "sk", index=DUE_INDEX)
        return Table(name)

    def sandbox_table(self) -> str:
        return self.table("pk")

    def bucket(self) -> str:
        name = _fresh("decks")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def key_id(self) -> str:
        return str(self.client("kms").create_key()["KeyMetadata"]["KeyId"])

    def queue_url(self) -> str:
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "false"}
        created = self.client("sqs").create_queue(
            QueueName=f"{_fresh('queue')}.fifo", Attributes=attributes
        )
        return str(created["QueueUrl"])


def _key_schema(names: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": key_type}
        for name, key_type in zip(names, ("HASH", "RANGE"), strict=False)
    ]


@contextmanager
def moto() -> Iterator[Aws]:
    """AWS in this process. One thread at a time: moto loses updates otherwise."""
    with _credentials(), mock_aws():
        yield Aws(lambda service: boto3.client(service, region_name=REGION))  # type: ignore[call-overload]


@contextmanager
def in_cloud(cloud: LocalCloud) -> Iterator[Aws]:
    with _credentials(AWS_ENDPOINT_URL=cloud.endpoint):
        yield Aws(cloud.client)


@contextmanager
def opened(request: pytest.FixtureRequest) -> Iterator[Aws]:
    """Where a fixture's parameter says: moto, or the session's local cloud."""
    with in_cloud(request.getfixturevalue("cloud")) if request.param == "cloud" else moto() as aws:
        yield aws


@contextmanager
def _credentials(**more: str) -> Iterator[None]:
    """What stores find when they build a client of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for name, value in {**CREDENTIALS, **more}.items():
            patch.setenv(name, value)
        yield


def _fresh(kind: str) -> str:
    return f"{kind}-{uuid4().hex[:12]}"
