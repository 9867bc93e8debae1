"""The subscription: what an account holds, what it has paid for, and what it still owes.

One record per account, read after the account state and written with it, so that the account's
version guards it. What usage and calls need to know of it stands in the account state.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from billing.domain.account import Account, AccountRef
from billing.domain.documents import Line
from billing.domain.periods import Period, period_after
from billing.domain.selling import Interval


@dataclass(frozen=True, slots=True)
class UnitItem:
    """Units of one licence kind, or of one package.

    Args:
        kind: The licence kind, or the package's id.
        quantity: What may be used in this term: paid, or included in the plan.
        created: What exists. By members: how many hold one; by quantity: how many were bought.
        next_created: By quantity: what it is reduced to when the term turns; None: nothing.
    """

    kind: str
    quantity: int = 0
    created: int = 0
    next_created: int | None = None


class UnitCommitment(StrEnum):
    """How long added units are held: to the end of their term, or to the end of the contract."""

    PERIOD = "period"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class Contract:
    """What the operator and the tenant have agreed on beyond the catalogue.

    Args:
        starts_on: First local day.
        ends_on: The day after the last.
        minimums: Licence kind and units; in place of the catalogue's.
    """

    starts_on: date
    ends_on: date
    minimums: tuple[tuple[str, int], ...] = ()
    unit_commitment: UnitCommitment = UnitCommitment.PERIOD

    def is_in_force(self, day: date) -> bool:
        return self.starts_on <= day < self.ends_on


@dataclass(frozen=True, slots=True)
class NextPlan:
    """A change of plan or interval that waits for the term's end."""

    plan_id: str
    catalog_version: int
    interval: Interval
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice that is not paid.

    Args:
        is_past_due: Collecting it has failed, and people were told.
    """

    number: int
    total_micros: int
    issued_at: datetime
    is_past_due: bool = False


@dataclass(frozen=True, slots=True)
class Dunning:
    """How collecting what is open has gone.

    Args:
        first_failed_at: Past due since.
        failures: Attempts that failed.
        next_try_at: When it is tried again; None: not by itself.
        suspend_at: From when on outbound calls are suspended, unless a try is left; None: they are.
        sources: Who could have been asked at the last failure, in order: somebody new is asked at
            once.
    """

    first_failed_at: datetime
    failures: int
    next_try_at: datetime | None
    suspend_at: datetime | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Storage:
    """What is stored, and how far the free limit is extended.

    Args:
        used_bytes: The gauge, as it was last told.
        told_at: When; None: never.
        extended_gb: What has been paid for on top of the free limit.
        needed_gb: The most of it that was needed in the account's period it was last told in.
        period_end_at: When that period ends.
    """

    used_bytes: int = 0
    told_at: datetime | None = None
    extended_gb: int = 0
    needed_gb: int = 0
    period_end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """One account's subscription.

    Args:
        plan_id: As the account's, which also keeps its grants and features.
        catalog_version: The version all of it was sold under.
        interval: How long a term is.
        term: What has been billed: one period, or twelve.
        billed_until: The first instant that no invoice pays for yet. The period that begins there
            is billed when the account is in it.
        units: By licence kind.
        packages: By package.
        next_plan: What waits for the term's end.
        pending: Lines that go on the next invoice.
        open_invoices: Oldest first.
        collect_at: When the oldest of them is to be collected; None: it is being collected, or
            ``dunning`` says when.
        dunning: None: nothing has failed.
        numbers_due_at: When the first of the numbers needs something done; None: none does.
        revision: Rises when anything a quote was computed from changes.
    """

    KIND: ClassVar[str] = "SUBSCRIPTION"

    account: AccountRef
    plan_id: str
    catalog_version: int
    interval: Interval
    term: Period
    billed_until: datetime
    units: tuple[UnitItem, ...] = ()
    packages: tuple[UnitItem, ...] = ()
    contract: Contract | None = None
    next_plan: NextPlan | None = None
    pending: tuple[Line, ...] = ()
    open_invoices: tuple[OpenInvoice, ...] = ()
    collect_at: datetime | None = None
    dunning: Dunning | None = None
    numbers_due_at: datetime | None = None
    storage: Storage = field(default_factory=Storage)
    revision: int = 1

    @property
    def thing_name(self) -> str:
        return ""

    def unit(self, kind: str) -> UnitItem:
        """The item of a licence kind; an empty one where nothing is held."""
        return item_of(self.units, kind)

    def package(self, package_id: str) -> UnitItem:
        """The item of a package; an empty one where it is not held."""
        return item_of(self.packages, package_id)

    def with_unit(self, item: UnitItem) -> "Subscription":
        return replace(self, units=_with(self.units, item))

    def with_package(self, item: UnitItem) -> "Subscription":
        return replace(self, packages=_with(self.packages, item))

    def revised(self) -> "Subscription":
        return replace(self, revision=self.revision + 1)

    @property
    def due_at(self) -> datetime | None:
        """When something has to be done that no turn of a period brings about."""
        dunning = self.dunning
        tries = (dunning.next_try_at, dunning.suspend_at) if dunning else ()
        known = [at for at in (*tries, self.collect_at, self.numbers_due_at) if at is not None]
        return min(known, default=None)


def item_of(items: Iterable[UnitItem], kind: str) -> UnitItem:
    return next((one for one in items if one.kind == kind), UnitItem(kind))


def _with(items: tuple[UnitItem, ...], item: UnitItem) -> tuple[UnitItem, ...]:
    """By kind, without those that say nothing."""
    others = [one for one in items if one.kind != item.kind]
    kept = [*others, item] if item != UnitItem(item.kind) else others
    return tuple(sorted(kept, key=lambda one: one.kind))


def first_subscription(account: Account) -> Subscription:
    """What an account holds that has bought nothing but its plan.

    Its current period counts as billed: it is what an account opened before there were invoices
    has, too.
    """
    return Subscription(
        account=account.ref,
        plan_id=account.plan.plan_id,
        catalog_version=account.plan.catalog_version,
        interval=Interval.MONTH,
        term=account.period,
        billed_until=account.period.end_at,
    )


def term_at(start: Period, interval: Interval, account: Account) -> Period:
    """The term that begins with a period: that one, or twelve from it on."""
    last = start
    for _ in range(interval.periods - 1):
        last = period_after(last, account.billing_day, account.time_zone)
    return Period(start.start_at, last.end_at)
