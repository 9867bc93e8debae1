"""How a billing account stands."""

from datetime import timedelta
from typing import Any, Literal

from api.schemas.alerts import AlertOut
from api.schemas.base import Day, Decimals, Instant, MeteredOut, MoneyOut, Schema
from api.schemas.licences import LicenceOut
from api.schemas.numbers import NumberOut
from api.schemas.owed import OwedOut
from api.schemas.selling import ContactsSchema, ScopeIn
from api.schemas.subscription import HeldItemOut
from billing.domain.periods import local_day
from billing.domain.recharge_status import RechargeStanding
from billing.domain.recharging import OpenRecharge
from billing.services.read_overview import Overview, Quota


class PlanHeld(Schema):
    plan: str
    name: str
    catalog_version: int


class PeriodOut(Schema):
    """From ``start_at`` up to, and not including, ``end_at``."""

    start_at: Instant
    end_at: Instant


class Balance(Schema):
    settled: MoneyOut
    reserved: MoneyOut
    available: MoneyOut


class QuotaOut(Schema):
    """All valid grants of one unit together."""

    unit: str
    total: int
    remaining: int
    unlimited: bool
    percentage_used: Decimals
    resets_at: Instant | None

    @staticmethod
    def of(quota: Quota) -> "QuotaOut":
        return QuotaOut(
            unit=quota.unit.value,
            total=quota.total,
            remaining=quota.remaining,
            unlimited=quota.unlimited,
            percentage_used=_percentage(quota),
            resets_at=quota.resets_at,
        )


class GrantOut(Schema):
    """One grant: a refill of the plan's quota, or a bundle."""

    grant: str
    unit: str
    total: int
    remaining: int
    percentage_used: Decimals
    resets_at: Instant | None
    expires_at: Instant | None
    rolled_over: bool
    unlimited: bool
    scope: ScopeIn | None

    @staticmethod
    def of(quota: Quota) -> "GrantOut":
        assert quota.grant_id is not None
        return GrantOut(
            grant=quota.grant_id,
            unit=quota.unit.value,
            total=quota.total,
            remaining=quota.remaining,
            percentage_used=_percentage(quota),
            resets_at=quota.resets_at,
            expires_at=quota.expires_at,
            rolled_over=quota.rolled_over,
            unlimited=quota.unlimited,
            scope=ScopeIn.of(quota.scope) if quota.scope else None,
        )


class OpenRechargeOut(Schema):
    """A payment on its way; ``source`` is null where the customer pays once and saves nothing."""

    recharge: int
    state: Literal["pending", "unknown", "processing", "action_needed"]
    amount: MoneyOut
    source: str | None
    started_at: Instant
    expected_at: Instant | None

    @staticmethod
    def of(opened: OpenRecharge, currency: str) -> "OpenRechargeOut":
        return OpenRechargeOut(
            recharge=opened.ordinal,
            state=_state(opened),
            amount=MoneyOut.of(opened.amount_micros, currency),
            source=opened.source_id or None,
            started_at=opened.started_at,
            expected_at=opened.expected_at,
        )


def _state(opened: OpenRecharge) -> Literal["pending", "unknown", "processing", "action_needed"]:
    if opened.is_unknown:
        return "unknown"
    if opened.is_waiting:
        return "action_needed"
    return "processing" if opened.expected_at else "pending"


class RechargeStatusOut(Schema):
    """How automatic recharge stands, the worst first, with a sentence for people.

    ``until`` is when something happens by itself. ``threshold`` is the balance below which it
    fires; usage-based, the reserve it would keep today.
    """

    mode: str
    state: RechargeStanding
    message: str
    reason: str | None
    until: Instant | None
    threshold: MoneyOut | None
    open: list[OpenRechargeOut]
    next_cycle_at: Instant


class PeriodUse(Schema):
    """What was posted in the period so far."""

    calls: int
    voice_seconds: int
    messages: int
    metered: list[MeteredOut] | None = None


class NextPayment(Schema):
    """What is renewed next as things stand, phone numbers and tax included, and the local day on
    which it is due."""

    on: Day
    amount: MoneyOut


MOST_NUMBERS = 100
"""Phone numbers in an overview; their own list has all of them."""


