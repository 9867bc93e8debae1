"""How a billing account stands."""

from typing import Any, Literal

from api.schemas.base import Decimals, Instant, MeteredOut, MoneyOut, Schema
from api.schemas.catalog import ScopeIn
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


class OverviewOut(Schema):
    """A member of the tenant sees quotas, not money: for him the money's fields are left out."""

    account: str
    currency: str
    time_zone: str
    billing_day: int
    plan: PlanHeld
    period: PeriodOut
    next_reset_at: Instant
    used: PeriodUse
    quotas: list[QuotaOut]
    grants: list[GrantOut]
    rate_deck: str | None = None
    balance: Balance | None = None
    spent: MoneyOut | None = None
    average_daily_spend: MoneyOut | None = None
    runway_days: int | None = None
    may_start_calls: bool | None = None
    recharge: RechargeStatusOut | None = None

    @staticmethod
    def of(overview: Overview, *, with_money: bool) -> "OverviewOut":
        account = overview.account
        money = _money(overview) if with_money else {}
        return OverviewOut(
            account=account.ref.account_id,
            currency=account.currency,
            time_zone=account.time_zone,
            billing_day=account.billing_day,
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
        "may_start_calls": account.may_start_calls,
        "recharge": _recharge(overview),
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
