"""Changing what an account holds, as it is wanted: what it holds then, and what that costs now.

A quote shows it, and an order does it; both decide here, from the same things.

Source: docs/subscriptions.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.catalog_versions import Versions, plan_of
from billing.domain.documents import Line
from billing.domain.errors import (
    BelowContractedMinimumError,
    InvalidInputError,
    NotSoldError,
    PlanLimitError,
)
from billing.domain.holdings import held_terms, with_terms
from billing.domain.number_orders import number_lines
from billing.domain.once import bundle_lines, bundles_of, product_lines
from billing.domain.orders import Want, WantKind
from billing.domain.periods import local_day
from billing.domain.plan_changes import check_carried, with_plan
from billing.domain.renewing import with_next_plan
from billing.domain.selling import Bundle, Package
from billing.domain.selling_form import contacts_json
from billing.domain.subscription import Subscription, UnitItem
from billing.domain.term_lines import Held, change_lines
from billing.domain.unit_counts import available, contracted, is_held
from billing.domain.wants import check_wants, named

MOST_PACKAGE_GRANTS = 10
"""Of one account: its state is written with every posting, and carries each."""

MAX_GRANTED = 10**12
"""As much as one recurring grant can be."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What an account holds once it has what is wanted.

    Args:
        account: With its plan, grants and next plan; no money has moved.
        subscription: Revised.
        versions: What it is sold under then.
        lines: What is charged now.
        bundles: Bought now, each with how many; their lots are named by what charges for them.
    """

    account: Account
    subscription: Subscription
    versions: Versions
    lines: tuple[Line, ...]
    bundles: tuple[tuple[Bundle, int], ...] = ()


def changed(
    account: Account,
    subscription: Subscription,
    versions: Versions,
    wants: Sequence[Want],
    numbers_held: int,
    at: datetime,
) -> Changed:
    """Decide on everything that is wanted at once.

    Args:
        account: Current as of ``at``, in a period that is billed.
        numbers_held: Phone numbers that are not released.
        at: Prices and days are as of then (aware UTC).

    Raises, in order of precedence:
        InvalidInputError: What is wanted makes no sense, whatever is held; see ``check_wants``.
        NotSoldError, PlanLimitError, ContactSalesError, BelowContractedMinimumError: A want cannot
            be had: the plan's first, then units, packages, bundles, products and numbers; names
            ``wants/<i>/<field>``.
        InvalidInputError: All of it is so already; names ``wants``.
    """
    check_wants(wants)
    of = _by_kind(wants)
    before = Held(subscription, versions.sold)
    held = before
    for index, want in of(WantKind.PLAN):
        with named(index):
            held = with_plan(account, held, want, versions.offered, numbers_held, at)
    versions = _now_known(versions, held)
    for index, want in of(WantKind.UNITS):
        with named(index):
            held = _with_units(account, held, want, versions, at)
    for index, want in of(WantKind.PACKAGE):
        with named(index):
            held = _with_package(account, held, want)
    _check_next_plan(held, versions, of(WantKind.PLAN))
    numbers = of(WantKind.NUMBER)
    bundles = bundles_of(account, of(WantKind.BUNDLE), versions.offered, at)
    lines = (
        *change_lines(account, before, held, at),
        *bundle_lines(account, bundles, versions.offered),
        *product_lines(account, of(WantKind.PRODUCT), versions.offered),
        *number_lines(account, numbers, _plans(held, versions), versions.offered, numbers_held, at),
    )
    if held.subscription == subscription and not lines and not numbers:
        raise InvalidInputError("all of this is so already: nothing would change", field="wants")
    return Changed(
        account=_holding(account, held, versions, at),
        subscription=held.subscription.revised(),
        versions=versions,
        lines=lines,
        bundles=bundles,
    )


def _by_kind(wants: Sequence[Want]) -> Callable[[WantKind], list[tuple[int, Want]]]:
    return lambda kind: [(index, one) for index, one in enumerate(wants) if one.kind is kind]


def _now_known(versions: Versions, held: Held) -> Versions:
    """The versions once the plan is changed: a new one goes on under what it is sold under."""
    subscription = held.subscription
    if held.sold is not versions.sold:
        return Versions(versions.offered, held.sold, held.sold)
    wanted = subscription.next_plan
    if wanted is not None and wanted.catalog_version == versions.offered.version:
        return replace(versions, scheduled=versions.offered)
    return versions


def _plans(held: Held, versions: Versions) -> tuple[Plan, ...]:
    """What is held, and what is scheduled."""
    waiting = held.subscription.next_plan
    if waiting is None:
        return (held.plan,)
    scheduled = versions.numbered(waiting.catalog_version)
    return (held.plan, plan_of(scheduled.catalog, waiting.plan_id))


def _check_next_plan(held: Held, versions: Versions, wants: list[tuple[int, Want]]) -> None:
    """What is held when the term turns goes on under the plan that is scheduled."""
    waiting = held.subscription.next_plan
    if waiting is None:
        return
    sold = versions.numbered(waiting.catalog_version)
    try:
        check_carried(held, plan_of(sold.catalog, waiting.plan_id), sold)
    except NotSoldError as refused:
        refused.field = f"wants/{wants[0][0]}/what" if wants else "wants"
        raise


def _holding(account: Account, held: Held, versions: Versions, at: datetime) -> Account:
    """The account with the terms of what is held, at once and from the next period on."""
    packages = held.subscription.packages
    terms = held_terms(held.sold, held.subscription.plan_id, packages)
    if terms != account.plan:
        account = with_terms(account, terms, at)
    return with_next_plan(account, held.subscription, versions)


def _with_units(account: Account, held: Held, want: Want, versions: Versions, at: datetime) -> Held:
    """More at once, charged to the term's end; fewer when the term turns."""
    plan, subscription, catalog = held.plan, held.subscription, held.sold.catalog
    kind = catalog.licences.get(want.what)
    if kind is None or plan.unit(want.what) is None:
        raise NotSoldError(f"{plan.name} does not sell licence {want.what[:64]!r}")
    item = subscription.unit(want.what)
    there = available(subscription, want.what, plan)
    if kind.is_counted_by_members:
        if want.quantity < max(there, item.created):
            _check_floor(account, held, want, versions, at, is_reduced=True)
            raise InvalidInputError(
                f"{kind.name} go with the members who hold them: what is paid for stays to the"
                " term's end, and then there are as many as members",
                field="quantity",
            )
        more = replace(item, quantity=max(item.quantity, _raised(want.quantity, there)))
        return replace(held, subscription=subscription.with_unit(more))
    is_reduced = want.quantity < item.created
    _check_floor(account, held, want, versions, at, is_reduced=is_reduced)
    if is_reduced:
        changed_item = replace(item, next_created=want.quantity)
    else:
        quantity = max(item.quantity, _raised(want.quantity, there))
        changed_item = replace(item, created=want.quantity, quantity=quantity, next_created=None)
    return replace(held, subscription=subscription.with_unit(changed_item))