class OverviewOut(Schema):
    """A member of the tenant sees quotas and the licences he may use, not money: for him the
    money's fields are left out.

    ``approximate_minutes``: how many minutes of calls the available balance buys, at the average
    price of what the wallet paid for in the last 30 days; null where it paid for none. ``numbers``:
    those on hold first, by when they are released; of more than 100 the first.
    """

    account: str
    currency: str
    time_zone: str
    billing_day: int
    standing: Literal["good", "past_due", "suspended"]
    plan: PlanHeld
    period: PeriodOut
    next_reset_at: Instant
    used: PeriodUse
    quotas: list[QuotaOut]
    grants: list[GrantOut]
    alerts: list[AlertOut]
    contacts: ContactsSchema
    licences: list[LicenceOut]
    rate_deck: str | None = None
    balance: Balance | None = None
    spent: MoneyOut | None = None
    average_daily_spend: MoneyOut | None = None
    runway_days: int | None = None
    approximate_minutes: int | None = None
    may_start_calls: bool | None = None
    recharge: RechargeStatusOut | None = None
    plan_expires_on: Day | None = None
    next_payment: NextPayment | None = None
    items: list[HeldItemOut] | None = None
    owed: OwedOut | None = None
    numbers: list[NumberOut] | None = None

    @staticmethod
    def of(overview: Overview, licences: list[LicenceOut], *, with_money: bool) -> "OverviewOut":
        account = overview.account
        money = _money(overview) if with_money else {}
        return OverviewOut(
            account=account.ref.account_id,
            currency=account.currency,
            time_zone=account.time_zone,
            billing_day=account.billing_day,
            standing=account.standing.value,
            plan=PlanHeld(
                plan=account.plan.plan_id,
                name=overview.plan_name,
                catalog_version=account.plan.catalog_version,
            ),
            period=PeriodOut(start_at=account.period.start_at, end_at=account.period.end_at),
            next_reset_at=account.period.end_at,
            used=PeriodUse(
                calls=account.totals.calls,
                voice_seconds=account.totals.voice_seconds,
                messages=account.totals.messages,
                **MeteredOut.given(account.totals.metered),
            ),
            quotas=[QuotaOut.of(quota) for quota in overview.quotas],
            grants=[GrantOut.of(quota) for quota in overview.grants],
            alerts=[
                AlertOut.of(alert, account.currency)
                for alert in overview.alerts
                if with_money or alert.grant
            ],
            contacts=ContactsSchema.of(overview.contacts),
            licences=licences,
            **money,
        )


def _money(overview: Overview) -> dict[str, Any]:
    account = overview.account
    reserved = overview.reserved_micros
    return {
        "rate_deck": account.rate_deck,
        "balance": Balance(
            settled=MoneyOut.of(account.wallet_micros, account.currency),
            reserved=MoneyOut.of(reserved, account.currency),
            available=MoneyOut.of(account.wallet_micros - reserved, account.currency),
        ),
        "spent": MoneyOut.of(account.totals.wallet_micros, account.currency),
        "average_daily_spend": MoneyOut.of(overview.average_daily_spend_micros, account.currency),
        "runway_days": overview.runway_days,
        "approximate_minutes": overview.approximate_minutes,
        "may_start_calls": account.may_start_calls,
        "recharge": _recharge(overview),
        "numbers": [NumberOut.of(one) for one in overview.numbers[:MOST_NUMBERS]],
        **_held(overview),
    }


def _held(overview: Overview) -> dict[str, Any]:
    """The plan's last day that is paid for, the day after it, and what is held till then."""
    view, account = overview.held, overview.account
    if view is None:
        return {}
    paid_at, payment = overview.next_payment
    return {
        "plan_expires_on": local_day(view.next_renewal_at, account.time_zone) - timedelta(days=1),
        "next_payment": NextPayment(
            on=local_day(paid_at, account.time_zone),
            amount=MoneyOut.of(payment, account.currency),
        ),
        "owed": OwedOut.of(view.subscription, account.currency),
        "items": [HeldItemOut.of(item, view.interval, account.currency) for item in view.items],
    }


def _recharge(overview: Overview) -> RechargeStatusOut:
    account, status = overview.account, overview.status
    threshold = overview.threshold_micros
    return RechargeStatusOut(
        mode=account.recharging.policy.mode,
        state=status.standing,
        message=status.message,
        reason=status.reason,
        until=status.until,
        threshold=None if threshold is None else MoneyOut.of(threshold, account.currency),
        open=[OpenRechargeOut.of(one, account.currency) for one in account.recharging.opened],
        next_cycle_at=overview.next_cycle_at,
    )


def _percentage(quota: Quota) -> str:
    whole, hundredths = divmod(quota.used_hundredths, 100)
    return f"{whole}.{hundredths:02d}"
