"""What is scheduled for the term's end, and taking it back before.

Source: docs/subscriptions.md, "Scheduled changes".
"""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.canonical import Json
from billing.domain.catalog_versions import Versions, plan_of
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.effects import Effect
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.ordering import subscription_changed
from billing.domain.orders import WantKind
from billing.domain.renewing import with_next_plan
from billing.domain.selling import Interval
from billing.domain.subscription import Subscription, UnitItem

PLAN = "plan"


@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """One change that waits for the term's end.

    Args:
        change_id: What it is taken back by.
        what: The plan, licence kind or package, by its id.
        quantity: How many there are from then on; of a plan: 1.
        interval: Of the plan's terms.
        at: When.
    """

    change_id: str
    kind: WantKind
    what: str
    quantity: int
    interval: Interval | None
    at: datetime


def scheduled_changes(subscription: Subscription) -> tuple[ScheduledChange, ...]:
    """All of them: the plan first, then units and packages by id."""
    at = subscription.term.end_at
    found: list[ScheduledChange] = []
    waiting = subscription.next_plan
    if waiting is not None:
        found.append(ScheduledChange(PLAN, WantKind.PLAN, waiting.plan_id, 1, waiting.interval, at))
    for kind, items in (
        (WantKind.UNITS, subscription.units),
        (WantKind.PACKAGE, subscription.packages),
    ):
        found += (
            ScheduledChange(_name(kind, item), kind, item.kind, item.next_created, None, at)
            for item in items
            if item.next_created is not None
        )
    return tuple(found)


def without(subscription: Subscription, change_id: str) -> tuple[Subscription, ScheduledChange]:
    """The subscription with one change taken back.

    Raises:
        NotFoundError: Nothing of that name is scheduled.
    """
    found = (one for one in scheduled_changes(subscription) if one.change_id == change_id)
    change = next(found, None)
    if change is None:
        raise NotFoundError("there is no such scheduled change")
    match change.kind:
        case WantKind.PLAN:
            kept = replace(subscription, next_plan=None)
        case WantKind.UNITS:
            item = replace(subscription.unit(change.what), next_created=None)
            kept = subscription.with_unit(item)
        case _:
            item = replace(subscription.package(change.what), next_created=None)
            kept = subscription.with_package(item)
    return kept.revised(), change


def take_back(
    account: Account,
    kept: Subscription,
    change: ScheduledChange,
    versions: Versions,
    by: By,
    now: datetime,
) -> Change:
    """Take back a scheduled change: what is held stays as it is.

    Args:
        kept: From ``without``.
        versions: Read for it.

    Raises:
        ConflictError: The plan that is scheduled does not have it: that is taken back first.
    """
    _require_sold(kept, change, versions)
    operation = step(account, f"scheduled/{change.change_id}/v{account.version}", [], now)
    audit = by.audit(
        account.ref,
        operation.operation_id,
        "scheduled_change.cancelled",
        before=change_json(change),
        after={},
        at=now,
    )
    effect = Effect(
        with_next_plan(account, kept, versions),
        records=(kept, audit),
        events=(subscription_changed(kept, "", operation.operation_id, now),),
    )
    return effect_change(account, effect, operation=operation, now=now)


def change_json(change: ScheduledChange) -> dict[str, Json]:
    """A scheduled change, as audit records keep it."""
    return {
        "scheduled_change": change.change_id,
        "kind": change.kind.value,
        "what": change.what,
        "quantity": change.quantity,
        "interval": change.interval.value if change.interval else None,
        "at": change.at.isoformat(),
    }


def _require_sold(kept: Subscription, change: ScheduledChange, versions: Versions) -> None:
    waiting = kept.next_plan
    if waiting is None or change.kind is WantKind.PLAN:
        return
    catalog = versions.numbered(waiting.catalog_version).catalog
    plan = plan_of(catalog, waiting.plan_id)
    is_unit = change.kind is WantKind.UNITS
    is_had = plan.unit(change.what) is not None if is_unit else change.what in catalog.packages
    if not is_had:
        raise ConflictError(
            f"{plan.name}, which is scheduled, has no {change.what}: take back that plan first"
        )


def _name(kind: WantKind, item: UnitItem) -> str:
    return f"{kind.value}-{item.kind}"
