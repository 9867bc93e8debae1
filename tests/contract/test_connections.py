"""What every store of provider connections keeps to, and how the real one guards secrets."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.dynamodb.connections import (
    MAX_SECRETS_BYTES,
    SECRETS_KEPT_SECONDS,
    DynamoDBConnections,
)
from billing.domain.account import AccountRef
from billing.domain.errors import ConflictError, InvalidInputError, NotFoundError
from billing.ports import Connection, Connections
from contract.aws import EVERYWHERE, NOON, Aws, moto, opened
from fakes.stores import InMemoryConnections
from fakes.world import FixedClock

ACME = AccountRef("acme", "main")
GLOBEX = AccountRef("globex", "main")


def connection(connection_id: str, version: int = 1, *secrets: str) -> Connection:
    return Connection(
        connection_id=connection_id,
        provider="twilio",
        secrets=secrets or ("old secret", "new secret"),
        account=None,
        accounts={"AC#1%": ACME, "AC2": GLOBEX},
        version=version,
        updated_at=NOON,
    )


class CountingKms:
    """The key service, counting what it is asked."""

    # Any: boto3's client is made at run time.
    def __init__(self, kms: Any) -> None:
        self._kms = kms
        self.encrypted = self.decrypted = 0

    def encrypt(self, **asked: Any) -> Any:
        self.encrypted += 1
        return self._kms.encrypt(**asked)

    def decrypt(self, **asked: Any) -> Any:
        self.decrypted += 1
        return self._kms.decrypt(**asked)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def aws() -> Iterator[Aws]:
    with moto() as found:
        yield found


@pytest.fixture
def kms(aws: Aws) -> Any:
    return CountingKms(aws.client("kms"))


@pytest.fixture(params=EVERYWHERE)
def connections(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[Connections]:
    if request.param == "memory":
        yield InMemoryConnections()
        return
    with opened(request) as found:
        table, key_id = found.main_table(), found.key_id()
        yield DynamoDBConnections(table, key_id, found.client("kms"), clock)


def test_there_is_no_connection_that_was_never_saved(connections: Connections) -> None:
    with pytest.raises(NotFoundError):
        connections.get("twilio-1")
    assert connections.all() == []


def test_a_connection_comes_back_whole(connections: Connections) -> None:
    saved = replace(connection("twilio-1"), account=ACME)
    connections.save(saved, 0)
    assert connections.get("twilio-1") == saved


def test_a_list_goes_by_id_and_shows_no_secret(connections: Connections) -> None:
    for connection_id in ("twilio-2", "telnyx", "twilio-1"):
        connections.save(connection(connection_id), 0)
    listed = connections.all()
    assert [found.connection_id for found in listed] == ["telnyx", "twilio-1", "twilio-2"]
    assert [found.secrets for found in listed] == [(), (), ()]
    assert listed[0] == replace(connection("telnyx"), secrets=())


def test_a_replaced_secret_counts_at_once(connections: Connections) -> None:
    connections.save(connection("twilio-1", 1, "old"), 0)
    assert connections.get("twilio-1").secrets == ("old",)
    connections.save(connection("twilio-1", 2, "old", "new"), 1)
    assert connections.get("twilio-1").secrets == ("old", "new")


@pytest.mark.parametrize(
    "seen_version",
    [
        pytest.param(0, id="seen before the first"),
        pytest.param(1, id="one version behind"),
        pytest.param(7, id="a version that never was"),
    ],
)
def test_a_save_over_another_version_is_refused_and_changes_nothing(
    connections: Connections, seen_version: int
) -> None:
    connections.save(connection("twilio-1", 1), 0)
    connections.save(connection("twilio-1", 2, "kept"), 1)
    with pytest.raises(ConflictError):
        connections.save(connection("twilio-1", seen_version + 1, "lost"), seen_version)
    assert connections.get("twilio-1") == connection("twilio-1", 2, "kept")
    assert [found.version for found in connections.all()] == [2]


def test_what_was_never_saved_cannot_be_changed(connections: Connections) -> None:
    with pytest.raises(ConflictError):
        connections.save(connection("twilio-1", 4), 3)
    assert connections.all() == []


def test_a_deleted_connection_is_gone_and_may_be_made_anew(connections: Connections) -> None:
    connections.save(connection("twilio-1"), 0)
    connections.delete("twilio-1")
    connections.delete("twilio-1")
    with pytest.raises(NotFoundError):
        connections.get("twilio-1")
    assert connections.all() == []
    connections.save(connection("twilio-1"), 0)
    assert connections.get("twilio-1") == connection("twilio-1")


def test_no_secret_stands_in_the_table(aws: Aws, kms: Any, clock: FixedClock) -> None:
    table = aws.main_table()
    connections = DynamoDBConnections(table, aws.key_id(), kms, clock)
    connections.save(connection("twilio-1", 1, "canary-4711"), 0)
    items = aws.client("dynamodb").scan(TableName=table.name)["Items"]
    assert len(items) == 2
    assert b"canary-4711" not in b"".join(
        item["secrets"]["B"] for item in items if "secrets" in item
    )
    assert "canary-4711" not in str(items)


def test_a_secret_is_bound_to_its_connection(aws: Aws, kms: Any, clock: FixedClock) -> None:
    table = aws.main_table()
    connections = DynamoDBConnections(table, aws.key_id(), kms, clock)
    connections.save(connection("globex-line", 1, "globex"), 0)
    connections.save(connection("acme-line", 1, "acme"), 0)
    dynamodb = aws.client("dynamodb")
    theirs = {"pk": {"S": "CONN#globex-line"}, "sk": {"S": "CONNECTION"}}
    stolen = dynamodb.get_item(TableName=table.name, Key=theirs)["Item"]
    dynamodb.put_item(TableName=table.name, Item={**stolen, "pk": {"S": "CONN#acme-line"}})
    with pytest.raises(aws.client("kms").exceptions.InvalidCiphertextException):
        connections.get("acme-line")


def test_secrets_are_decrypted_once_a_cache_lifetime(aws: Aws, kms: Any, clock: FixedClock) -> None:
    connections = DynamoDBConnections(aws.main_table(), aws.key_id(), kms, clock)
    connections.save(connection("twilio-1"), 0)
    for _ in range(3):
        connections.get("twilio-1")
    assert kms.decrypted == 1
    clock.advance(timedelta(seconds=SECRETS_KEPT_SECONDS))
    connections.get("twilio-1")
    assert kms.decrypted == 2


def test_listing_decrypts_nothing(aws: Aws, kms: Any, clock: FixedClock) -> None:
    connections = DynamoDBConnections(aws.main_table(), aws.key_id(), kms, clock)
    connections.save(connection("twilio-1"), 0)
    connections.all()
    assert kms.decrypted == 0


def test_another_workers_deletion_counts_at_once(aws: Aws, kms: Any, clock: FixedClock) -> None:
    table, key_id = aws.main_table(), aws.key_id()
    ours = DynamoDBConnections(table, key_id, kms, clock)
    ours.save(connection("twilio-1"), 0)
    ours.get("twilio-1")
    DynamoDBConnections(table, key_id, kms, clock).delete("twilio-1")
    with pytest.raises(NotFoundError):
        ours.get("twilio-1")


def test_more_secrets_than_the_key_service_takes_are_refused_as_input(
    aws: Aws, kms: Any, clock: FixedClock
) -> None:
    connections = DynamoDBConnections(aws.main_table(), aws.key_id(), kms, clock)
    with pytest.raises(InvalidInputError):
        connections.save(connection("twilio-1", 1, "x" * MAX_SECRETS_BYTES), 0)
    assert kms.encrypted == 0
