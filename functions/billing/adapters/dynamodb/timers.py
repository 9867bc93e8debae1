"""What is due, read from the sparse index."""

from collections.abc import Iterator
from datetime import datetime

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.table import Table
from billing.domain.records import Timer, TimerKind


class DynamoDBTimers:
    """Implements ``Timers``.

    An index is read as it was a moment ago: a timer set since is found by the next sweep, and one
    cleared since is work that its worker finds done.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def due(self, kind: TimerKind, now: datetime) -> Iterator[Timer]:
        by_now = items.TimerItem.due_at <= keys.instant(now)
        for number in range(keys.SHARDS):
            shard = keys.due_shard(kind, number)
            for raw in self._table.query(shard, by_now, index=keys.DUE_INDEX):
                yield items.timer_of(raw)
