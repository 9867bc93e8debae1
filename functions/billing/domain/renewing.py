"""Renewal: what a term that begins is billed, and what is held in it.

Source: docs/subscriptions.md, "Renewal".
"""

from dataclasses import dataclass, replace
from datetime import date

from billing.domain.account import Account, PlanTerms
from billing.domain.catalog import Catalog, Plan
from billing.domain.catalog_versions import CatalogVersion, Versions, plan_of
from billing.domain.documents import Line, LineKind
from billing.domain.errors import BookBusyError
from billing.domain.holdings import held_terms
from billing.domain.line_making import line
from billing.domain.offers import sells_on
from billing.domain.periods import Period, local_day, period_after
from billing.domain.proration import term_days
from billing.domain.selling import Interval, RecurringPrice
from billing.domain.subscription import Subscription, UnitItem, term_at
from billing.domain.unit_counts import renewal_quantity, turned


@dataclass(frozen=True, slots=True)
class Recurring:
    """Something that is paid for every term.

    Args:
        quantity: How many are paid for; not those that are included.
    """

    kind: LineKind
    what: str
    text: str
    quantity: int
    price: RecurringPrice


def renewal_lines(
    account: Account, subscription: Subscription, plan: Plan, catalog: Catalog, term: Period
) -> tuple[Line, ...]:
    """What a whole term is billed: the plan's fee, units above the included ones, packages.

    Units are those of ``renewal_quantity``, packages those that are left after scheduled
    reductions, so that it does not matter whether ``subscription`` has turned already. What costs
    nothing has no line.

    Args:
        subscription: With the interval that the term has.
        plan: Of that catalogue.
        catalog: The version that the term is billed under.
        term: What is billed.

    Raises:
        NotSoldError: Something has prices, and none in the account's currency.
    """
    starts_on, ends_on = term_days(term, account.time_zone)
    lines = []
    for one in renewed(subscription, plan, catalog, starts_on):
        price = one.price.micros(account.currency, subscription.interval)
        if not price * one.quantity:
            continue
        lines.append(
            line(
                one.kind,
                one.what,
                one.text,
                one.quantity,
                price,
                price * one.quantity,
                one.price.tax,
                catalog,
                account.currency,
                starts_on,
                ends_on,
            )
        )
    return tuple(lines)


def renewed(
    subscription: Subscription, plan: Plan, catalog: Catalog, day: date
) -> tuple[Recurring, ...]:
    """What is paid for in a term that begins on a day."""
    units = {
        unit.kind: max(0, renewal_quantity(subscription, unit.kind, plan, day) - unit.included)
        for unit in plan.units
    }
    packages = {item.kind: _left(item) for item in subscription.packages}
    return recurring(plan, catalog, units, packages)


def recurring(
    plan: Plan, catalog: Catalog, units: dict[str, int], packages: dict[str, int]
) -> tuple[Recurring, ...]:
    """The plan, units and packages with their prices; those that plan and catalogue have.

    Args:
        units: By licence kind, how many are paid for.
        packages: By package, the same.
    """
    licences, sold = catalog.licences, catalog.packages
    return (
        Recurring(LineKind.PLAN, plan.plan_id, plan.name, 1, plan.price),
        *(
            Recurring(LineKind.UNITS, one.kind, licences[one.kind].name, units[one.kind], one.price)
            for one in plan.units
        ),
        *(
            Recurring(LineKind.PACKAGE, name, sold[name].name, count, sold[name].price)
            for name, count in packages.items()
            if name in sold
        ),
    )


@dataclass(frozen=True, slots=True)
class NextTerm:
    """What begins when the term turns, as things stand.

    Args:
        subscription: As it is then.
        plan: What is held then, of the catalogue that the term is billed under.
    """

    subscription: Subscription
    plan: Plan
    sold: CatalogVersion
    term: Period

    def lines(self, account: Account) -> tuple[Line, ...]:
        return renewal_lines(account, self.subscription, self.plan, self.sold.catalog, self.term)

    @property
    def terms(self) -> PlanTerms:
        """What the account holds then."""
        return held_terms(self.sold, self.plan.plan_id, self.subscription.packages)


def next_term(account: Account, subscription: Subscription, versions: Versions) -> NextTerm:
    """The term that follows on the present one: scheduled changes are done, units are reduced.

    Args:
        account: For its billing day and time zone.
    """
    wanted = subscription.next_plan
    sold = versions.numbered(wanted.catalog_version) if wanted else versions.renewing
    if wanted is None and not sells_on(sold.catalog, subscription, account.currency):
        # A later catalogue that does not know all that is held cannot say what it costs.
        sold = versions.sold
    plan = plan_of(sold.catalog, wanted.plan_id if wanted else subscription.plan_id)
    interval = wanted.interval if wanted else subscription.interval
    ended = Period(subscription.term.start_at, subscription.term.end_at)
    first = period_after(ended, account.billing_day, account.time_zone)
    term = term_at(first, interval, account)
    return NextTerm(
        subscription=begun(account, subscription, plan, sold, interval, term),
        plan=plan,
        sold=sold,
        term=term,
    )


def begun(
    account: Account,
    subscription: Subscription,
    plan: Plan,
    sold: CatalogVersion,
    interval: Interval,
    term: Period,
) -> Subscription:
    """The subscription as a term begins: on its plan, its units and packages reduced as scheduled.

    What is billed, open or stored is left alone, and so is the revision.
    """
    day = local_day(term.start_at, account.time_zone)
    units = turned(subscription, plan, sold.catalog.licences, day)
    packages = tuple(
        UnitItem(item.kind, _left(item), _left(item))
        for item in subscription.packages
        if _left(item) and item.kind in sold.catalog.packages
    )
    return replace(
        units,
        plan_id=plan.plan_id,
        catalog_version=sold.version,
        interval=interval,
        term=term,
        packages=packages,
        next_plan=None,
    )


def with_next_plan(account: Account, subscription: Subscription, versions: Versions) -> Account:
    """The account with what it holds from its next period on.

    Only in the last period of the term does the roll begin another one: in the others of an annual
    term nothing is set yet.
    """
    if subscription.term.end_at != account.period.end_at:
        return replace(account, next_plan=None)
    terms = next_term(account, subscription, versions).terms
    return replace(account, next_plan=None if terms == account.plan else terms)


def check_billed(account: Account, subscription: Subscription) -> None:
    """
    Raises:
        BookBusyError: The account is in a period that is not billed yet; it soon is.
    """
    if subscription.billed_until <= account.period.start_at:
        raise BookBusyError("the period that has begun is being billed; try again shortly")


def _left(item: UnitItem) -> int:
    return item.created if item.next_created is None else item.next_created
