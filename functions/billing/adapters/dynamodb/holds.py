"""Reservations and leases in the table: all of an account's in one packed item, written under its
version; and beside it an item for each day and kind of ports that were out."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pynamodb.attributes import NumberAttribute

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.codec import from_json, to_json
from billing.adapters.dynamodb.items import Item, PackedItem
from billing.adapters.dynamodb.packing import pack, unpack
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.covering import Cover, Destination
from billing.domain.leasing import lease_id_of
from billing.domain.pooling import Lease, Peak, Port
from billing.domain.port_hours import PortDay
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallKey

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HoldsItem(PackedItem):
    """An account's reservations, leases, and the running hour's peaks."""

    version = NumberAttribute()


class PortDayItem(PackedItem):
    """A day of one kind's ports; written under its version.

    Args:
        expires_at: Seconds since 1970: when DynamoDB may drop it.
    """

    version = NumberAttribute()
    expires_at = NumberAttribute()


class DynamoDBReservations:
    """Implements ``Reservations``. One put of one item: half the price of a transaction."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def holds(self, ref: AccountRef) -> Holds:
        raw = self._table.get(keys.holds(ref))
        return Holds(ref) if raw is None else holds_of(ref, raw)

    def all_holds(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Holds]:
        wanted = {keys.holds(ref): ref for ref in refs}
        found = {ref: Holds(ref) for ref in wanted.values()}
        for raw in self._table.get_many(wanted):
            ref = wanted[keys.Key(raw["pk"]["S"], raw["sk"]["S"])]
            found[ref] = holds_of(ref, raw)
        return found

    def save(self, holds: Holds, seen_version: int) -> None:
        assert holds.version == seen_version + 1, "a save is the next version"
        is_unchanged = (
            HoldsItem.version == seen_version if seen_version else Item.pk.does_not_exist()
        )
        self._table.put(holds_item(holds), is_unchanged)

    def port_day(self, ref: AccountRef, kind: str, day: date) -> PortDay:
        raw = self._table.get(keys.port_day(ref, kind, day))
        return PortDay(ref, kind, day) if raw is None else _port_day(raw)

    def port_days(self, ref: AccountRef, kind: str, first: date, last: date) -> list[PortDay]:
        begin, end = (keys.port_day(ref, kind, day) for day in (first, last))
        found = self._table.query(begin.pk, PortDayItem.sk.between(begin.sk, end.sk))
        return [_port_day(raw) for raw in found]

    def keep_port_day(self, day: PortDay) -> None:
        seen = day.version - 1
        is_unchanged = PortDayItem.version == seen if seen else Item.pk.does_not_exist()
        item = PortDayItem(
            *keys.port_day(day.account, day.kind, day.day),
            version=day.version,
            packed=pack(to_json(day)),
            expires_at=int(day.forgotten_at.timestamp()),
        )
        self._table.put(item, is_unchanged)


def holds_item(holds: Holds) -> HoldsItem:
    return HoldsItem(
        *keys.holds(holds.account),
        version=holds.version,
        packed=pack(_packed(holds)),
    )


def holds_of(ref: AccountRef, raw: items.Raw) -> Holds:
    item = items.read(HoldsItem, raw)
    packed = unpack(item.packed)
    # Where no port is out there are reservations alone, as there once were everywhere.
    is_plain = isinstance(packed, list)
    reservations, leases, peaks = (packed, [], []) if is_plain else packed["ports"]
    return Holds(
        ref,
        int(item.version),
        tuple(_reservation(ref, row) for row in reservations),
        tuple(_lease(ref, row) for row in leases),
        tuple(Peak(*row) for row in peaks),
    )


def _packed(holds: Holds) -> Json:
    rows: list[Json] = [_row(one) for one in holds.reservations]
    if not holds.leases and not holds.peaks:
        return rows
    leases: list[Json] = [_lease_row(one) for one in holds.leases]
    peaks: list[Json] = [[one.kind, one.hour, one.most, one.quantity] for one in holds.peaks]
    return {"ports": [rows, leases, peaks]}


def _lease_row(one: Lease) -> list[Json]:
    return [
        one.kind,
        one.member_id,
        (one.leased_at - _EPOCH) // _MICROSECOND,
        (one.expires_at - one.leased_at) // _MICROSECOND,
    ]


# Any: JSON as it was stored.
def _lease(ref: AccountRef, row: list[Any]) -> Lease:
    kind, member_id, leased, lasts = row
    leased_at = _EPOCH + leased * _MICROSECOND
    name = lease_id_of(ref, kind, member_id, leased_at)
    return Lease(name, kind, member_id, leased_at, leased_at + lasts * _MICROSECOND)


def _port_day(raw: items.Raw) -> PortDay:
    return from_json(PortDay, unpack(items.read(PortDayItem, raw).packed))


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
    if one.port is not None:
        row.append([one.port.kind, one.port.member_id])
    return row


# Any: JSON as it was stored.
def _reservation(ref: AccountRef, row: list[Any]) -> Reservation:
    call_id, unit, direction, to, seconds, micros, lots, granted, full, reserved, lasts, *rest = row
    # Both may be missing: a call is three texts, a port one list.
    port = Port(*rest.pop()) if rest and isinstance(rest[-1], list) else None
    reserved_at = _EPOCH + reserved * _MICROSECOND
    return Reservation(
        reservation_id=reservation_id(ref, call_id),
        call_id=call_id,
        destination=Destination(Unit(unit), Direction(direction), to),
        cover=Cover(seconds, micros, tuple((lot, part) for lot, part in lots), granted, full),
        reserved_at=reserved_at,
        expires_at=reserved_at + lasts * _MICROSECOND,
        call=CallKey(*rest) if rest else None,
        port=port,
    )
