"""Reservations: money and grant seconds set aside for calls in progress (RFC 4006 sense).

They live beside the account, in one small value with a version of its own, so that authorising a
call does not fight with posting one. A reservation that has expired simply stops counting.

Source of the rules: docs/authorisation.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import AccountRef
from billing.domain.canonical import digest
from billing.domain.cloud_events import OWN_PROVIDER
from billing.domain.covering import Cover, Destination
from billing.domain.pooling import (
    Lease,
    Peak,
    Port,
    hour_of,
    hour_start,
    peaks_after,
    ports_out,
)
from billing.domain.usage import CallKey

_NAME = re.compile(r"res_[0-9a-f]{24}_([A-Za-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True)
class Reservation:
    """What is set aside for one call or message.

    Args:
        reservation_id: Derived from the dialler's call id: asking again finds it.
        call_id: The dialler's own.
        cover: How long it may last, and on what.
        reserved_at: When it was first asked for: extending prices the call as of then.
        expires_at: From then on it counts for nothing.
        call: The carrier's call, once it is known: its posting frees the reservation.
        port: What it takes of a pool; None: nothing.
    """

    reservation_id: str
    call_id: str
    destination: Destination
    cover: Cover
    reserved_at: datetime
    expires_at: datetime
    call: CallKey | None = None
    port: Port | None = None

    def is_live(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Holds:
    """Everything set aside for one account, under one version.

    Args:
        version: Rises with every reservation and every lease that is made, changed or freed; 0:
            there never was one.
        leases: Ports that members keep between calls.
        peaks: The most ports that were out in the hour of the last change, by kind.
    """

    account: AccountRef
    version: int = 0
    reservations: tuple[Reservation, ...] = ()
    leases: tuple[Lease, ...] = ()
    peaks: tuple[Peak, ...] = ()

    def live(self, now: datetime) -> tuple[Reservation, ...]:
        return tuple(one for one in self.reservations if one.is_live(now))

    def reserved_micros(self, now: datetime) -> int:
        """Wallet money that other calls may not count on."""
        return sum(one.cover.wallet_micros for one in self.live(now))

    def touched(self) -> "Holds":
        """The same, one version later: whoever decided on what was here decides again."""
        return replace(self, version=self.version + 1)

    def find(self, reservation_id: str, now: datetime) -> Reservation | None:
        """The live reservation of that name."""
        named = (one for one in self.live(now) if one.reservation_id == reservation_id)
        return next(named, None)

    def live_leases(self, now: datetime) -> tuple[Lease, ...]:
        return tuple(one for one in self.leases if one.is_live(now))

    def ports_out(self, at: datetime) -> Mapping[str, int]:
        """Ports that are out, by kind; at an earlier instant, of what is here still."""
        ports = (one.port for one in self.live(at) if one.port is not None)
        return ports_out(self.live_leases(at), ports)

    def changed(
        self,
        now: datetime,
        *,
        reservations: Iterable[Reservation] | None = None,
        leases: Iterable[Lease] | None = None,
        quantities: Mapping[str, int] | None = None,
    ) -> "Holds":
        """One version later, without what has expired.

        Args:
            reservations: What there is now; None: those that are live.
            leases: The same.
            quantities: Sizes of pools, where somebody has just looked.
        """
        after = replace(
            self,
            version=self.version + 1,
            reservations=self.live(now) if reservations is None else tuple(reservations),
            leases=self.live_leases(now) if leases is None else tuple(leases),
        )
        hour = hour_of(now)
        carried, out = self.ports_out(hour_start(hour)), after.ports_out(now)
        return replace(after, peaks=peaks_after(self.peaks, carried, out, quantities or {}, hour))


def reservation_id(ref: AccountRef, call_id: str) -> str:
    """The reservation a dialler's call has, whether or not it exists. It names its account."""
    return f"res_{digest([ref.tenant_id, ref.account_id, call_id])[:24]}_{ref.account_id}"


def account_of(tenant_id: str, name: str) -> AccountRef | None:
    """Whose reservation it would be; None: no reservation can have this name."""
    match = _NAME.fullmatch(name)
    return AccountRef(tenant_id, match[1]) if match else None


def link(holds: Holds, standing: Reservation, call: CallKey, now: datetime) -> Holds:
    """The carrier's call is known now; linking it again changes nothing."""
    if standing.call == call:
        return holds
    return placed(holds, replace(standing, call=call), now)


def release(holds: Holds, names: Iterable[str], now: datetime) -> Holds:
    """Free reservations; those that are not there, or have expired, change nothing."""
    freed = {name for name in names if holds.find(name, now)}
    if not freed:
        return holds
    kept = tuple(one for one in holds.live(now) if one.reservation_id not in freed)
    return holds.changed(now, reservations=kept)


def posted(holds: Holds, calls: Iterable[CallKey]) -> tuple[str, ...]:
    """The reservations that posted calls free.

    These are the calls that were linked, and those a dialler reports itself: by the call id that it
    asked with.
    """
    keys = set(calls)
    own = {key.call_id for key in keys if key.provider == OWN_PROVIDER}
    return tuple(
        one.reservation_id
        for one in holds.reservations
        if one.call in keys or (one.call is None and one.call_id in own)
    )


def placed(
    holds: Holds,
    reservation: Reservation,
    now: datetime,
    quantities: Mapping[str, int] | None = None,
) -> Holds:
    """The holds with one reservation put or replaced, and without those that have expired."""
    name = reservation.reservation_id
    others = tuple(one for one in holds.live(now) if one.reservation_id != name)
    return holds.changed(now, reservations=(*others, reservation), quantities=quantities)
