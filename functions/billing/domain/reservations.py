"""Reservations: money and grant seconds set aside for calls in progress (RFC 4006 sense).

They live beside the account, in one small value with a version of its own, so that authorising a
call does not fight with posting one. A reservation that has expired simply stops counting.

Source of the rules: docs/authorisation.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import digest
from billing.domain.cloud_events import OWN_PROVIDER
from billing.domain.covering import (
    ANSWER_TAKES,
    Cover,
    Destination,
    Tariff,
    callable_rate,
    longest_cover,
)
from billing.domain.errors import (
    ConcurrencyLimitReachedError,
    ConflictError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InvalidInputError,
)
from billing.domain.units import Unit
from billing.domain.usage import CallKey

SLICE_SECONDS = 600
"""What is set aside at a time, unless asked for otherwise: a longer call is extended."""

LONGEST_SECONDS = 4 * 3_600
"""The most one reservation covers."""

REPORT_TAKES = timedelta(minutes=10)
"""How long after its last covered second a call may be reported, and still be covered."""

MAX_RESERVATIONS = 1_000
"""All of them are written with each of them; beyond, one account's item could not be written as
often as so many calls begin and end (docs/authorisation.md)."""

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
    """

    reservation_id: str
    call_id: str
    destination: Destination
    cover: Cover
    reserved_at: datetime
    expires_at: datetime
    call: CallKey | None = None

    def is_live(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Holds:
    """Everything set aside for one account, under one version.

    Args:
        version: Rises with every reservation that is made, changed or freed; 0: there never was
            one.
    """

    account: AccountRef
    version: int = 0
    reservations: tuple[Reservation, ...] = ()

    def live(self, now: datetime) -> tuple[Reservation, ...]:
        return tuple(one for one in self.reservations if one.is_live(now))

    def reserved_micros(self, now: datetime) -> int:
        """Wallet money that other calls may not count on."""
        return sum(one.cover.wallet_micros for one in self.live(now))

    def find(self, reservation_id: str, now: datetime) -> Reservation | None:
        """The live reservation of that name."""
        named = (one for one in self.live(now) if one.reservation_id == reservation_id)
        return next(named, None)


@dataclass(frozen=True, slots=True)
class CallWanted:
    """A call, or a message, that somebody wants to make or receive.

    Args:
        call_id: The dialler's own id of it; the same again is the same call.
        duration_seconds: How long it should be covered at first; None: ``SLICE_SECONDS``.
    """

    call_id: str
    destination: Destination
    duration_seconds: int | None = None


def reservation_id(ref: AccountRef, call_id: str) -> str:
    """The reservation a dialler's call has, whether or not it exists. It names its account."""
    return f"res_{digest([ref.tenant_id, ref.account_id, call_id])[:24]}_{ref.account_id}"


def account_of(tenant_id: str, name: str) -> AccountRef | None:
    """Whose reservation it would be; None: no reservation can have this name."""
    match = _NAME.fullmatch(name)
    return AccountRef(tenant_id, match[1]) if match else None


def authorise(
    account: Account,
    holds: Holds,
    tariffs: tuple[Tariff, ...],
    wanted: CallWanted,
    now: datetime,
) -> tuple[Holds, Reservation]:
    """Set aside what a call needs, as long as it may last, and no longer than asked for.

    The price is the one the call would be charged at: connect fee, increments and grants included.
    What other calls have set aside does not exist for this one. A destination that costs nothing
    always passes. Asking again while the reservation lives answers the same.

    Args:
        account: Read after ``holds``, and current as of ``now``.
        holds: To be written under the version it was read with.
        tariffs: Of every instant it may be answered at, ``now`` first.

    Returns:
        The holds with the reservation, one version later; the same holds where it was there.

    Raises:
        ConflictError: The call id has a reservation for another call.
        InvalidInputError: ``duration_seconds`` is out of bounds.
        DestinationNotRatedError: The deck has no price for the number.
        DestinationBlockedError: The deck blocks the number.
        ConcurrencyLimitReachedError: As many calls as the plan allows are going on.
        NegativeBalanceError: The wallet is below zero, and the call is not free.
        InsufficientBalanceError: Not even the first increment can be paid.
    """
    name = reservation_id(account.ref, wanted.call_id)
    standing = holds.find(name, now)
    if standing is not None:
        if standing.destination != wanted.destination:
            raise ConflictError(
                "this call_id is authorised for another call; give every call an id of its own"
            )
        return holds, standing
    most = _most(wanted.destination.unit, wanted.duration_seconds)
    callable_rate(tariffs, wanted.destination)
    live = holds.live(now)
    _check_concurrency(account, live, wanted.destination.unit)
    taken = (one.cover for one in live)
    cover = longest_cover(account, taken, tariffs, wanted.destination, most, now)
    reservation = Reservation(
        reservation_id=name,
        call_id=wanted.call_id,
        destination=wanted.destination,
        cover=cover,
        reserved_at=now,
        expires_at=now + ANSWER_TAKES + timedelta(seconds=cover.seconds) + REPORT_TAKES,
    )
    return _with(holds, reservation, now), reservation


def extend(
    account: Account,
    holds: Holds,
    tariffs: tuple[Tariff, ...],
    standing: Reservation,
    duration_seconds: int,
    now: datetime,
) -> tuple[Holds, Reservation]:
    """Cover a running call for longer: so many seconds in all, as far as the money goes.

    Asking for no more than is covered changes nothing, so that a repetition is harmless. What was
    covered stays covered, even where nothing more can be.

    Args:
        tariffs: Of every instant it may have been answered at: from ``standing.reserved_at`` on.
        standing: The call's live reservation.
        duration_seconds: From answer to end, in all.

    Raises:
        InvalidInputError: ``duration_seconds`` is out of bounds, or it is a message.
    """
    if not standing.destination.unit.is_timed:
        raise InvalidInputError("a message has no duration", field="duration_seconds")
    most = _most(standing.destination.unit, duration_seconds)
    if most <= standing.cover.seconds:
        return holds, standing
    others = [one.cover for one in holds.live(now) if one.reservation_id != standing.reservation_id]
    try:
        cover = longest_cover(account, others, tariffs, standing.destination, most, now)
    except (InsufficientBalanceError, DestinationBlockedError, DestinationNotRatedError):
        return holds, standing
    if cover.seconds <= standing.cover.seconds:
        return holds, standing
    longer = timedelta(seconds=cover.seconds - standing.cover.seconds)
    extended = replace(standing, cover=cover, expires_at=standing.expires_at + longer)
    return _with(holds, extended, now), extended


def link(holds: Holds, standing: Reservation, call: CallKey, now: datetime) -> Holds:
    """The carrier's call is known now; linking it again changes nothing."""
    if standing.call == call:
        return holds
    return _with(holds, replace(standing, call=call), now)


def release(holds: Holds, names: Iterable[str], now: datetime) -> Holds:
    """Free reservations; those that are not there, or have expired, change nothing."""
    freed = {name for name in names if holds.find(name, now)}
    if not freed:
        return holds
    kept = tuple(one for one in holds.live(now) if one.reservation_id not in freed)
    return replace(holds, version=holds.version + 1, reservations=kept)


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


def _most(unit: Unit, duration_seconds: int | None) -> int:
    if not unit.is_timed:
        return 1
    most = SLICE_SECONDS if duration_seconds is None else duration_seconds
    if not 1 <= most <= LONGEST_SECONDS:
        raise InvalidInputError(
            f"duration_seconds is 1 to {LONGEST_SECONDS}", field="duration_seconds"
        )
    return most


def _check_concurrency(account: Account, live: tuple[Reservation, ...], unit: Unit) -> None:
    """Messages are no calls, but take room like them."""
    limit = account.plan.features.concurrent_calls
    calls = sum(one.destination.unit.is_timed for one in live)
    if unit.is_timed and limit is not None and calls >= limit:
        raise ConcurrencyLimitReachedError(f"the plan allows {limit} calls at once")
    if len(live) >= MAX_RESERVATIONS:
        raise ConcurrencyLimitReachedError(
            f"an account has at most {MAX_RESERVATIONS} calls and messages authorised at once"
        )


def _with(holds: Holds, reservation: Reservation, now: datetime) -> Holds:
    """The holds with one reservation put or replaced, and without those that have expired."""
    name = reservation.reservation_id
    others = tuple(one for one in holds.live(now) if one.reservation_id != name)
    return replace(holds, version=holds.version + 1, reservations=(*others, reservation))
