"""The settings of automatic recharge, and what they would do now."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Acceptance, Instant, MoneyIn, MoneyOut, Schema
from billing.domain.recharge_amount import Limit
from billing.domain.recharge_status import RechargeStanding

Days = Annotated[int, Field(ge=1, le=90)]


class AutoRechargeIn(Schema):
    """When automatic recharge fires, and what it collects.

    ``fixed`` and ``target`` fire while the balance, with what is on its way, is strictly below
    ``threshold``. ``fixed`` collects the smallest whole multiple of ``amount`` that reaches the
    threshold; ``target`` fills up to ``target``. ``usage`` fires below ``reserve_days`` of the
    average daily spend and collects ``recharge_days`` of it. ``calendar`` collects ``amount`` every
    week or month. ``maximum`` bounds one payment, ``monthly_cap`` a calendar month. With ``early``
    a payment is collected at once when the burn of the last hours would empty the wallet before
    the next cycle.
    """

    mode: Literal["off", "fixed", "target", "usage", "calendar"]
    threshold: MoneyIn | None = None
    amount: MoneyIn | None = None
    target: MoneyIn | None = None
    minimum: MoneyIn | None = None
    maximum: MoneyIn | None = None
    monthly_cap: MoneyIn | None = None
    lookback_days: Annotated[int, Field(ge=1, le=30)] | None = None
    recharge_days: Days | None = None
    reserve_days: Days | None = None
    minimum_history_days: Annotated[int, Field(ge=1, le=30)] | None = None
    every: Literal["week", "month"] | None = None
    day: Annotated[int, Field(ge=1, le=31)] | None = None
    early: bool | None = None
    acceptance: Acceptance | None = None


class EarlyOut(Schema):
    """How early recharge decides now: the fastest burn of the last hours, and what follows."""

    burn_per_hour: MoneyOut
    empties_at: Instant | None
    collects_at_once: bool


class AutoRechargeOut(Schema):
    """The settings, and what they would do now.

    ``would_collect`` is what would be collected if it fired now, ``limited_by`` what keeps it from
    being more. ``reserve`` is the balance below which usage-based recharge fires today.
    """

    mode: Literal["off", "fixed", "target", "usage", "calendar"]
    threshold: MoneyOut | None = None
    amount: MoneyOut | None = None
    target: MoneyOut | None = None
    minimum: MoneyOut | None = None
    maximum: MoneyOut | None = None
    monthly_cap: MoneyOut | None = None
    lookback_days: int | None = None
    recharge_days: int | None = None
    reserve_days: int | None = None
    minimum_history_days: int | None = None
    every: Literal["week", "month"] | None = None
    day: int | None = None
    early: bool
    average_daily_spend: MoneyOut
    runway_days: int | None
    reserve: MoneyOut | None
    would_collect: MoneyOut
    limited_by: Limit | None
    collected_this_month: MoneyOut
    state: RechargeStanding
    message: str
    suspended_at: Instant | None
    suspended_reason: str | None
    declines: int
    retry_at: Instant | None
    due_at: Instant | None
    due_reason: str | None
    next_cycle_at: Instant
    early_view: EarlyOut | None = None
