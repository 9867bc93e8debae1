"""Read what an account holds: how many of each thing, what it costs, and what renews when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.domain import turning
from billing.domain.account import Account, AccountRef
from billing.domain.catalog import Catalog
from billing.domain.documents import LineKind, sums
from billing.domain.periods import local_day
from billing.domain.renewing import next_term
from billing.domain.scheduled import ScheduledChange, scheduled_changes
from billing.domain.selling import Interval
from billing.domain.subscription import Subscription
from billing.domain.term_lines import Held
from billing.domain.unit_counts import UnitCounts, counts
from billing.ports import Book, Clock
from billing.services.read_held import ReadHeld


@dataclass(frozen=True, slots=True)
class HeldItem:
    """The plan, the units of one licence kind, or a package.

    Args:
        what: Its id.
        paid: How many this term pays for, beside what the plan includes.
        unit_price_micros: Of one of them, for a term, net.
        counts: Of units.
    """

    kind: LineKind
    what: str
    name: str
    paid: int
    unit_price_micros: int
    counts: UnitCounts | None = None

    @property
    def price_micros(self) -> int:
        return self.paid * self.unit_price_micros


@dataclass(frozen=True, slots=True)
class HeldView:
    """A subscription as it stands.

    Args:
        account: With its period current, even where the roll is late.
        sold: The catalogue it is sold under.
        next_renewal_micros: What the next renewal comes to as things stand, tax and what waits for
            that invoice included.
    """

    account: Account
    subscription: Subscription
    sold: Catalog
    items: tuple[HeldItem, ...]
    next_renewal_at: datetime
    next_renewal_micros: int
    scheduled: tuple[ScheduledChange, ...]

    @property
    def interval(self) -> Interval:
        return self.subscription.interval


class ReadSubscription:
    """Reads, and changes nothing."""

    def __init__(self, book: Book, read_held: ReadHeld, clock: Clock) -> None:
        self._book = book
        self._read_held = read_held
        self._clock = clock

    def read(self, ref: AccountRef) -> HeldView:
        """
        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        return self.view(account, self._clock.now())

    def view(self, account: Account, now: datetime) -> HeldView:
        """The subscription of an account that was read before."""
        account = turning.at(account, now)
        subscription = self._read_held.subscription(account)
        versions = self._read_held.versions(account, subscription)
        held = Held(subscription, versions.sold)
        following = next_term(account, subscription, versions)
        renewal = sums((*following.lines(account), *subscription.pending))
        return HeldView(
            account=account,
            subscription=subscription,
            sold=versions.sold.catalog,
            items=tuple(_items(account, held, now)),
            next_renewal_at=subscription.term.end_at,
            next_renewal_micros=renewal.total_micros,
            scheduled=scheduled_changes(subscription),
        )


def _items(account: Account, held: Held, now: datetime) -> Iterator[HeldItem]:
    subscription = held.subscription
    today = local_day(now, account.time_zone)
    renews_on = local_day(subscription.term.end_at, account.time_zone)
    for one in held.paid:
        is_units = one.kind is LineKind.UNITS
        counted = None
        if is_units:
            counted = counts(subscription, one.what, held.plan, today, renews_on=renews_on)
        yield HeldItem(
            kind=one.kind,
            what=one.what,
            name=one.text,
            paid=one.quantity,
            unit_price_micros=one.price.micros(account.currency, subscription.interval),
            counts=counted,
        )
