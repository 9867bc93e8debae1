"""Summaries in the table: one packed item for each day, and the head that says how far they are."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

from pynamodb.attributes import NumberAttribute
from pynamodb.expressions.condition import Condition

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.codec import from_json, to_json
from billing.adapters.dynamodb.items import Item, PackedItem, RecordItem
from billing.adapters.dynamodb.packing import pack, unpack
from billing.adapters.dynamodb.store_items import write_together
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json, canonical_json
from billing.domain.summaries import Bucket, DaySummary, Figures, SummaryHead
from billing.domain.units import Direction


class HeadItem(RecordItem):
    """The head of an account's summaries; written under its version."""

    version = NumberAttribute()


class DynamoDBSummaries:
    """Implements ``Summaries``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def head(self, ref: AccountRef) -> SummaryHead:
        raw = self._table.get(keys.summary_head(ref))
        if raw is None:
            return SummaryHead()
        return from_json(SummaryHead, json.loads(items.read(HeadItem, raw).body))

    def days(
        self, ref: AccountRef, generation: int, days: Iterable[date]
    ) -> dict[date, DaySummary]:
        found = self._table.get_many(keys.summary_day(ref, generation, day) for day in days)
        return dict(map(_day_of, found))

    def between(
        self, ref: AccountRef, generation: int, begin: date, end: date
    ) -> Iterator[tuple[date, DaySummary]]:
        first, last = (keys.summary_day(ref, generation, day) for day in (begin, end))
        found = self._table.query(keys.summaries(ref), Item.sk.between(first.sk, last.sk))
        for day, summary in map(_day_of, found):
            if day < end:
                yield day, summary

    def write(
        self,
        ref: AccountRef,
        head: SummaryHead,
        generation: int,
        days: Mapping[date, DaySummary],
    ) -> None:
        put = (_head_item(ref, head), _is_unchanged(head))
        if not days:
            # Half the price of a transaction of one.
            self._table.put(*put)
            return
        changed: list[tuple[Item, Condition | None]] = [
            (_day_item(ref, generation, day, summary), None) for day, summary in days.items()
        ]
        write_together(self._table, [put, *changed])

    def forget(self, ref: AccountRef, before_generation: int) -> None:
        earlier = Item.sk < keys.summary_generation(before_generation)
        for raw in self._table.query(keys.summaries(ref), earlier):
            self._table.delete(keys.Key(str(raw["pk"]["S"]), str(raw["sk"]["S"])))


def _is_unchanged(head: SummaryHead) -> Condition:
    if head.version == 1:
        return Item.pk.does_not_exist()
    return HeadItem.version == head.version - 1


def _head_item(ref: AccountRef, head: SummaryHead) -> HeadItem:
    body = canonical_json(to_json(head))
    return HeadItem(*keys.summary_head(ref), body=body, version=head.version)


def _day_item(ref: AccountRef, generation: int, day: date, summary: DaySummary) -> PackedItem:
    return PackedItem(*keys.summary_day(ref, generation, day), packed=pack(_packed(summary)))


def _day_of(raw: items.Raw) -> tuple[date, DaySummary]:
    item = items.read(PackedItem, raw)
    return keys.summarised_day(item.sk), _unpacked(unpack(item.packed))


def _packed(summary: DaySummary) -> Json:
    """Direction and country are said once; a row is an hour and its figures, the last zeros of
    which are left out."""
    packed: dict[str, dict[str, list[Json]]] = {}
    for bucket, figures in sorted(summary.items()):
        countries = packed.setdefault(bucket.direction.value, {})
        values = list(to_json(figures).values())
        while values and not values[-1]:
            values.pop()
        countries.setdefault(bucket.country, []).append([bucket.hour, *values])
    return packed


# Any: JSON as it was stored.
def _unpacked(packed: Any) -> DaySummary:
    return {
        Bucket(hour, Direction(direction), country): _figures(values)
        for direction, countries in packed.items()
        for country, rows in countries.items()
        for hour, *values in rows
    }


def _figures(values: list[Any]) -> Figures:
    names = [field.name for field in fields(Figures)]
    return from_json(Figures, dict(zip(names, values, strict=False)))
