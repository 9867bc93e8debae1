"""Automatic recharge as an account carries it: the settings, and how collecting stands."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum


class RechargeMode(StrEnum):
    """How it is decided when to collect, and how much."""

    OFF = "off"
    FIXED = "fixed"
    TARGET = "target"
    USAGE = "usage"
    CALENDAR = "calendar"


class Every(StrEnum):
    """How often calendar mode collects."""

    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class RechargePolicy:
    """When and how much automatic recharge collects. What a mode does not use keeps its default.

    Args:
        mode: Which of the following count.
        threshold_micros: Fixed, target: a balance strictly below it fires.
        amount_micros: Fixed: what one multiple adds. Calendar: what is collected each time.
        target_micros: Target: what the balance is brought to.
        maximum_micros: The most one payment may be; None sets no limit.
        minimum_micros: Target, usage: the least one payment may be.
        monthly_cap_micros: The most automatic recharge may collect in a calendar month of the
            account's zone; None sets no limit.
        lookback_days: Usage: whole days before today that are averaged over.
        recharge_days: Usage: how many average days one multiple pays for.
        reserve_days: Usage: a balance strictly below so many average days fires.
        minimum_history_days: Usage: an account younger than the lookback averages over the days it
            has existed, and never over fewer than these.
        every: Calendar: a week or a month.
        day: Calendar: day of the week (1 is Monday) or of the month (in shorter months, the last).
        is_early: Collect at once when the burn of the last hours would empty the wallet before the
            next cycle.
    """

    mode: RechargeMode = RechargeMode.OFF
    threshold_micros: int = 0
    amount_micros: int = 0
    target_micros: int = 0
    maximum_micros: int | None = None
    minimum_micros: int = 0
    monthly_cap_micros: int | None = None
    lookback_days: int = 30
    recharge_days: int = 14
    reserve_days: int = 7
    minimum_history_days: int = 7
    every: Every = Every.WEEK
    day: int = 1
    is_early: bool = False


class RechargeReason(StrEnum):
    """Why a payment is collected."""

    AUTOMATIC = "automatic"
    EARLY = "early"
    CALENDAR = "calendar"
    REQUESTED = "requested"
    ORDER = "order"
    INVOICE = "invoice"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class OpenRecharge:
    """A payment on its way: intended, and not yet known to have succeeded or failed.

    Args:
        ordinal: Its number within the account; names the saga.
        amount_micros: A whole number of minor units.
        source_id: Which funding source is asked now; empty: a one-off payment saves none.
        started_at: When this attempt was committed; the gateway keeps its key for a day from here.
        is_unknown: The gateway was asked and did not answer.
        expected_at: Of a slow payment: when its outcome should be known. None: any moment.
        check_at: When to ask the gateway again, if nothing has been heard until then.
        is_waiting: For its customer, who may never come: it counts as nothing on its way.
        reason: Why it is collected.
        is_for_bill: It is spent as it comes, and fills no wallet.
    """

    ordinal: int
    amount_micros: int
    source_id: str
    started_at: datetime
    is_unknown: bool = False
    expected_at: datetime | None = None
    check_at: datetime | None = None
    is_waiting: bool = False
    reason: RechargeReason = RechargeReason.AUTOMATIC
    is_for_bill: bool = False


class DueReason(StrEnum):
    """Why the recharge timer stands."""

    LOW = "low"
    EARLY = "early"
    TOMORROW = "tomorrow"
    CALENDAR = "calendar"
    RETRY = "retry"
    MONTHLY_CAP = "monthly_cap"
    NO_HISTORY = "no_history"


class SuspendedReason(StrEnum):
    """Why automatic recharge waits for a person."""

    DECLINED = "declined"
    NEW_SOURCE_NEEDED = "new_source_needed"
    CUSTOMER_ACTION_NEEDED = "customer_action_needed"


@dataclass(frozen=True, slots=True)
class Collected:
    """What automatic recharge has collected, or is collecting, in one month.

    Args:
        month: Its first day, in the account's zone.
    """

    month: date
    amount_micros: int


@dataclass(frozen=True, slots=True)
class OpenRefund:
    """A refund the gateway has not confirmed yet.

    Args:
        check_at: When to ask the gateway again.
    """

    gateway: str
    payment_id: str
    number: int
    check_at: datetime


@dataclass(frozen=True, slots=True)
class Recharging:
    """The policy and how it stands.

    Args:
        ordinal: The last recharge's number.
        opened: Payments on their way, at most one from each source.
        due_at: When the recharge timer is due; None: none stands.
        due_reason: Why it stands.
        declines: Automatic recharges that failed in a row.
        retry_at: Not before then is it tried again.
        default_source_id: Who is asked first.
        backup_source_ids: Who is asked then, in order.
        notice_hours: How long a debit of the default source takes from its notice to the money; it
            is asked for that much earlier.
        calendar_after: Calendar: the last day that was collected for, or on which it was set.
        collected: This month's sum, for the monthly cap.
        refunds: Refunds that are not known to have succeeded or failed.
    """

    policy: RechargePolicy = field(default_factory=RechargePolicy)
    ordinal: int = 0
    opened: tuple[OpenRecharge, ...] = ()
    due_at: datetime | None = None
    due_reason: DueReason | None = None
    declines: int = 0
    retry_at: datetime | None = None
    suspended_at: datetime | None = None
    suspended_reason: SuspendedReason | None = None
    default_source_id: str | None = None
    backup_source_ids: tuple[str, ...] = ()
    notice_hours: int = 0
    calendar_after: date | None = None
    collected: Collected | None = None
    refunds: tuple[OpenRefund, ...] = ()

    @property
    def source_ids(self) -> tuple[str, ...]:
        """Everybody who may be asked, in order."""
        first = (self.default_source_id,) if self.default_source_id else ()
        return (*first, *self.backup_source_ids)

    def open_recharge(self, ordinal: int) -> OpenRecharge | None:
        return next((one for one in self.opened if one.ordinal == ordinal), None)

    @property
    def next_check_at(self) -> datetime | None:
        """When the first of what is on its way has to be looked at."""
        checks = [one.check_at for one in self.opened if one.check_at]
        return min([*checks, *(refund.check_at for refund in self.refunds)], default=None)

    def resumed(self) -> "Recharging":
        """Nothing stands in its way any more: a person has acted, or money has come."""
        return replace(self, declines=0, retry_at=None, suspended_at=None, suspended_reason=None)
