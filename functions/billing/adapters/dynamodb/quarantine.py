"""The quarantine in the table: usage that waits for a person, spread over shards.

An item that is open also stands in the index of what is due, under the time it was parked: what is
open is found without reading all that was closed since the beginning.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from pynamodb.attributes import UnicodeAttribute

from billing.adapters.dynamodb import codec, items, keys
from billing.adapters.dynamodb.items import Raw
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.store_items import StoreItem, is_at_version, is_new, query, read
from billing.adapters.dynamodb.table import BATCH_GET_KEYS, Table
from billing.domain.canonical import canonical_json
from billing.domain.errors import BookContendedError, ConflictError, NotFoundError
from billing.domain.quarantine import Parked, is_of_posting, park_again

PARK_ATTEMPTS = 5
"""Against people who change the same item at the same time; each reads what the other wrote."""


class ParkedItem(StoreItem):
    """What is parked. Once it is closed it leaves the index."""

    due_pk = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)


class DynamoDBQuarantine:
    """Quarantine in the one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def park(self, parked: Parked) -> None:
        try:
            self._table.put(_item(parked), is_new())
        except ConflictError:
            # Parked before: what a provider delivers once more changes nothing, and whoever takes
            # it in may not read here.
            if is_of_posting(parked):
                self._park_again(parked)

    def get(self, parked_id: str) -> Parked:
        item = read(self._table, keys.quarantine(parked_id)) if _is_id(parked_id) else None
        if item is None:
            raise NotFoundError(f"there is nothing parked as {parked_id!r}")
        return _parked(item)

    def get_many(self, parked_ids: Iterable[str]) -> dict[str, Parked]:
        wanted = (keys.quarantine(parked_id) for parked_id in parked_ids)
        found = map(parked_of, self._table.get_many(wanted))
        return {parked.parked_id: parked for parked in found}

    def save(self, parked: Parked, seen_version: int) -> None:
        self._table.put(_item(parked), is_at_version(seen_version))

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

    def open(self) -> Iterator[Sequence[Parked]]:
        for number in range(keys.SHARDS):
            shard = keys.quarantine_shard(number)
            standing = self._table.query(shard, index=keys.DUE_INDEX)
            while batch := list(islice(standing, BATCH_GET_KEYS)):
                # The index is as it was a moment ago: what was closed since is not open.
                stored = map(parked_of, self._table.get_many(map(_key, batch)))
                yield [parked for parked in stored if parked.is_open]

    def _park_again(self, again: Parked) -> None:
        for _ in range(PARK_ATTEMPTS):
            kept = self.get(again.parked_id)
            parked = park_again(kept, again)
            if parked is None:
                return
            try:
                self.save(parked, kept.version)
            except ConflictError:
                continue
            return
        raise BookContendedError(f"{again.parked_id} keeps being changed; try again shortly")


def _is_id(text: str) -> bool:
    """Whether it could be one: anything may stand in a path, and no shard holds the rest."""
    return text.isalnum() and all(digit in "0123456789abcdef" for digit in text)


def _item(parked: Parked) -> ParkedItem:
    key = keys.quarantine(parked.parked_id)
    item = ParkedItem(*key, version=parked.version, document=canonical_json(codec.to_json(parked)))
    if parked.is_open:
        item.due_pk, item.due_at = key.pk, keys.instant(parked.parked_at)
    return item


def _key(raw: Raw) -> Key:
    return Key(raw["pk"]["S"], raw["sk"]["S"])


def parked_of(raw: Raw) -> Parked:
    return _parked(items.read(StoreItem, raw))


def _parked(item: StoreItem) -> Parked:
    return codec.from_json(Parked, json.loads(item.document))
