"""What carriers bill for calls: in the table, beside the call's own record."""

import json
from collections.abc import Iterable

from pynamodb.attributes import UnicodeAttribute

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.items import RecordItem
from billing.adapters.dynamodb.store_items import is_new
from billing.adapters.dynamodb.table import Table
from billing.domain.callbacks import CarrierRated
from billing.domain.canonical import canonical_json, digest
from billing.domain.errors import ConflictError
from billing.domain.usage import CallKey


class CostItem(RecordItem):
    """A carrier's rated record, and what makes it later than another of the same call."""

    order = UnicodeAttribute()


class DynamoDBCarrierCosts:
    """Implements ``CarrierCosts``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def keep(self, tenant_id: str, rated: CarrierRated) -> None:
        body = rated.to_json()
        # Two records of one instant are put in some order, the same on every arrival.
        order = f"{keys.instant(rated.at)}#{digest(body)}"
        key = keys.call_cost(tenant_id, rated.key)
        item = CostItem(*key, body=canonical_json(body), order=order)
        is_later = CostItem.order < order
        try:
            self._table.put(item, is_new() | is_later)
        except ConflictError:
            return  # This one, or a later one, is kept.

    def of_calls(self, tenant_id: str, keys_: Iterable[CallKey]) -> dict[CallKey, CarrierRated]:
        wanted = (keys.call_cost(tenant_id, key) for key in keys_)
        found = (items.read(CostItem, raw) for raw in self._table.get_many(wanted))
        rated = (CarrierRated.from_json(json.loads(item.body)) for item in found)
        return {one.key: one for one in rated}
