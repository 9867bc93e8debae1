"""What a change costs for the rest of the term: what was paid for is credited, what is held from
then on is charged, both for today and the days left.

Source: docs/subscriptions.md, "Proration".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.catalog_versions import CatalogVersion, plan_of
from billing.domain.documents import Line, Sums, sums
from billing.domain.line_making import line
from billing.domain.periods import Period, local_day
from billing.domain.proration import full_term, prorated_micros
from billing.domain.renewing import Recurring, recurring
from billing.domain.subscription import Subscription
from billing.domain.unit_counts import billed


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription, with the version of the catalogue it is sold under."""

    subscription: Subscription
    sold: CatalogVersion

    @property
    def plan(self) -> Plan:
        return plan_of(self.sold.catalog, self.subscription.plan_id)

    @property
    def paid(self) -> tuple[Recurring, ...]:
        """What is paid for in this term."""
        units = {
            unit.kind: billed(self.subscription, unit.kind, self.plan) for unit in self.plan.units
        }
        packages = {item.kind: item.quantity for item in self.subscription.packages}
        return recurring(self.plan, self.sold.catalog, units, packages)


@dataclass(frozen=True, slots=True)
class _Part:
    """One thing paid for, with its price for a whole term and for the days left."""

    held: Held
    one: Recurring
    unit_micros: int
    left_micros: int

    def line(self, account: Account, count: int, at: datetime, text: str = "") -> Line:
        """As many of it for the days left; negative: credited."""
        return line(
            self.one.kind,
            self.one.what,
            text or self.one.text,
            abs(count),
            self.unit_micros,
            self.left_micros * count,
            self.one.price.tax,
            self.held.sold.catalog,
            account.currency,
            local_day(at, account.time_zone),
            local_day(self.held.subscription.term.end_at, account.time_zone),
        )


def change_lines(account: Account, before: Held, after: Held, at: datetime) -> tuple[Line, ...]:
    """What one subscription costs more than another from the local day of an instant on.

    What costs the same before and after, whole or for the days left, is no line but for the
    difference in number. What cost
    something else is credited and charged, each by itself. What costs nothing has no line.

    Raises:
        NotSoldError: Something has prices, and none in the account's currency.
    """
    # A clock that is behind may still have the day before the period.
    at = max(at, account.period.start_at)
    old, new = _parts(account, before, at), _parts(account, after, at)
    credited: list[Line] = []
    charged: list[Line] = []
    for name in {**old, **new}:
        was, is_now = old.get(name), new.get(name)
        if was and is_now and _costs_the_same(was, is_now):
            more = is_now.one.quantity - was.one.quantity
            if more:
                (charged if more > 0 else credited).append(is_now.line(account, more, at))
            continue
        back = (
            was.line(account, -was.one.quantity, at, f"{was.one.text}: days not used")
            if was
            else None
        )
        due = is_now.line(account, is_now.one.quantity, at) if is_now else None
        if back and due and sums((back, due)) == Sums(0, 0):
            # Another price, and the days that are left come to as much.
            continue
        credited += [back] if back and back.quantity else []
        charged += [due] if due and due.quantity else []
    return tuple(one for one in (*credited, *charged) if one.unit_price_micros)


def _parts(account: Account, held: Held, at: datetime) -> dict[tuple[str, str], _Part]:
    return {(part.one.kind, part.one.what): part for part in _priced(account, held, at)}


def _priced(account: Account, held: Held, at: datetime) -> Iterator[_Part]:
    whole = full_term(held.subscription.term, account.billing_day, account.time_zone)
    for one in held.paid:
        price = one.price.micros(account.currency, held.subscription.interval)
        yield _Part(held, one, price, left_micros(account, price, whole, at))


def left_micros(account: Account, price_micros: int, whole: Period, at: datetime) -> int:
    """What of a price is for today and the days left."""
    return prorated_micros(price_micros, whole, at, account.time_zone, account.currency)


def _costs_the_same(was: _Part, is_now: _Part) -> bool:
    return (
        was.unit_micros == is_now.unit_micros
        and was.left_micros == is_now.left_micros
        and _rate(was) == _rate(is_now)
    )


def _rate(part: _Part) -> tuple[str, int]:
    code = part.one.price.tax
    rate = part.held.sold.catalog.tax_rates.get(code)
    return (code, rate.millionths if rate else 0)
