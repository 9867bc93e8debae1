"""People assign licences, and take them away."""

from collections.abc import Iterable
from datetime import datetime

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.effects import Effect
from billing.domain.licences import Assignment, assign, counted
from billing.domain.records import Record
from billing.domain.selling import LicenceKind
from billing.domain.subscription import Subscription


def assigned(
    account: Account,
    subscription: Subscription,
    kind: LicenceKind,
    quantity: int,
    assignments: Iterable[Assignment],
    member_id: str,
    by: By,
    now: datetime,
) -> Change | None:
    """Assign a licence to a member; None: he has one.

    Args:
        subscription: Read after the account.
        quantity: How many there are.
        assignments: Every one of that kind, read after the account.

    Raises:
        NoLicenceAvailableError: Every one of a named kind is assigned.
    """
    made = assign(kind, quantity, assignments, account.ref, member_id, now)
    return None if made is None else _change(account, subscription, kind, made, by, now)


def taken(
    account: Account,
    subscription: Subscription,
    kind: LicenceKind,
    assignments: Iterable[Assignment],
    member_id: str,
    by: By,
    now: datetime,
) -> Change | None:
    """Take a member's licence away; None: he has none. What it was paid for stays to be assigned
    again."""
    mine = next((one for one in assignments if one.member_id == member_id and one.is_held), None)
    if mine is None:
        return None
    return _change(account, subscription, kind, mine.removed(now), by, now)


def _change(
    account: Account,
    subscription: Subscription,
    kind: LicenceKind,
    made: Assignment,
    by: By,
    now: datetime,
) -> Change:
    verb = "assigned" if made.is_held else "removed"
    # The version makes it this change and no other: assigning, removing and assigning are three.
    name = f"licence/{made.thing_name}/{verb}/v{account.version}"
    operation = step(account, name, [], now)
    shown: dict[str, Json] = {"licence": made.kind, "member": made.member_id}
    audit = by.audit(
        account.ref,
        operation.operation_id,
        f"licence.{verb}",
        before={} if made.is_held else shown,
        after=shown if made.is_held else {},
        at=now,
    )
    revised = counted(subscription, kind, 1 if made.is_held else -1)
    records: tuple[Record, ...] = (made, audit)
    if revised is not subscription:
        records = (*records, revised)
    return effect_change(account, Effect(account, records=records), operation=operation, now=now)
