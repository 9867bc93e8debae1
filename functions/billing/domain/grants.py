"""Grants: amounts of one unit that usage burns before it touches the wallet.

The plan's quota is a recurring grant, refilled when the period turns; an add-on bundle is a
one-time grant with an expiry. Each refill is a *lot* of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.errors import InvalidInputError
from billing.domain.periods import Period
from billing.domain.units import Unit

LATE_USAGE_GRACE = timedelta(hours=72)
"""How long after its expiry a lot still serves usage that ended before it (docs/ledger.md)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One lot.

    Args:
        grant_id: Derived from its cause: the plan's grant and its period, or the order.
        unit: What it is counted in.
        total: What it held when it was granted.
        remaining: What is left of it, 0 to total.
        priority: Lower burns first.
        granted_at: Valid from here on (aware UTC).
        expires_at: Valid until just before; None never expires.
        recurring_id: The plan's recurring grant it is a refill of; None for a one-time grant.
        rolled_over: It has been carried into one more period already.
    """

    grant_id: str
    unit: Unit
    total: int
    remaining: int
    priority: int
    granted_at: datetime
    expires_at: datetime | None
    recurring_id: str | None = None
    rolled_over: bool = False

    def serves(self, unit: Unit, at: datetime) -> bool:
        """Whether usage of that unit, at that instant, may burn this lot."""
        return (
            self.unit is unit
            and self.remaining > 0
            and self.granted_at <= at
            and (self.expires_at is None or at < self.expires_at)
        )


@dataclass(frozen=True, slots=True)
class RecurringGrant:
    """What a plan grants at the start of each period.

    Args:
        recurring_id: Its name within the plan.
        unit: What it is counted in.
        quantity: The refill.
        priority: Lower burns first.
        rollover_limit: The most of an unused refill that is carried into the next period, once; 0
            carries nothing.
    """

    recurring_id: str
    unit: Unit
    quantity: int
    priority: int = 100
    rollover_limit: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.quantity <= 10**12:
            raise InvalidInputError("a grant's quantity is 1 to 10^12", field="quantity")
        if not 0 <= self.rollover_limit <= 10**12:
            raise InvalidInputError("rollover_limit is 0 to 10^12", field="rollover_limit")


@dataclass(frozen=True, slots=True)
class Burn:
    """What one piece of usage took: the lots afterwards, the parts by lot, and what was not met."""

    grants: tuple[Grant, ...]
    parts: tuple[tuple[str, int], ...]
    unmet: int

    @property
    def granted(self) -> int:
        return sum(quantity for _, quantity in self.parts)


def burn(grants: tuple[Grant, ...], unit: Unit, quantity: int, at: datetime) -> Burn:
    """Take a quantity from the lots that serve it.

    The order is: priority, then the earliest expiry (never comes last), then the oldest, then the
    id, so that two workers with the same lots always burn the same ones.

    Args:
        grants: All lots of the account.
        unit: What is used.
        quantity: How much, zero or more.
        at: When it was used (aware UTC): decides which lots were valid.

    Returns:
        The lots in their given order with what remains, what each gave, and the unmet rest.
    """
    assert quantity >= 0, quantity
    unmet = quantity
    taken: dict[str, int] = {}
    for grant in sorted((g for g in grants if g.serves(unit, at)), key=_burning_order):
        part = min(unmet, grant.remaining)
        if part:
            taken[grant.grant_id] = part
            unmet -= part
    after = tuple(
        replace(g, remaining=g.remaining - taken[g.grant_id]) if g.grant_id in taken else g
        for g in grants
    )
    return Burn(after, tuple(taken.items()), unmet)


def refill(
    grants: tuple[Grant, ...], recurring: Iterable[RecurringGrant], period: Period
) -> tuple[Grant, ...]:
    """The lots once a new period has begun.

    What may roll over stays the *same* lot with a later expiry, never a copy; what exceeds the
    limit stays behind and expires with its own period. Expired lots are kept through the grace for
    late usage, so that a call reported after the turn still finds its own period's minutes.

    Args:
        grants: The lots at the end of the period before.
        recurring: What the plan grants each period.
        period: The period that begins.
    """
    terms = {r.recurring_id: r for r in recurring}
    kept: list[Grant] = []
    for grant in grants:
        if _is_spent(grant, period.start_at):
            continue
        term = terms.get(grant.recurring_id or "")
        ends_now = grant.expires_at == period.start_at
        if term is None or not ends_now or grant.rolled_over:
            kept.append(grant)
        else:
            kept.extend(_rolled_over(grant, term.rollover_limit, period))
    kept.extend(first_lots(terms.values(), period))
    return tuple(kept)


def first_lots(recurring: Iterable[RecurringGrant], period: Period) -> tuple[Grant, ...]:
    """The plan's lots for one period, whole."""
    return tuple(
        Grant(
            # To the minute: an account opened on the day its first period turns has two lots.
            grant_id=f"{r.recurring_id}:{period.start_at:%Y%m%dT%H%MZ}",
            unit=r.unit,
            total=r.quantity,
            remaining=r.quantity,
            priority=r.priority,
            granted_at=period.start_at,
            expires_at=period.end_at,
            recurring_id=r.recurring_id,
        )
        for r in recurring
    )


def _is_spent(grant: Grant, at: datetime) -> bool:
    if grant.expires_at is None:
        return grant.remaining == 0
    grace = LATE_USAGE_GRACE if grant.remaining else timedelta(0)
    return grant.expires_at + grace <= at


def _rolled_over(grant: Grant, limit: int, period: Period) -> list[Grant]:
    carried = min(grant.remaining, limit)
    if not carried:
        return [grant]
    left = grant.remaining - carried
    rolled = replace(
        grant,
        total=grant.total - left,
        remaining=carried,
        expires_at=period.end_at,
        rolled_over=True,
    )
    if not left:
        return [rolled]
    stays = replace(grant, grant_id=f"{grant.grant_id}:left", total=left, remaining=left)
    return [stays, rolled]


def _burning_order(grant: Grant) -> tuple[int, bool, datetime, datetime, str]:
    never = grant.expires_at is None
    return (
        grant.priority,
        never,
        grant.expires_at or grant.granted_at,
        grant.granted_at,
        grant.grant_id,
    )
