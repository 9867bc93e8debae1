"""The billing account: what is billed. One currency, one wallet, one plan, one time zone."""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from billing.domain.errors import InvalidInputError
from billing.domain.grants import Grant, RecurringGrant
from billing.domain.money import Money
from billing.domain.periods import Period, local_day
from billing.domain.units import Metered, Unit, metered_plus

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

SPEND_DAYS = 31
"""Days of wallet spend an account remembers: 30 whole days and today."""


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
class PlanTerms:
    """What the account was sold: kept with it, so that a new catalogue changes nothing."""

    plan_id: str
    catalog_version: int
    recurring_grants: tuple[RecurringGrant, ...] = ()


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
class RechargePolicy:
    """When and how much automatic recharge collects.

    Args:
        mode: ``off``, ``fixed`` or ``target``.
        threshold_micros: A balance strictly below it fires.
        amount_micros: Fixed: what one multiple adds.
        target_micros: Target: what the balance is brought to.
        maximum_micros: The most one payment may be; None sets no limit.
    """

    mode: str = "off"
    threshold_micros: int = 0
    amount_micros: int = 0
    target_micros: int = 0
    maximum_micros: int | None = None


@dataclass(frozen=True, slots=True)
class OpenRecharge:
    """A payment on its way: intended, and not yet known to have succeeded or failed.

    Args:
        ordinal: Its number within the account; names the saga.
        amount_micros: A whole number of minor units.
        source_id: Which funding source pays.
        started_at: When the intent was committed; the gateway keeps the key for a day from here.
        is_unknown: The gateway was asked and did not answer.
    """

    ordinal: int
    amount_micros: int
    source_id: str
    started_at: datetime
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Recharging:
    """The recharge policy and how it stands."""

    policy: RechargePolicy = field(default_factory=RechargePolicy)
    ordinal: int = 0
    open: OpenRecharge | None = None
    due_at: datetime | None = None
    declines: int = 0
    suspended_at: datetime | None = None
    default_source_id: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The account state: everything a decision needs, under one version.

    Args:
        version: Rises by one with every Change.
        wallet_micros: The settled balance; usage may drive it negative.
        daily_spend: Wallet micros charged for usage, by the local day the usage ended, oldest
            first; days without any are left out.
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

    def __post_init__(self) -> None:
        Money(self.wallet_micros, self.currency)

    @property
    def wallet(self) -> Money:
        return Money(self.wallet_micros, self.currency)

    @property
    def in_flight_micros(self) -> int:
        """What is already on its way to the wallet."""
        return self.recharging.open.amount_micros if self.recharging.open else 0

    def next_version(self) -> "Account":
        return replace(self, version=self.version + 1)

    def with_spend(self, at: datetime, wallet_micros: int, now: datetime) -> "Account":
        """Add usage charged to the wallet to its own local day, and forget days gone by.

        Args:
            at: When the usage ended (aware UTC).
            wallet_micros: What the wallet paid for it; negative where it is taken back.
            now: Decides which days are still remembered (aware UTC).
        """
        if not wallet_micros:
            return self
        oldest = local_day(now, self.time_zone) - timedelta(days=SPEND_DAYS - 1)
        days = {day: micros for day, micros in self.daily_spend if day >= oldest}
        day = local_day(at, self.time_zone)
        if day >= oldest:
            days[day] = days.get(day, 0) + wallet_micros
        spent = {day: micros for day, micros in days.items() if micros}
        return replace(self, daily_spend=tuple(sorted(spent.items())))


def average_daily_spend_micros(account: Account, now: datetime) -> int:
    """Wallet spend per day over the 30 whole local days before today, rounded down.

    Days without use count as zero. An account younger than that averages over the days it has
    existed, one at the least.
    """
    today = local_day(now, account.time_zone)
    first = today - timedelta(days=SPEND_DAYS - 1)
    spent = sum(micros for day, micros in account.daily_spend if first <= day < today)
    age_days = (today - local_day(account.created_at, account.time_zone)).days
    return spent // max(1, min(SPEND_DAYS - 1, age_days))


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
