"""Which tenants and accounts exist. Their lines are written by Changes; here they are read."""

import heapq
from dataclasses import replace
from itertools import islice

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.table import Table
from billing.domain.errors import NotFoundError
from billing.domain.records import AccountListing, Tenant


class DynamoDBDirectory:
    """Implements ``Directory``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def tenant(self, tenant_id: str) -> Tenant:
        raw = self._table.get(keys.tenant(tenant_id))
        if raw is None:
            raise NotFoundError("there is no such tenant")
        return items.record_of(Tenant, raw)

    def tenants(self, after: str | None, limit: int) -> list[Tenant]:
        later = None if after is None else items.Item.sk > after
        shards = (
            self._table.query(keys.directory_shard(number), later, limit=limit)
            for number in range(keys.SHARDS)
        )
        listed = ([keys.directory_tenant(str(raw["sk"]["S"])) for raw in shard] for shard in shards)
        tenant_ids = islice(heapq.merge(*listed), limit)
        found = self._table.get_many(map(keys.tenant, tenant_ids))
        tenants = (items.record_of(Tenant, raw) for raw in found)
        return sorted(tenants, key=lambda tenant: tenant.tenant_id)

    def amend_tenant(self, seen: Tenant, wanted: Tenant) -> Tenant:
        amended = replace(wanted, version=seen.version + 1)
        is_as_seen = items.TenantItem.version == seen.version
        self._table.put(items.tenant_item(amended), is_as_seen)
        return amended

    def accounts(self, tenant_id: str, after: str | None, limit: int) -> list[AccountListing]:
        partition = keys.tenant_partition(tenant_id)
        listings = items.RecordItem.sk.between(*keys.listings_after(after))
        found = self._table.query(partition, listings, limit=limit)
        return [items.record_of(AccountListing, raw) for raw in found]
