"""Changes of plan: up at once, down by the catalogue's policy.

Source: docs/subscriptions.md, "Changing the plan".
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.catalog_versions import CatalogVersion, plan_of
from billing.domain.documents import sums
from billing.domain.errors import ContactSalesError, NotSoldError, PlanLimitError
from billing.domain.orders import Want
from billing.domain.periods import local_day
from billing.domain.renewing import renewal_lines
from billing.domain.selling import DowngradePolicy, Interval
from billing.domain.selling_form import contacts_json
from billing.domain.subscription import NextPlan, UnitItem, term_at
from billing.domain.term_lines import Held, change_lines
from billing.domain.unit_counts import available, contracted


def with_plan(
    account: Account,
    held: Held,
    want: Want,
    offered: CatalogVersion,
    numbers_held: int,
    at: datetime,
) -> Held:
    """What is held once a plan is wanted: that plan at once, or scheduled for the term's end.

    Wanting what is held already takes back a scheduled plan.

    Args:
        want: Of a plan; no interval: the one there is.
        offered: The current catalogue, which a new plan is sold under.
        numbers_held: Phone numbers that are not released.

    Raises, in order of precedence:
        NotSoldError: There is no such plan.
        PlanLimitError: More numbers are held than it allows.
        NotSoldError: It has no price in the account's currency; or it is an upgrade, and something
            is held that it or its catalogue does not have.
        ContactSalesError: It is a downgrade, and only the operator makes them.
    """
    subscription = held.subscription
    interval = want.interval or subscription.interval
    present = (subscription.plan_id, subscription.catalog_version, subscription.interval)
    if (want.what, offered.version, interval) == present:
        return replace(held, subscription=replace(subscription, next_plan=None))
    plan = plan_of(offered.catalog, want.what)
    if plan.most_numbers is not None and numbers_held > plan.most_numbers:
        raise PlanLimitError(
            f"{plan.name} has at most {plan.most_numbers} numbers, and there are {numbers_held}:"
            " release some first",
            field="what",
        )
    wanted = NextPlan(plan.plan_id, offered.version, interval, at)
    changed = _at_once(account, held, plan, offered, wanted)
    if is_upgrade(account, held, changed, at):
        check_carried(held, plan, offered, is_at_once=True)
        return changed
    if offered.catalog.downgrade is DowngradePolicy.CONTACT_SALES:
        raise ContactSalesError(
            f"{plan.name} would be a downgrade: ask sales to make it",
            field="what",
            members={"contacts": contacts_json(offered.catalog.contacts)},
        )
    scheduled = subscription.next_plan
    if scheduled and replace(scheduled, asked_at=at) == wanted:
        return held
    return replace(held, subscription=replace(subscription, next_plan=wanted))


def is_upgrade(account: Account, before: Held, after: Held, at: datetime) -> bool:
    """Whether a change is made at once.

    It is where what recurs comes to more at the same interval, or to as much for the plan that is
    held, and months stay months or become a year; but never where more would be given back than
    charged. A cheaper plan by the year is a cheaper plan. Another plan for as much is none: back
    and forth, each would grant its quota anew.
    """
    old, new = before.subscription, after.subscription
    interval = old.interval
    if (interval, new.interval) == (Interval.YEAR, Interval.MONTH):
        return False
    recurred = _recurring_micros(account, before, interval)
    recurs = _recurring_micros(account, after, interval)
    if recurs < recurred or (recurs == recurred and new.plan_id != old.plan_id):
        return False
    return sums(change_lines(account, before, after, at)).total_micros >= 0


def _recurring_micros(account: Account, held: Held, interval: Interval) -> int:
    """Net, of a whole term of that interval."""
    subscription, catalog = replace(held.subscription, interval=interval), held.sold.catalog
    lines = renewal_lines(account, subscription, held.plan, catalog, subscription.term)
    return sums(lines).subtotal_micros


def _at_once(
    account: Account, held: Held, plan: Plan, offered: CatalogVersion, wanted: NextPlan
) -> Held:
    """The new plan from today on, with as many units as were paid for, exist or are contracted."""
    before = held.subscription
    is_new_term = wanted.interval is not before.interval
    changed = replace(
        before,
        plan_id=plan.plan_id,
        catalog_version=offered.version,
        interval=wanted.interval,
        term=term_at(account.period, wanted.interval, account) if is_new_term else before.term,
        next_plan=None,
        units=(),
    )
    today = local_day(wanted.asked_at, account.time_zone)
    for kind in sorted({unit.kind for unit in plan.units} | {one.kind for one in before.units}):
        item = before.unit(kind)
        if plan.unit(kind) is None:
            # Members may hold a kind that the plan does not sell; it counts for nothing.
            changed = changed.with_unit(UnitItem(kind, created=item.created))
            continue
        kept = max(_paid(held, kind), item.created, contracted(before, kind, plan, today))
        changed = changed.with_unit(replace(item, quantity=kept))
    return Held(changed, offered)


def _paid(held: Held, kind: str) -> int:
    """Units that stay available because they were paid for; none where all were included."""
    terms = held.plan.unit(kind)
    included = terms.included if terms else 0
    quantity = available(held.subscription, kind, held.plan)
    return quantity if quantity > included else 0


def check_carried(
    held: Held, plan: Plan, sold: CatalogVersion, *, is_at_once: bool = False
) -> None:
    """Nothing that was bought is lost by another plan, unless it is scheduled to end with this one.

    Args:
        plan: What is held then, sold under that version.
        is_at_once: What is scheduled for the term's end is held still.

    Raises:
        NotSoldError: It has no such units, or its catalogue no such package.
    """
    for item in held.subscription.units:
        kind = held.sold.catalog.licences.get(item.kind)
        is_bought = kind is not None and not kind.is_counted_by_members
        if is_bought and _stays(item, is_at_once) and plan.unit(item.kind) is None:
            raise NotSoldError(
                f"{plan.name} has no licence {item.kind}, and {item.created} are held:"
                " reduce them to 0 first",
                field="what",
            )
    for item in held.subscription.packages:
        if _stays(item, is_at_once) and item.kind not in sold.catalog.packages:
            raise NotSoldError(
                f"package {item.kind} is not sold beside {plan.name}: reduce it to 0 first",
                field="what",
            )


def _stays(item: UnitItem, is_at_once: bool) -> bool:
    """Whether some of it is left once the plan is another one."""
    left = item.created if is_at_once or item.next_created is None else item.next_created
    return left > 0
