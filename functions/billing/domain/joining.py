"""Members who join and leave, and what that does to the account that pays for their units.

Who joins gets one of every kind that is counted by members; where no paid or included unit is free,
one is added, and charged from today to the term's end on an invoice of the very Change that makes
him a member. Who leaves leaves his licences behind; what was paid for stays for the term.

Source: docs/subscriptions.md, "Units".
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.catalog_versions import CatalogVersion
from billing.domain.documents import DocumentNumbers, Line
from billing.domain.effects import Effect
from billing.domain.invoicing import raised
from billing.domain.licences import Assignment, given_on_joining, left_behind
from billing.domain.member_units import with_members
from billing.domain.members import Membership
from billing.domain.ordering import subscription_changed
from billing.domain.subscription import Subscription


def membership_effect(
    account: Account,
    subscription: Subscription,
    sold: CatalogVersion,
    documents: DocumentNumbers,
    assignments: Iterable[Assignment],
    membership: Membership,
    cause: str,
    now: datetime,
) -> Effect:
    """What a member's coming or going does.

    Args:
        account: Pays for his units; its period is billed.
        sold: The version the subscription is under.
        assignments: Every one of the account's.
        membership: Of somebody who comes or goes, and not of one who only changes.
        cause: The operation that changes him.

    Raises:
        NotSoldError: A unit has prices, and none in the account's currency.
    """
    if membership.after.is_created:
        return _joined(account, subscription, sold, documents, membership, cause, now)
    return _left(account, subscription, sold, assignments, membership, now)


def _joined(
    account: Account,
    subscription: Subscription,
    sold: CatalogVersion,
    documents: DocumentNumbers,
    membership: Membership,
    cause: str,
    now: datetime,
) -> Effect:
    plan = sold.catalog.plans.get(subscription.plan_id)
    kinds = given_on_joining(plan, sold.catalog.licences) if plan else ()
    lines: tuple[Line, ...] = ()
    for kind in kinds:
        subscription, added = with_members(account, subscription, sold, kind.kind, 1, now)
        lines += added
    if not kinds:
        return Effect(account)
    member_id = membership.after.member_id
    given = tuple(Assignment(account.ref, kind.kind, member_id, now) for kind in kinds)
    if not lines:
        return Effect(account, records=(subscription, *given))
    invoiced = raised(account, subscription, documents, lines, cause, now)
    told = subscription_changed(subscription, "", cause, now)
    return replace(invoiced, records=(*invoiced.records, *given), events=(*invoiced.events, told))


def _left(
    account: Account,
    subscription: Subscription,
    sold: CatalogVersion,
    assignments: Iterable[Assignment],
    membership: Membership,
    now: datetime,
) -> Effect:
    kinds, member_id = sold.catalog.licences, membership.after.member_id
    after, removed = left_behind(subscription, kinds, assignments, member_id, now)
    return Effect(account, records=(after, *removed)) if removed else Effect(account)
