"""Writes over what nothing else may change, each item only if it still is what was read."""

from collections.abc import Sequence

from pynamodb.exceptions import TransactWriteError

from billing.adapters.dynamodb import codec, items, keys
from billing.adapters.dynamodb.items import Item, PackedItem, RecordItem
from billing.adapters.dynamodb.table import Table
from billing.domain.canonical import canonical_json
from billing.domain.errors import ConflictError
from billing.domain.members import Member
from billing.domain.records import AuditRecord, Operation
from billing.domain.usage import Call


class DynamoDBErasure:
    """Implements ``Erasure``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def member(self, seen: Member, erased: Member) -> None:
        self._replace(_member_item(seen), _member_item(erased))

    def audit(self, seen: AuditRecord, erased: AuditRecord) -> None:
        self._replace(items.record_item(seen), items.record_item(erased))

    def operation(self, seen: Operation, erased: Operation) -> None:
        self._replace(items.operation_item(seen), items.operation_item(erased))

    def calls(self, pairs: Sequence[tuple[Call, Call]]) -> None:
        """Of one ledger entry: few enough for one transaction."""
        updates = []
        for seen, erased in pairs:
            before, after = _call_item(seen), _call_item(erased)
            # An update, since a call's own item also says which revision of it stands.
            is_as_seen = PackedItem.packed == before.packed
            updates.append(
                (keys.Key(after.pk, after.sk), PackedItem.packed.set(after.packed), is_as_seen)
            )
        try:
            self._table.transact([], [], updates)
        except TransactWriteError as error:
            raise ConflictError("a call was changed since it was read; begin again") from error

    def told(self, record: AuditRecord) -> None:
        self._table.put(items.record_item(record), Item.pk.does_not_exist())

    def _replace(self, seen: RecordItem, erased: RecordItem) -> None:
        self._table.put(erased, RecordItem.body == seen.body)


def _member_item(member: Member) -> RecordItem:
    key = keys.member(member.tenant_id, member.member_id)
    return RecordItem(*key, body=canonical_json(codec.to_json(member)))


def _call_item(call: Call) -> PackedItem:
    return items.call_item(call) if call.corrected is None else items.revision_item(call)
