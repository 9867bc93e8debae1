"""Parts of calls in the table, beside the call's own record until the call is whole."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.items import Raw, RecordItem
from billing.adapters.dynamodb.store_items import is_new
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json, digest
from billing.domain.errors import ConflictError
from billing.domain.usage_parts import UsagePart
from billing.ports import KeptPart, PartialCall

NOBODY = ""
"""Stands for the tenant of a call that is mapped to none: no tenant has this id."""

DIGEST_CHARACTERS = 32


class PartItem(RecordItem):
    """One part. While it waits it stands in the index of what is due."""

    due_pk = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    expires_at = NumberAttribute()


class DynamoDBUsageParts:
    """Implements ``UsageParts``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, kept: KeptPart) -> None:
        try:
            self._table.put(_item(kept), is_new())
        except ConflictError:
            # Kept before, and durable; a settled part must not become due by a repetition.
            return

    def of_call(self, call: PartialCall) -> list[KeptPart]:
        pk = keys.call(call.tenant_id or NOBODY, call.key).pk
        parts = PartItem.sk.startswith(keys.PART_PREFIX)
        return [_kept(raw) for raw in self._table.query(pk, parts, consistent=True)]

    def settle(self, kept: Iterable[KeptPart]) -> None:
        for each in kept:
            item = _item(each)
            item.due_pk = item.due_at = None
            try:
                self._table.put(item, PartItem.pk.exists())
            except ConflictError:
                continue  # It expired meanwhile, and must not come back.

    def due(self, now: datetime) -> Iterator[PartialCall]:
        by_now = PartItem.due_at <= keys.instant(now)
        for number in range(keys.SHARDS):
            # All parts of a call are in one shard: it is named once, whatever is due of it.
            seen: set[str] = set()
            shard = keys.part_due_shard(number)
            for raw in self._table.query(shard, by_now, index=keys.DUE_INDEX):
                pk = str(raw["pk"]["S"])
                if pk not in seen:
                    seen.add(pk)
                    yield PartialCall(keys.call_tenant(pk) or None, keys.call_key(pk))


def _item(kept: KeptPart) -> PartItem:
    ref = kept.account
    part = kept.part.to_json()
    account: Json = [ref.tenant_id, ref.account_id] if ref else None
    key = keys.call_part(
        ref.tenant_id if ref else NOBODY,
        kept.part.key,
        kept.part.kind,
        digest(part)[:DIGEST_CHARACTERS],
    )
    return PartItem(
        *key,
        body=canonical_json({"part": part, "account": account}),
        due_pk=keys.part_due_pk(key.pk) if kept.due_at else None,
        due_at=keys.instant(kept.due_at) if kept.due_at else None,
        expires_at=int(kept.expires_at.timestamp()),
    )


def _kept(raw: Raw) -> KeptPart:
    item = items.read(PartItem, raw)
    body = json.loads(item.body)
    return KeptPart(
        part=UsagePart.from_json(body["part"]),
        account=AccountRef(*body["account"]) if body["account"] else None,
        due_at=keys.parse_instant(item.due_at) if item.due_at else None,
        expires_at=datetime.fromtimestamp(int(item.expires_at), UTC),
    )
