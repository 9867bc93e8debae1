"""Authorising: what a call needs before it begins, and more while it goes on.

Source of the rules: docs/authorisation.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.account import Account, Standing
from billing.domain.covering import (
    ANSWER_TAKES,
    Destination,
    Tariff,
    callable_rate,
    longest_cover,
)
from billing.domain.errors import (
    AccountOnHoldError,
    ConcurrencyLimitReachedError,
    ConflictError,
    DestinationBlockedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InvalidInputError,
)
from billing.domain.licences import Entitlement
from billing.domain.pooling import Port, ports_out, require_port
from billing.domain.rates import Rate, Treatment
from billing.domain.reservations import Holds, Reservation, placed, reservation_id
from billing.domain.units import Direction, Unit

SLICE_SECONDS = 600
"""What is set aside at a time, unless asked for otherwise: a longer call is extended."""

LONGEST_SECONDS = 4 * 3_600
"""The most one reservation covers."""

REPORT_TAKES = timedelta(minutes=10)
"""How long after its last covered second a call may be reported, and still be covered."""

MAX_RESERVATIONS = 1_000
"""All of them are written with each of them; beyond, one account's item could not be written as
often as so many calls begin and end (docs/authorisation.md)."""


@dataclass(frozen=True, slots=True)
class CallWanted:
    """A call, or a message, that somebody wants to make or receive.

    Args:
        call_id: The dialler's own id of it; the same again is the same call.
        duration_seconds: How long it should be covered at first; None: ``SLICE_SECONDS``.
        licence: The kind of licence that it needs; empty: none.
        member_id: Who makes or takes it; empty: nobody said.
        own_number: The number it begins from, or reaches, at this end; empty: nobody said.
    """

    call_id: str
    destination: Destination
    duration_seconds: int | None = None
    licence: str = ""
    member_id: str = ""
    own_number: str = ""


def authorise(
    account: Account,
    holds: Holds,
    tariffs: tuple[Tariff, ...],
    wanted: CallWanted,
    now: datetime,
    entitlement: Entitlement | None = None,
) -> tuple[Holds, Reservation]:
    """Set aside what a call needs, as long as it may last, and no longer than asked for.

    The price is the one the call would be charged at: connect fee, increments and grants included.
    What other calls have set aside does not exist for this one. A destination that costs nothing
    always passes. Asking again while the reservation lives answers the same.

    Args:
        account: Read after ``holds``, and current as of ``now``.
        holds: To be written under the version it was read with.
        tariffs: Of every instant it may be answered at, ``now`` first.
        entitlement: To the licence that the call needs; None: it needs none.

    Returns:
        The holds with the reservation, one version later; the same holds where it was there.

    Raises:
        ConflictError: The call id has a reservation for another call.
        InvalidInputError: ``duration_seconds`` is out of bounds.
        DestinationNotRatedError: The deck has no price for the number.
        DestinationBlockedError: The deck blocks the number.
        AccountOnHoldError: Outbound calls are suspended, and the number is not a free one.
        LicenceRequiredError: The member has no licence of a kind that is held by name.
        InsufficientPortsError: It may take no port of the pool, or all of them are out.
        ConcurrencyLimitReachedError: As many calls as the plan allows are going on.
        NegativeBalanceError: The wallet is below zero, and the call is not free.
        InsufficientBalanceError: Not even the first increment can be paid.
    """
    name = reservation_id(account.ref, wanted.call_id)
    port = _port(entitlement, wanted.destination.unit)
    standing = holds.find(name, now)
    if standing is not None:
        if (standing.destination, standing.port) != (wanted.destination, port):
            raise ConflictError(
                "this call_id is authorised for another call; give every call an id of its own"
            )
        return holds, standing
    most = _most(wanted.destination.unit, wanted.duration_seconds)
    rate = callable_rate(tariffs, wanted.destination)
    _check_standing(account, wanted.destination, rate)
    if entitlement is not None:
        entitlement.require()
    live = holds.live(now)
    _check_concurrency(account, live, wanted.destination.unit)
    quantities = {}
    if port is not None and entitlement is not None:
        quantities[port.kind] = entitlement.quantity
        _check_pool(holds, port, entitlement.quantity, now)
    taken = (one.cover for one in live)
    cover = longest_cover(account, taken, tariffs, wanted.destination, most, now)
    reservation = Reservation(
        reservation_id=name,
        call_id=wanted.call_id,
        destination=wanted.destination,
        cover=cover,
        reserved_at=now,
        expires_at=now + ANSWER_TAKES + timedelta(seconds=cover.seconds) + REPORT_TAKES,
        port=port,
    )
    return placed(holds, reservation, now, quantities), reservation


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
    return placed(holds, extended, now), extended


def _most(unit: Unit, duration_seconds: int | None) -> int:
    if not unit.is_timed:
        return 1
    most = SLICE_SECONDS if duration_seconds is None else duration_seconds
    if not 1 <= most <= LONGEST_SECONDS:
        raise InvalidInputError(
            f"duration_seconds is 1 to {LONGEST_SECONDS}", field="duration_seconds"
        )
    return most


def _check_standing(account: Account, destination: Destination, rate: Rate) -> None:
    """Who does not pay calls nobody, but numbers that the deck sets free, such as emergencies."""
    is_outbound = destination.direction is Direction.OUTBOUND
    if account.standing is not Standing.SUSPENDED or not is_outbound:
        return
    if rate.treatment is not Treatment.FREE:
        raise AccountOnHoldError("outbound calls are on hold until the open invoices are paid")


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


def _port(entitlement: Entitlement | None, unit: Unit) -> Port | None:
    """What it takes of a pool: a call or a voice message one port, whoever called whom."""
    if entitlement is None or not entitlement.is_pooled or not unit.is_timed:
        return None
    return Port(entitlement.kind.kind, entitlement.member_id)


def _check_pool(holds: Holds, port: Port, quantity: int, now: datetime) -> None:
    ports = [one.port for one in holds.live(now) if one.port is not None]
    before = holds.ports_out(now).get(port.kind, 0)
    after = ports_out(holds.live_leases(now), [*ports, port]).get(port.kind, 0)
    require_port(port.kind, before, after, quantity)
