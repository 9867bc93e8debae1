"""The quarantine in the table: usage that waits for a person, spread over shards."""

import json
from datetime import datetime

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.store_items import StoreItem, is_new, query
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.domain.errors import ConflictError
from billing.ports import Parked


class DynamoDBQuarantine:
    """Quarantine in the one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def park(self, parked: Parked) -> None:
        item = StoreItem(*keys.quarantine(parked.parked_id), document=_document(parked))
        try:
            self._table.put(item, is_new())
        except ConflictError:
            # Parked before: the first report is the one that is kept, and it is durable.
            return

    def parked(self, after: str | None, limit: int) -> list[Parked]:
        """Shards hold ranges of ids, so reading one after the other reads all of them in order."""
        found: list[Parked] = []
        first = 0 if after is None else keys.quarantine_number(after)
        later = None if after is None else StoreItem.sk > after
        for number in range(first, keys.SHARDS):
            wanted = limit - len(found)
            if wanted <= 0:
                break
            shard = keys.quarantine_shard(number)
            found += map(_parked, query(self._table, shard, later, wanted))
        return found


def _document(parked: Parked) -> str:
    ref = parked.account
    account: Json = [ref.tenant_id, ref.account_id] if ref else None
    document: dict[str, Json] = {
        "reason": parked.reason,
        "detail": parked.detail,
        "connection": parked.connection_id,
        "account": account,
        "event": parked.event,
        "parked_at": parked.parked_at.isoformat(),
    }
    return canonical_json(document)


def _parked(item: StoreItem) -> Parked:
    document = json.loads(item.document)
    account = document["account"]
    return Parked(
        parked_id=item.sk,
        reason=document["reason"],
        detail=document["detail"],
        connection_id=document["connection"],
        account=AccountRef(*account) if account else None,
        event=document["event"],
        parked_at=datetime.fromisoformat(document["parked_at"]),
    )
