"""Which alerts stand, for reading: with what would end each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from billing.domain.account import Account
from billing.domain.alerts import (
    BalanceAlert,
    balance_name,
    grant_name,
    looked_on,
    low_balances,
)
from billing.domain.grant_alerts import reached_grants
from billing.domain.grants import Grant
from billing.domain.money import MAX_MICROS, up_to_minor_unit
from billing.domain.periods import local_day
from billing.domain.records import EventType


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert as it stands.

    Args:
        name: What the record of its telling is called.
        message: One sentence for people.
        balance: Of a balance: what is said of it.
        below_micros: Of a balance: it ends when the wallet holds so much.
        missing_micros: Of a balance: what to pay in for that, in amounts that are collected.
        grant: Of a grant: which.
        percent: Of a grant: how much of it is used at least.
        ends_at: When it ends by itself; None: not before somebody acts.
        since: When it was told; None: nobody knows, or it never was.
    """

    name: str
    type: EventType
    message: str
    balance: BalanceAlert | None = None
    below_micros: int | None = None
    missing_micros: int | None = None
    grant: Grant | None = None
    percent: int | None = None
    ends_at: datetime | None = None
    since: datetime | None = None


def standing_alerts(account: Account, now: datetime) -> tuple[StandingAlert, ...]:
    """What stands today, balances first.

    Args:
        account: With its period current.
        now: Aware UTC.
    """
    return (*_balances(account, now), *_grants(account, now))


def _balances(account: Account, now: datetime) -> Iterator[StandingAlert]:
    today = max(looked_on(account), local_day(now, account.time_zone))
    for alert, line in low_balances(account, today).items():
        missing = up_to_minor_unit(line - account.wallet_micros, account.currency)
        yield StandingAlert(
            name=balance_name(alert),
            type=alert.event_type,
            message=_message(account, alert),
            balance=alert,
            below_micros=line,
            missing_micros=min(missing, MAX_MICROS),
        )


def _message(account: Account, alert: BalanceAlert) -> str:
    match alert:
        case BalanceAlert.EXHAUSTED:
            return "Nothing is left in the wallet. Pay into it."
        case BalanceAlert.RECHARGE:
            return "The balance is below what automatic recharge keeps."
        case BalanceAlert.AMOUNT:
            return "The balance is below the amount that is set for this alert."
        case BalanceAlert.RUNWAY:
            days = account.alerting.runway_days
            return f"At the average spend the balance lasts less than {days} days."


def _grants(account: Account, now: datetime) -> Iterator[StandingAlert]:
    for grant, percent in reached_grants(account):
        if grant.granted_at <= now and (grant.expires_at is None or now < grant.expires_at):
            yield StandingAlert(
                name=grant_name(grant.grant_id, percent),
                type=EventType.GRANT_THRESHOLD_REACHED,
                message=_used(percent),
                grant=grant,
                percent=percent,
                ends_at=grant.expires_at,
            )


def _used(percent: int) -> str:
    if percent == 100:
        return "A grant is used up. What goes beyond it is paid from the wallet."
    return f"{percent} % of a grant are used."
