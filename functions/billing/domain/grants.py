"""Grants: amounts of one unit that usage burns before it touches the wallet.

The plan's quota is a recurring grant, refilled when the period turns; an add-on bundle is a
one-time grant with an expiry. Each refill is a *lot* of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from billing.domain.destinations import breadth, dialled, is_prefix
from billing.domain.errors import InvalidInputError
from billing.domain.periods import Period
from billing.domain.units import Direction, Unit

LATE_USAGE_GRACE = timedelta(hours=72)
"""How long after its expiry a lot still serves usage that ended before it (docs/ledger.md)."""


MAX_SCOPE_PREFIXES = 50
"""Every lot keeps its scope in the account state, which is written with every posting."""


class UsageKey(NamedTuple):
    """What decides whether a scope serves usage; the called number counts in both directions."""

    direction: Direction
    e164: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The usage a grant is limited to.

    Args:
        direction: None: both.
        prefixes: Of the called number, as decks have them; none: every destination.
    """

    direction: Direction | None = None
    prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.prefixes) > MAX_SCOPE_PREFIXES:
            raise InvalidInputError(
                f"a scope has at most {MAX_SCOPE_PREFIXES} prefixes", field="scope/prefixes"
            )
        for prefix in self.prefixes:
            if not is_prefix(prefix):
                raise InvalidInputError(
                    f"{prefix[:40]!r} is not a prefix such as 44 or short:112",
                    field="scope/prefixes",
                )

    def covers(self, usage: UsageKey) -> bool:
        is_direction = self.direction in (None, usage.direction)
        return is_direction and (not self.prefixes or dialled(usage.e164).startswith(self.prefixes))

    @property
    def breadth(self) -> int:
        """How much it covers: of two scopes that cover different usage, one within the other, the
        inner one has the smaller breadth."""
        outer = [p for p in self.prefixes if not p.startswith(_others(p, self.prefixes))]
        width = sum(map(breadth, set(outer))) if outer else EVERYWHERE
        return width * (1 if self.direction else 2)


EVERYWHERE = 2 * breadth("")
"""The breadth of every E.164 number and every short code, in one direction."""


def _others(prefix: str, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(other for other in prefixes if other != prefix)


@dataclass(frozen=True, slots=True)
class Grant:
    """One lot, shared by all numbers of its account.

    Args:
        grant_id: Derived from its cause: the plan's grant and its period, or the order.
        unit: What it is counted in.
        total: What it held when it was granted; 0 if unlimited.
        remaining: What is left of it, 0 to total.
        priority: Lower burns first.
        granted_at: Valid from here on (aware UTC).
        expires_at: Valid until just before; None never expires.
        recurring_id: The plan's recurring grant it is a refill of; None for a one-time grant.
        rolled_over: It has been carried into one more period already.
        scope: The usage it is limited to; None serves all of its unit.
        unlimited: It never runs out.
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
    scope: Scope | None = None
    unlimited: bool = False

    def serves(self, unit: Unit, at: datetime, usage: UsageKey | None = None) -> bool:
        """Whether usage of that unit, at that instant, may burn this lot.

        Args:
            usage: None is usage to nowhere in particular, which no scope covers.
        """
        return (
            self.unit == unit
            and (self.unlimited or self.remaining > 0)
            and self.granted_at <= at
            and (self.expires_at is None or at < self.expires_at)
            and (self.scope is None or (usage is not None and self.scope.covers(usage)))
        )


@dataclass(frozen=True, slots=True)
class RecurringGrant:
    """What a plan grants at the start of each period.

    Args:
        recurring_id: Its name within the plan.
        unit: What it is counted in.
        quantity: The refill; 0 if unlimited.
        priority: Lower burns first.
        rollover_limit: The most of an unused refill that is carried into the next period, once; 0
            carries nothing.
        scope: The usage it is limited to; None serves all of its unit.
        unlimited: It never runs out, and carries nothing over.
    """

    recurring_id: str
    unit: Unit
    quantity: int
    priority: int = 100
    rollover_limit: int = 0
    scope: Scope | None = None
    unlimited: bool = False

    def __post_init__(self) -> None:
        if self.unlimited:
            if self.quantity or self.rollover_limit:
                raise InvalidInputError(
                    "an unlimited grant has no quantity and no rollover", field="unlimited"
                )
            return
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


def burn(
    grants: tuple[Grant, ...],
    unit: Unit,
    quantity: int,
    at: datetime,
    usage: UsageKey | None = None,
) -> Burn:
    """Take a quantity from the lots that serve it.

    The order is: priority, then unlimited lots, then the narrowest scope, then the earliest expiry
    (never comes last), then the oldest, then the id, so that two workers with the same lots always
    burn the same ones, and nothing that serves more usage is spent where less would do.

    Args:
        grants: All lots of the account.
        unit: What is used.
        quantity: How much, zero or more.
        at: When it was used (aware UTC): decides which lots were valid.
        usage: Where it went: decides which scopes cover it. None: only lots without a scope do.

    Returns:
        The lots in their given order with what remains, what each gave, and the unmet rest.
    """
    assert quantity >= 0, quantity
    unmet = quantity
    taken: dict[str, int] = {}
    for grant in sorted((g for g in grants if g.serves(unit, at, usage)), key=_burning_order):
        part = unmet if grant.unlimited else min(unmet, grant.remaining)
        if part:
            taken[grant.grant_id] = part
            unmet -= part
    after = tuple(
        replace(g, remaining=g.remaining - taken[g.grant_id])
        if g.grant_id in taken and not g.unlimited
        else g
        for g in grants
    )
    return Burn(after, tuple(taken.items()), unmet)


def refill(
    grants: tuple[Grant, ...],
    recurring: Iterable[RecurringGrant],
    period: Period,
    *,
    is_withheld: bool = False,
) -> tuple[Grant, ...]:
    """The lots once a new period has begun.

    What may roll over stays the *same* lot with a later expiry, never a copy; what exceeds the
    limit stays behind and expires with its own period. Expired lots are kept through the grace for
    late usage, so that a call reported after the turn still finds its own period's minutes.

    Args:
        grants: The lots at the end of the period before.
        recurring: What the plan grants each period.
        period: The period that begins.
        is_withheld: It grants nothing yet; what is there already rolls over all the same.
    """
    terms = {r.recurring_id: r for r in recurring}
    kept: list[Grant] = []
    for grant in grants:
        if _is_spent(grant, period.start_at):
            continue
        term = terms.get(grant.recurring_id or "")
        ends_now = grant.expires_at == period.start_at
        if term is None or term.unit != grant.unit or not ends_now or grant.rolled_over:
            kept.append(grant)
        else:
            kept.extend(_rolled_over(grant, term.rollover_limit, period))
    if not is_withheld:
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
            scope=r.scope,
            unlimited=r.unlimited,
        )
        for r in recurring
    )


def _is_spent(grant: Grant, at: datetime) -> bool:
    is_empty = not grant.remaining and not grant.unlimited
    if grant.expires_at is None:
        return is_empty
    grace = timedelta(0) if is_empty else LATE_USAGE_GRACE
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


def _burning_order(grant: Grant) -> tuple[int, bool, int, bool, datetime, datetime, str]:
    never = grant.expires_at is None
    return (
        grant.priority,
        not grant.unlimited,
        grant.scope.breadth if grant.scope else 2 * EVERYWHERE,
        never,
        grant.expires_at or grant.granted_at,
        grant.granted_at,
        grant.grant_id,
    )
