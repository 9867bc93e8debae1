"""Webhook endpoints and deliveries in the table, the endpoints' secrets encrypted."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from billing.adapters.dynamodb import codec, items, keys
from billing.adapters.dynamodb.items import Raw
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.store_items import (
    StoreItem,
    is_at_version,
    is_new,
    read,
    write_together,
)
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import canonical_json
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.records import AuditRecord
from billing.domain.webhook_deliveries import Delivery, DeliveryState
from billing.domain.webhook_endpoints import WebhookEndpoints
from billing.ports.webhooks import Secrets

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

PAGE = 100
"""Deliveries fetched at once where those of one state are looked for among all."""


class DynamoDBEndpoints:
    """EndpointStore in the one table: an item for each account.

    Secrets are bound to their account by the encryption's context: under another account's key they
    cannot be decrypted.
    """

    def __init__(self, table: Table, key_id: str, kms: "KMSClient") -> None:
        self._table = table
        self._key_id = key_id
        self._kms = kms

    def get(self, ref: AccountRef) -> WebhookEndpoints:
        item = read(self._table, keys.webhook_endpoints(ref))
        if item is None:
            return WebhookEndpoints(ref)
        return codec.from_json(WebhookEndpoints, json.loads(item.document))

    def secrets(self, ref: AccountRef) -> Secrets:
        item = read(self._table, keys.webhook_endpoints(ref))
        if item is None:
            return {}
        answer = self._kms.decrypt(
            KeyId=self._key_id, CiphertextBlob=item.secrets, EncryptionContext=_context(ref)
        )
        found = json.loads(answer["Plaintext"])
        return {str(name): tuple(map(str, secrets)) for name, secrets in found.items()}

    def save(self, settings: WebhookEndpoints, secrets: Secrets, audit: AuditRecord) -> None:
        answer = self._kms.encrypt(
            KeyId=self._key_id,
            Plaintext=canonical_json(secrets).encode(),
            EncryptionContext=_context(settings.account),
        )
        item = _endpoints_item(settings, answer["CiphertextBlob"])
        write_together(
            self._table,
            [
                (item, is_at_version(settings.version - 1)),
                (items.record_item(audit), is_new()),
            ],
        )

    def save_without_secrets(self, settings: WebhookEndpoints) -> None:
        item = read(self._table, keys.webhook_endpoints(settings.account))
        if item is None:
            raise ConflictError("there are no endpoints to change")
        changed = _endpoints_item(settings, item.secrets)
        self._table.put(changed, is_at_version(settings.version - 1))


def _endpoints_item(settings: WebhookEndpoints, secrets: bytes) -> StoreItem:
    return StoreItem(
        *keys.webhook_endpoints(settings.account),
        version=settings.version,
        document=canonical_json(codec.to_json(settings)),
        secrets=secrets,
    )


def _context(ref: AccountRef) -> dict[str, str]:
    return {"webhooks": str(ref)}


class DeliveryItem(StoreItem):
    """A delivery. While it is pending it stands in the index of what is due."""

    due_pk = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    expires_at = NumberAttribute()


class DynamoDBDeliveries:
    """Deliveries in the one table; ids sort by the events' time."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, delivery: Delivery) -> None:
        try:
            self._table.put(_item(delivery), is_new())
        except ConflictError:
            # Known already: what the queue delivers once more changes nothing.
            return

    def get(self, ref: AccountRef, delivery_id: str) -> Delivery:
        item = read(self._table, keys.webhook_delivery(ref, delivery_id))
        if item is None:
            raise NotFoundError(f"there is no delivery {delivery_id!r}")
        return _delivery(item)

    def save(self, delivery: Delivery) -> None:
        self._table.put(_item(delivery), is_at_version(delivery.version - 1))

    def listed(
        self, ref: AccountRef, before: str | None, state: DeliveryState | None, limit: int
    ) -> list[Delivery]:
        later = keys.WEBHOOK_DELIVERY_PREFIX
        condition = (
            StoreItem.sk.startswith(later)
            if before is None
            else StoreItem.sk.between(later, keys.webhook_delivery(ref, before).sk)
        )
        found: list[Delivery] = []
        for raw in self._table.query(
            keys.webhooks(ref), condition, consistent=True, forward=False, page=PAGE
        ):
            delivery = _delivery(items.read(StoreItem, raw))
            if delivery.delivery_id != before and state in (None, delivery.state):
                found.append(delivery)
            if len(found) == limit:
                break
        return found

    def due(self, now: datetime) -> Iterator[tuple[AccountRef, str]]:
        by_now = DeliveryItem.due_at <= keys.instant(now)
        for number in range(keys.SHARDS):
            shard = keys.delivery_due_shard(number)
            for raw in self._table.query(shard, by_now, index=keys.DUE_INDEX):
                yield keys.delivered(_key(raw))


def _item(delivery: Delivery) -> DeliveryItem:
    due_at = delivery.due_at
    return DeliveryItem(
        *keys.webhook_delivery(delivery.account, delivery.delivery_id),
        version=delivery.version,
        document=canonical_json(codec.to_json(delivery)),
        due_pk=keys.delivery_due_pk(delivery.delivery_id) if due_at else None,
        due_at=keys.instant(due_at) if due_at else None,
        expires_at=int(delivery.expires_at.timestamp()),
    )


def _delivery(item: StoreItem) -> Delivery:
    return codec.from_json(Delivery, json.loads(item.document))


def _key(raw: Raw) -> Key:
    return Key(raw["pk"]["S"], raw["sk"]["S"])
