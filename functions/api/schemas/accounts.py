"""How a billing account stands."""

from typing import Any, Literal

from api.schemas.base import Decimals, Instant, MeteredOut, MoneyOut, Schema
from api.schemas.catalog import ScopeIn
from billing.domain.account import OpenRecharge
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
    recharge: int
    state: Literal["pending", "unknown"]
    amount: MoneyOut
    started_at: Instant

    @staticmethod
    def of(opened: OpenRecharge | None, currency: str) -> "OpenRechargeOut | None":
        if opened is None:
            return None
        return OpenRechargeOut(
            recharge=opened.ordinal,
            state="unknown" if opened.is_unknown else "pending",
            amount=MoneyOut.of(opened.amount_micros, currency),
            started_at=opened.started_at,
        )


class RechargeStatus(Schema):
    """How automatic recharge stands; ``next_cycle_by`` is the latest it will act."""

    mode: str
    threshold: MoneyOut
    is_suspended: bool
    suspended_at: Instant | None
    open: OpenRechargeOut | None
    next_cycle_by: Instant | None


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
    recharge: RechargeStatus | None = None

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
    settled = MoneyOut.of(account.wallet_micros, account.currency)
    return {
        "rate_deck": account.rate_deck,
        "balance": Balance(
            settled=settled, reserved=MoneyOut.of(0, account.currency), available=settled
        ),
        "spent": MoneyOut.of(account.totals.wallet_micros, account.currency),
        "average_daily_spend": MoneyOut.of(overview.average_daily_spend_micros, account.currency),
        "runway_days": overview.runway_days,
        "recharge": RechargeStatus(
            mode=account.recharging.policy.mode,
            threshold=MoneyOut.of(account.recharging.policy.threshold_micros, account.currency),
            is_suspended=account.recharging.suspended_at is not None,
            suspended_at=account.recharging.suspended_at,
            open=OpenRechargeOut.of(account.recharging.open, account.currency),
            next_cycle_by=overview.next_cycle_by,
        ),
    }


def _percentage(quota: Quota) -> str:
    whole, hundredths = divmod(quota.used_hundredths, 100)
    return f"{whole}.{hundredths:02d}"
