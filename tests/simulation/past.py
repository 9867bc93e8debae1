"""What accounts were like while somebody decided on them, from the journal of what was written."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from billing.domain.account import Account, AccountRef
from billing.domain.subscription import Subscription, first_subscription
from simulation.catalog import CATALOG
from simulation.tenants import SITES
from simulation.world import World

T = TypeVar("T")

UNITS: dict[tuple[str, str], tuple[int, int]] = {
    (plan["plan"], unit["licence"]): (unit.get("included", 0), unit.get("minimum", 0))
    for plan in CATALOG["plans"]
    for unit in plan["units"]
}
"""Of each plan and licence kind: how many are included, and the least that is paid for."""


@dataclass
class Kept:
    """One account's states, each with how many Changes were written before it."""

    places: list[int] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)


class Past:
    """Reads on in the journal; knows of every instant what anybody may have seen then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept = {site.ref: Kept() for site in SITES}
        self._read = 0

    def accounts(self, ref: AccountRef, since: int, until: int | None = None) -> Sequence[Account]:
        """Its states from one place in the journal to another.

        Args:
            until: None: to its end.
        """
        return self._between(self._of(ref).accounts, ref, since, until)

    def quantities(
        self, ref: AccountRef, kind: str, since: int, until: int | None = None
    ) -> Sequence[int]:
        """How many units of a licence kind there were, in each of them."""
        known = self._between(self._of(ref).subscriptions, ref, since, until)
        return [quantity(one, kind) for one in known]

    def _of(self, ref: AccountRef) -> Kept:
        written = self._world.book.written
        for place in range(self._read, len(written)):
            change = written[place]
            kept = self._kept[change.after.ref]
            found = [one for one in change.records if isinstance(one, Subscription)]
            before = kept.subscriptions[-1:] or [first_subscription(change.after)]
            kept.places.append(place)
            kept.accounts.append(change.after)
            kept.subscriptions.append((found or before)[0])
        self._read = len(written)
        return self._kept[ref]

    def _between(
        self, states: list[T], ref: AccountRef, since: int, until: int | None
    ) -> Sequence[T]:
        places = self._kept[ref].places
        first = max(0, bisect_left(places, since) - 1)
        last = len(states) if until is None else bisect_left(places, until)
        return states[first:last]


def quantity(subscription: Subscription, kind: str) -> int:
    """Units that may be used: paid for, included in the plan, or asked for at least."""
    paid = sum(one.quantity for one in subscription.units if one.kind == kind)
    included, minimum = UNITS.get((subscription.plan_id, kind), (0, 0))
    # A contract stands in the place of the catalogue's minimum.
    return max(paid, included, 0 if subscription.contract else minimum)
