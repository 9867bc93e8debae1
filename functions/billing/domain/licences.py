"""Licences: who has one by name, and what that entitles to.

Source of the rules: docs/licences.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.catalog import Plan
from billing.domain.errors import (
    InsufficientPortsError,
    InvalidInputError,
    LicenceRequiredError,
    NoLicenceAvailableError,
    TalktimeError,
)
from billing.domain.pooling import NOT_ASSIGNED
from billing.domain.selling import LicenceKind, LicenceMode
from billing.domain.subscription import Subscription
from billing.domain.unit_counts import available


@dataclass(frozen=True, slots=True)
class Assignment:
    """A licence of one kind that a member has by name, or has had.

    Args:
        kind: The licence kind.
        removed_at: None: he has it.
    """

    KIND: ClassVar[str] = "LICENCE"

    account: AccountRef
    kind: str
    member_id: str
    assigned_at: datetime
    removed_at: datetime | None = None

    @property
    def thing_name(self) -> str:
        return assignment_name(self.kind, self.member_id)

    @property
    def is_held(self) -> bool:
        return self.removed_at is None

    def removed(self, now: datetime) -> "Assignment":
        return replace(self, removed_at=now)


def assignment_name(kind: str, member_id: str) -> str:
    return assignments_of(kind) + member_id


def assignments_of(kind: str) -> str:
    """What the names of a kind's assignments begin with."""
    return f"{kind}/"


def held(assignments: Iterable[Assignment], kind: str) -> int:
    return sum(one.is_held and one.kind == kind for one in assignments)


def quantity_of(subscription: Subscription, plan: Plan | None, kind: str) -> int:
    """How many licences of a kind there are in this term.

    Args:
        plan: The subscription's, as it was sold; None: that version had none of its name.
    """
    if plan is None:
        return subscription.unit(kind).quantity
    return available(subscription, kind, plan)


def assign(
    kind: LicenceKind,
    quantity: int,
    assignments: Iterable[Assignment],
    owner: AccountRef,
    member_id: str,
    now: datetime,
) -> Assignment | None:
    """Give a member a licence; None: he has one.

    A pool takes any number of assignments: they say who may take a port, and not that there is one.

    Args:
        quantity: How many there are.
        assignments: Every one of that kind.

    Raises:
        NoLicenceAvailableError: Every one of a named kind is assigned.
    """
    assignments = tuple(assignments)
    mine = [one for one in assignments if one.member_id == member_id and one.kind == kind.kind]
    if any(one.is_held for one in mine):
        return None
    assigned = held(assignments, kind.kind)
    if kind.mode is LicenceMode.NAMED and assigned >= quantity:
        there_are = f"all {quantity} are" if quantity else "there is none to be"
        raise NoLicenceAvailableError(
            f"no licence of {kind.kind} is free, {there_are} assigned: buy another, or take one"
            " from somebody",
            members={"licence": kind.kind, "quantity": quantity, "assigned": assigned},
        )
    return Assignment(owner, kind.kind, member_id, now)


def counted(subscription: Subscription, kind: LicenceKind, change: int) -> Subscription:
    """The subscription, where its units are counted by who holds one.

    Args:
        change: How many more hold one; negative: fewer.
    """
    if not kind.is_counted_by_members:
        return subscription
    item = subscription.unit(kind.kind)
    counted = replace(item, created=max(0, item.created + change))
    return subscription.with_unit(counted).revised()


def given_on_joining(plan: Plan, kinds: Mapping[str, LicenceKind]) -> tuple[LicenceKind, ...]:
    """The kinds of which every member gets one when he joins; their units follow the members.

    Args:
        kinds: The catalogue's, by name.
    """
    sold = (kinds[unit.kind] for unit in plan.units if unit.kind in kinds)
    return tuple(kind for kind in sold if kind.is_counted_by_members)


def left_behind(
    subscription: Subscription,
    kinds: Mapping[str, LicenceKind],
    assignments: Iterable[Assignment],
    member_id: str,
    now: datetime,
) -> tuple[Subscription, tuple[Assignment, ...]]:
    """What a member who goes leaves behind: every licence that he had is free for somebody else.

    Args:
        assignments: Every one of his, of every kind; others are passed over.

    Returns:
        The subscription with its units counted again, and his assignments, removed.
    """
    his = [one for one in assignments if one.member_id == member_id and one.is_held]
    for one in his:
        if one.kind in kinds:
            subscription = counted(subscription, kinds[one.kind], -1)
    return subscription, tuple(one.removed(now) for one in his)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What somebody may do with licences of a kind, as of now.

    Args:
        quantity: How many there are.
        member_id: Empty: nobody was named.
        is_active: False: the member is deactivated, and may use none.
        is_assigned: The member has one by name.
    """

    kind: LicenceKind
    quantity: int
    member_id: str = ""
    is_active: bool = True
    is_assigned: bool = False

    @property
    def is_pooled(self) -> bool:
        return self.kind.mode is LicenceMode.POOLED

    @property
    def needs_assignment(self) -> bool:
        return not self.is_pooled or self.kind.needs_assignment

    @property
    def allows(self) -> bool:
        """Whether he may use it; a port of a pool may still not be free."""
        return self.is_active and (self.is_assigned or not self.needs_assignment)

    def require(self) -> None:
        """
        Raises:
            InvalidInputError: The kind is for members, and none was named.
            LicenceRequiredError: The member has none of a named kind.
            InsufficientPortsError: The member may take no port of the pool.
        """
        if self.needs_assignment and not self.member_id:
            raise InvalidInputError(
                f"{self.kind.kind} is for members it is assigned to: say who it is", field="member"
            )
        if not self.allows:
            raise self.refusal

    @property
    def refusal(self) -> TalktimeError:
        """Why it is not allowed; its members name the member, where assigning one to him helps."""
        members: dict[str, Json] = {"licence": self.kind.kind}
        if self.is_active:
            members["member"] = self.member_id
        detail = (
            f"the member has no licence of {self.kind.kind}: assign one"
            if self.is_active
            else "the member is deactivated, and uses no licence"
        )
        if self.is_pooled:
            return InsufficientPortsError(detail, members={**members, "cause": NOT_ASSIGNED})
        return LicenceRequiredError(detail, members=members)
