"""The billing account: what is billed. One currency, one wallet, one plan, one time zone."""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from billing.domain.alerting import Alerting
from billing.domain.errors import InvalidInputError
from billing.domain.grants import Grant, RecurringGrant
from billing.domain.money import Money
from billing.domain.periods import Period
from billing.domain.recharging import Recharging
from billing.domain.units import Metered, Unit, metered_plus

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class AccountRef:
    """Names one account; the tenant always comes first, and from the verified token."""

    tenant_id: str
    account_id: str

    def __str__(self) -> str:
        return f"{self.tenant_id}#{self.account_id}"


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """Where the account's ledger stands: the last entry's sequence, hash and time."""

    sequence: int
    hash: str
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class PlanFeatures:
    """What a plan allows, beyond what it grants.

    Args:
        concurrent_calls: How many calls may go on at once; None: as many as one account can have.
        queue_priority: What the dialler's queue is told; higher goes first.
    """

    concurrent_calls: int | None = None
    queue_priority: int = 0

    def __post_init__(self) -> None:
        if self.concurrent_calls is not None and not 1 <= self.concurrent_calls <= 100_000:
            raise InvalidInputError(
                "concurrent_calls is 1 to 100,000; leave it out for no limit",
                field="features/concurrent_calls",
            )
        if not 0 <= self.queue_priority <= 100:
            raise InvalidInputError("queue_priority is 0 to 100", field="features/queue_priority")


class Standing(StrEnum):
    """Whether the account has paid its invoices: past due is told, suspended stops outbound."""

    GOOD = "good"
    PAST_DUE = "past_due"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What the account was sold: kept with it, so that a new catalogue changes nothing.

    Args:
        recurring_grants: The plan's, and those of packages that are held beside it.
        refills_while_past_due: Whether they are refilled while an invoice is past due.
    """

    plan_id: str
    catalog_version: int
    recurring_grants: tuple[RecurringGrant, ...] = ()
    features: PlanFeatures = field(default_factory=PlanFeatures)
    refills_while_past_due: bool = True


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """What has been posted since the period began.

    Args:
        metered: Units other than seconds and messages.
    """

    calls: int = 0
    voice_seconds: int = 0
    messages: int = 0
    granted_voice_seconds: int = 0
    granted_messages: int = 0
    wallet_micros: int = 0
    metered: Metered = ()

    def plus(self, unit: Unit, quantity: int, granted: int, wallet_micros: int) -> "PeriodTotals":
        wallet = self.wallet_micros + wallet_micros
        if unit.is_timed:
            return replace(
                self,
                calls=self.calls + 1,
                voice_seconds=self.voice_seconds + quantity,
                granted_voice_seconds=self.granted_voice_seconds + granted,
                wallet_micros=wallet,
            )
        if unit.is_own:
            metered = metered_plus(self.metered, (unit, quantity, granted))
            return replace(self, metered=metered, wallet_micros=wallet)
        return replace(
            self,
            messages=self.messages + quantity,
            granted_messages=self.granted_messages + granted,
            wallet_micros=wallet,
        )

    def minus(self, unit: Unit, quantity: int, granted: int, wallet_micros: int) -> "PeriodTotals":
        """Undo ``plus``. A total is negative where a period before had counted what is undone."""
        less = self.plus(unit, -quantity, -granted, -wallet_micros)
        # ``plus`` counted one more call where one less is meant.
        return replace(less, calls=2 * self.calls - less.calls)


@dataclass(frozen=True, slots=True)
class Account:
    """The account state: everything a decision needs, under one version.

    Args:
        version: Rises by one with every Change.
        wallet_micros: The settled balance; usage may drive it negative.
        daily_spend: Wallet micros charged for usage, by the local day the usage ended, oldest
            first; days without any are left out.
        standing: Whether its invoices are paid.
        next_plan: What it holds from the next period on; None: what it holds now.
        alerting: What it wants to be told of.
        hourly_spend: The same by the hour (whole hours since 1970, UTC) for the last few, where
            early recharge looks at them.
    """

    ref: AccountRef
    version: int
    currency: str
    time_zone: str
    billing_day: int
    created_at: datetime
    plan: PlanTerms
    rate_deck: str
    wallet_micros: int
    head: LedgerHead
    period: Period
    totals: PeriodTotals = field(default_factory=PeriodTotals)
    grants: tuple[Grant, ...] = ()
    recharging: Recharging = field(default_factory=Recharging)
    daily_spend: tuple[tuple[date, int], ...] = ()
    hourly_spend: tuple[tuple[int, int], ...] = ()
    standing: Standing = Standing.GOOD
    next_plan: PlanTerms | None = None
    alerting: Alerting = field(default_factory=Alerting)

    def __post_init__(self) -> None:
        Money(self.wallet_micros, self.currency)

    @property
    def wallet(self) -> Money:
        return Money(self.wallet_micros, self.currency)

    @property
    def may_start_calls(self) -> bool:
        """Whether a new call may begin: not on a debt. Calls that run are never cut."""
        return self.wallet_micros >= 0

    def next_version(self) -> "Account":
        return replace(self, version=self.version + 1)


def require_id(value: str, field_name: str) -> str:
    """An id may stand in keys and paths: letters, digits, ``_`` and ``-``, 1 to 64 of them.

    Raises:
        InvalidInputError: It holds anything else, such as the key separator.
    """
    if _ID.fullmatch(value) is None:
        raise InvalidInputError(
            f"{field_name} is 1 to 64 letters, digits, '_' or '-'", field=field_name
        )
    return value
