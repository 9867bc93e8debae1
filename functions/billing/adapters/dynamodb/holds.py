"""Reservations in the table: all of an account's in one packed item, written under its version."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.attributes import NumberAttribute

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.items import Item, PackedItem
from billing.adapters.dynamodb.packing import pack, unpack
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.covering import Cover, Destination
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HoldsItem(PackedItem):
    """An account's reservations."""

    version = NumberAttribute()


class DynamoDBReservations:
    """Implements ``Reservations``. One put of one item: half the price of a transaction."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def holds(self, ref: AccountRef) -> Holds:
        raw = self._table.get(keys.holds(ref))
        return Holds(ref) if raw is None else holds_of(ref, raw)

    def save(self, holds: Holds, seen_version: int) -> None:
        assert holds.version == seen_version + 1, "a save is the next version"
        is_unchanged = (
            HoldsItem.version == seen_version if seen_version else Item.pk.does_not_exist()
        )
        self._table.put(holds_item(holds), is_unchanged)


def holds_item(holds: Holds) -> HoldsItem:
    return HoldsItem(
        *keys.holds(holds.account),
        version=holds.version,
        packed=pack([_row(one) for one in holds.reservations]),
    )


def holds_of(ref: AccountRef, raw: items.Raw) -> Holds:
    item = items.read(HoldsItem, raw)
    rows = unpack(item.packed)
    return Holds(ref, int(item.version), tuple(_reservation(ref, row) for row in rows))


def _row(one: Reservation) -> list[Json]:
    """No names and no id, which follows from the account and the call id: every write pays for
    all reservations there are."""
    to, cover = one.destination, one.cover
    row: list[Json] = [
        one.call_id,
        to.unit.value,
        to.direction.value,
        to.to_number,
        cover.seconds,
        cover.wallet_micros,
        [list(part) for part in cover.grants],
        cover.granted,
        cover.full_micros,
        (one.reserved_at - _EPOCH) // _MICROSECOND,
        (one.expires_at - one.reserved_at) // _MICROSECOND,
    ]
    if one.call is not None:
        row += [one.call.provider, one.call.provider_account, one.call.call_id]
    return row


# Any: JSON as it was stored.
def _reservation(ref: AccountRef, row: list[Any]) -> Reservation:
    call_id, unit, direction, to, seconds, micros, lots, granted, full, reserved, lasts, *call = row
    reserved_at = _EPOCH + reserved * _MICROSECOND
    return Reservation(
        reservation_id=reservation_id(ref, call_id),
        call_id=call_id,
        destination=Destination(Unit(unit), Direction(direction), to),
        cover=Cover(seconds, micros, tuple((lot, part) for lot, part in lots), granted, full),
        reserved_at=reserved_at,
        expires_at=reserved_at + lasts * _MICROSECOND,
        call=CallKey(*call) if call else None,
    )
