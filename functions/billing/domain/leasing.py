"""Leases: a port kept between calls, renewed while it is needed, and given back or expired.

Source of the rules: docs/licences.md, "Leases".
"""

from dataclasses import replace
from datetime import datetime, timedelta

from billing.domain.account import AccountRef
from billing.domain.canonical import digest
from billing.domain.errors import InsufficientPortsError, InvalidInputError
from billing.domain.licences import Entitlement
from billing.domain.pooling import POOL_EXHAUSTED, Lease, exhausted, ports_out, require_port
from billing.domain.reservations import Holds

DEFAULT_SECONDS = 600
"""How long a lease lasts, unless asked for otherwise: a dialler that crashed has its ports back by
then."""

SHORTEST_SECONDS = 30
LONGEST_SECONDS = 4 * 3_600

MAX_LEASES = 1_000
"""All of them are written with each of them, as reservations are."""


def find(holds: Holds, lease_id: str, now: datetime) -> Lease | None:
    """The live lease of that name."""
    return next((one for one in holds.live_leases(now) if one.lease_id == lease_id), None)


def lease(
    holds: Holds, entitlement: Entitlement, lease_seconds: int | None, now: datetime
) -> tuple[Holds, Lease]:
    """Take a port for a member; one who has a lease of the kind has it renewed.

    A call of his that already takes one is covered by it from then on.

    Args:
        holds: To be written under the version it was read with.
        entitlement: Read after ``holds``.
        lease_seconds: How long it lasts from now; None: ``DEFAULT_SECONDS``.

    Returns:
        The holds with the lease, one version later.

    Raises:
        InvalidInputError: The kind is held by name; nobody was named; or ``lease_seconds`` is out
            of bounds.
        InsufficientPortsError: The member may take none, or all are out.
    """
    expires_at = now + timedelta(seconds=_seconds(lease_seconds))
    _require(entitlement)
    kind, member_id = entitlement.kind.kind, entitlement.member_id
    live = holds.live_leases(now)
    standing = [one for one in live if (one.kind, one.member_id) == (kind, member_id)]
    if standing:
        return _renewed(holds, entitlement, standing[0], expires_at, now)
    if len(live) >= MAX_LEASES:
        raise _too_many(kind, len(live), entitlement.quantity)
    name = lease_id_of(holds.account, kind, member_id, now)
    taken = Lease(name, kind, member_id, now, expires_at)
    quantities = {kind: entitlement.quantity}
    after = holds.changed(now, leases=(*live, taken), quantities=quantities)
    before = holds.ports_out(now).get(kind, 0)
    require_port(kind, before, after.ports_out(now)[kind], entitlement.quantity)
    return after, taken


def renew(
    holds: Holds,
    entitlement: Entitlement,
    standing: Lease,
    lease_seconds: int | None,
    now: datetime,
) -> tuple[Holds, Lease]:
    """Keep a port for longer; it never ends earlier than it did before.

    Where the pool has become smaller than what is out, the latest leases are not renewed.

    Args:
        entitlement: Of the lease's member to its kind.
        standing: Live.

    Raises:
        InvalidInputError: ``lease_seconds`` is out of bounds.
        InsufficientPortsError: The member may take none any more, or there are too few.
    """
    expires_at = now + timedelta(seconds=_seconds(lease_seconds))
    _require(entitlement)
    return _renewed(holds, entitlement, standing, expires_at, now)


def give_back(holds: Holds, lease_id: str, now: datetime) -> Holds:
    """Give a port back. What is not there, or has expired, changes nothing."""
    return _without(holds, find(holds, lease_id, now), now)


def give_back_of(holds: Holds, kind: str, member_id: str, now: datetime) -> Holds:
    """Give back whatever lease of a kind a member has."""
    live = holds.live_leases(now)
    found = (one for one in live if (one.kind, one.member_id) == (kind, member_id))
    return _without(holds, next(found, None), now)


def _renewed(
    holds: Holds, entitlement: Entitlement, standing: Lease, expires_at: datetime, now: datetime
) -> tuple[Holds, Lease]:
    live = holds.live_leases(now)
    kept = [one for one in live if _age(one) <= _age(standing)]
    ports = (one.port for one in holds.live(now) if one.port is not None)
    if ports_out(kept, ports)[standing.kind] > entitlement.quantity:
        out = holds.ports_out(now)[standing.kind]
        raise exhausted(standing.kind, out, entitlement.quantity)
    renewed = replace(standing, expires_at=max(standing.expires_at, expires_at))
    if renewed == standing:
        return holds, standing
    leases = (renewed if one == standing else one for one in live)
    quantities = {standing.kind: entitlement.quantity}
    return holds.changed(now, leases=leases, quantities=quantities), renewed


def _without(holds: Holds, gone: Lease | None, now: datetime) -> Holds:
    if gone is None:
        return holds
    return holds.changed(now, leases=[one for one in holds.live_leases(now) if one != gone])


def _require(entitlement: Entitlement) -> None:
    if not entitlement.is_pooled:
        raise InvalidInputError(
            f"{entitlement.kind.kind} is held by name: it is assigned, and not leased",
            field="licence",
        )
    entitlement.require()


def _too_many(kind: str, leases: int, quantity: int) -> InsufficientPortsError:
    return InsufficientPortsError(
        f"an account has at most {MAX_LEASES} leases at once: give some back",
        members={
            "cause": POOL_EXHAUSTED,
            "licence": kind,
            "in_use": leases,
            "quantity": quantity,
        },
    )


def _seconds(lease_seconds: int | None) -> int:
    seconds = DEFAULT_SECONDS if lease_seconds is None else lease_seconds
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise InvalidInputError(
            f"lease_seconds is {SHORTEST_SECONDS} to {LONGEST_SECONDS}", field="lease_seconds"
        )
    return seconds


def _age(lease: Lease) -> tuple[datetime, str]:
    return lease.leased_at, lease.member_id


def lease_id_of(owner: AccountRef, kind: str, member_id: str, leased_at: datetime) -> str:
    """A lease's id follows from what it is: the next one of the same member is another."""
    name = [owner.tenant_id, owner.account_id, kind, member_id, leased_at.isoformat()]
    return f"lea_{digest(name)[:24]}"
