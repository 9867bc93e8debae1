"""Provider connections in the table, their secrets encrypted under the operator's own key."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.store_items import (
    StoreItem,
    is_at_version,
    query,
    read,
    write_together,
)
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.ports import Clock, Connection

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

SECRETS_KEPT_SECONDS = 60
"""How long decrypted secrets stay in memory, so that not every webhook asks the key service."""

MAX_SECRETS_BYTES = 4096
"""What the key service encrypts at once (KMS quota, 2026)."""


class DynamoDBConnections:
    """Connections in the one table.

    The item is read at every call, so that a replaced secret counts at once; what is kept in memory
    is only what its ciphertext says. A copy without secrets stands in the operator's listing.
    """

    def __init__(self, table: Table, key_id: str, kms: "KMSClient", clock: Clock) -> None:
        self._table = table
        self._key_id = key_id
        self._kms = kms
        self._clock = clock
        self._decrypted: dict[str, tuple[datetime, bytes, tuple[str, ...]]] = {}

    def get(self, connection_id: str) -> Connection:
        item = read(self._table, keys.connection(connection_id))
        if item is None:
            self._decrypted.pop(connection_id, None)
            raise NotFoundError(f"there is no connection {connection_id!r}")
        return _connection(connection_id, item, self._decrypt(connection_id, item.secrets))

    def all(self) -> list[Connection]:
        listed = StoreItem.sk.startswith(keys.CONNECTION_PREFIX)
        listing = query(self._table, keys.CATALOG, listed)
        return [_connection(keys.connection_listed(item.sk), item, ()) for item in listing]

    def save(self, connection: Connection, seen_version: int) -> None:
        assert connection.version == seen_version + 1, "a save is the next version"
        connection_id = connection.connection_id
        version, document = connection.version, _document(connection)
        item = StoreItem(
            *keys.connection(connection_id),
            version=version,
            document=document,
            secrets=self._encrypt(connection_id, connection.secrets),
        )
        listed = StoreItem(
            *keys.connection_listing(connection_id), version=version, document=document
        )
        write_together(self._table, [(item, is_at_version(seen_version)), (listed, None)])

    def delete(self, connection_id: str) -> None:
        listing = keys.connection_listing(connection_id)
        write_together(self._table, [], [keys.connection(connection_id), listing])
        self._decrypted.pop(connection_id, None)

    def _encrypt(self, connection_id: str, secrets: tuple[str, ...]) -> bytes:
        plaintext = canonical_json(secrets).encode()
        if len(plaintext) > MAX_SECRETS_BYTES:
            raise InvalidInputError(
                f"the secrets are at most {MAX_SECRETS_BYTES} bytes together", field="secrets"
            )
        answer = self._kms.encrypt(
            KeyId=self._key_id,
            Plaintext=plaintext,
            EncryptionContext={"connection": connection_id},
        )
        return answer["CiphertextBlob"]

    def _decrypt(self, connection_id: str, ciphertext: bytes) -> tuple[str, ...]:
        now = self._clock.now()
        read_at, known, secrets = self._decrypted.get(connection_id, (now, b"", ()))
        # A clock that was set back makes what is kept look as if it came from the future.
        fresh = timedelta(0) <= now - read_at < timedelta(seconds=SECRETS_KEPT_SECONDS)
        if known == ciphertext and fresh:
            return secrets
        answer = self._kms.decrypt(
            KeyId=self._key_id,
            CiphertextBlob=ciphertext,
            EncryptionContext={"connection": connection_id},
        )
        secrets = tuple(map(str, json.loads(answer["Plaintext"])))
        self._decrypted[connection_id] = (now, ciphertext, secrets)
        return secrets


def _document(connection: Connection) -> str:
    document: dict[str, Json] = {
        "provider": connection.provider,
        "account": _ref_json(connection.account),
        "accounts": {name: _ref_json(ref) for name, ref in connection.accounts.items()},
        "updated_at": connection.updated_at.isoformat(),
    }
    return canonical_json(document)


def _connection(connection_id: str, item: StoreItem, secrets: tuple[str, ...]) -> Connection:
    document = json.loads(item.document)
    account = document["account"]
    return Connection(
        connection_id=connection_id,
        provider=document["provider"],
        secrets=secrets,
        account=AccountRef(*account) if account else None,
        accounts={name: AccountRef(*ref) for name, ref in document["accounts"].items()},
        version=int(item.version),
        updated_at=datetime.fromisoformat(document["updated_at"]),
    )


def _ref_json(ref: AccountRef | None) -> Json:
    return [ref.tenant_id, ref.account_id] if ref else None