def _raised(wanted: int, there: int) -> int:
    """What is paid for then; nothing is where there are enough."""
    return wanted if wanted > there else 0


def _check_floor(
    account: Account, held: Held, want: Want, versions: Versions, at: datetime, *, is_reduced: bool
) -> None:
    """
    Raises:
        BelowContractedMinimumError: On the day it would take effect, the contract or the catalogue
            asks for more, or the contract holds what was added.
    """
    subscription, plan = held.subscription, held.plan
    day = local_day(subscription.term.end_at if is_reduced else at, account.time_zone)
    wanted = subscription.next_plan
    if is_reduced and wanted is not None:
        plan = versions.numbered(wanted.catalog_version).catalog.plans[wanted.plan_id]
    floor = contracted(subscription, want.what, plan, day)
    if is_reduced and is_held(subscription, day):
        floor = max(floor, subscription.unit(want.what).created)
    if want.quantity < floor:
        raise BelowContractedMinimumError(
            f"at least {floor:,} are agreed on: ask your account manager",
            field="quantity",
            members={"contacts": contacts_json(held.sold.catalog.contacts), "minimum": floor},
        )


def _with_package(account: Account, held: Held, want: Want) -> Held:
    """More at once, charged to the term's end; fewer when the term turns."""
    package = held.sold.catalog.packages.get(want.what)
    if package is None:
        raise NotSoldError(
            f"package {want.what[:64]!r} is not sold under the catalogue of this subscription"
        )
    package.price.micros(account.currency, held.subscription.interval)
    item = held.subscription.package(want.what)
    if want.quantity < item.created:
        changed_item = replace(item, next_created=want.quantity)
    else:
        _check_times(package, want.quantity)
        changed_item = UnitItem(want.what, want.quantity, want.quantity)
    subscription = held.subscription.with_package(changed_item)
    packages = held.sold.catalog.packages
    grants = sum(
        len(packages[one.kind].grants) for one in subscription.packages if one.kind in packages
    )
    if grants > MOST_PACKAGE_GRANTS:
        raise PlanLimitError(
            f"packages of one account have at most {MOST_PACKAGE_GRANTS} grants", field="what"
        )
    return replace(held, subscription=subscription)


def _check_times(package: Package, count: int) -> None:
    for grant in package.grants:
        if grant.unlimited and count > 1:
            raise InvalidInputError(f"{package.name} is unlimited: one is enough", field="quantity")
        if grant.quantity * count > MAX_GRANTED:
            raise InvalidInputError("this is more than can be granted", field="quantity")
