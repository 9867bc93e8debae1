"""What an account is told of, and what stands now."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.base import Instant, MoneyIn, MoneyOut, Schema
from billing.domain.alerting import DEFAULT_PERCENTS, MAX_PERCENTS, MAX_RUNWAY_DAYS
from billing.domain.alerts import BalanceAlert
from billing.domain.standing_alerts import StandingAlert

Percent = Annotated[int, Field(ge=1, le=100)]
RunwayDays = Annotated[int, Field(ge=1, le=MAX_RUNWAY_DAYS)]


class AlertsIn(Schema):
    """What to tell; what is left out is as it is for an account that has set nothing.

    ``grant_percents``: how much of a grant is used. ``low_balance``: a balance strictly below it.
    ``runway_days``: a balance that lasts less at the average spend.
    """

    grant_percents: Annotated[list[Percent], Field(max_length=MAX_PERCENTS)] = list(
        DEFAULT_PERCENTS
    )
    low_balance: MoneyIn | None = None
    runway_days: RunwayDays | None = None


class AlertOut(Schema):
    """An alert that stands.

    ``reason`` says which line a low balance is below, ``balance_needed`` where that line is, and
    ``missing`` what has to be paid in to reach it. Of a grant: ``percent`` of it are used.
    ``ends_at`` is when it ends by itself. ``since`` is null where nobody was told.
    """

    type: Literal["balance.low", "balance.exhausted", "grant.threshold_reached"]
    message: str
    since: Instant | None
    reason: Literal["recharge", "amount", "runway"] | None = None
    balance_needed: MoneyOut | None = None
    missing: MoneyOut | None = None
    grant: str | None = None
    unit: str | None = None
    percent: int | None = None
    ends_at: Instant | None = None

    @staticmethod
    def of(alert: StandingAlert, currency: str) -> "AlertOut":
        is_low = alert.balance not in (None, BalanceAlert.EXHAUSTED)
        grant = alert.grant
        return AlertOut.model_validate(
            {
                "type": alert.type.value,
                "message": alert.message,
                "since": alert.since,
                "reason": alert.balance.value if alert.balance and is_low else None,
                "balance_needed": _money(alert.below_micros, currency),
                "missing": _money(alert.missing_micros, currency),
                "grant": grant.grant_id if grant else None,
                "unit": grant.unit.value if grant else None,
                "percent": alert.percent,
                "ends_at": alert.ends_at,
            }
        )


class AlertsOut(Schema):
    """The settings, and the alerts that stand now."""

    grant_percents: list[int]
    low_balance: MoneyOut | None
    runway_days: int | None
    standing: list[AlertOut]


def _money(micros: int | None, currency: str) -> MoneyOut | None:
    return None if micros is None else MoneyOut.of(micros, currency)
