"""Alerts: what is told once when it begins, and again only after it has ended.

A level, not an edge: an alert stands or does not by the account's state alone, so what a Change has
to tell is what stands after it and did not before, and nothing remembers what was told. Where a
line is drawn in days of spend, the turn of a day moves it; the state then says as of which day it
was looked at, and a timer looks again at the next turn that would begin an alert.

Source of the rules: docs/alerts.md.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.domain.account import Account, AccountRef
from billing.domain.canonical import Json
from billing.domain.change import MAX_ITEMS, Change
from billing.domain.grant_alerts import crossed_grants, grant_events
from billing.domain.money import MAX_MICROS, Money
from billing.domain.periods import local_day, start_of_day
from billing.domain.recharge_balance import threshold_micros
from billing.domain.recharging import RechargeMode
from billing.domain.records import Event, EventType, Record, Timer, TimerKind
from billing.domain.spend import average

_DAY = timedelta(days=1)


class BalanceAlert(StrEnum):
    """What may be said of a balance."""

    RECHARGE = "recharge"
    AMOUNT = "amount"
    RUNWAY = "runway"
    EXHAUSTED = "exhausted"

    @property
    def event_type(self) -> EventType:
        is_low = self is not BalanceAlert.EXHAUSTED
        return EventType.BALANCE_LOW if is_low else EventType.BALANCE_EXHAUSTED


@dataclass(frozen=True, slots=True)
class AlertTold:
    """When an alert was last told. It stands since then, if it still does.

    Args:
        name: From ``balance_name`` or ``grant_name``.
        forgotten_at: When its grant is gone; None: never.
    """

    KIND: ClassVar[str] = "ALERT"

    account: AccountRef
    name: str
    since: datetime
    forgotten_at: datetime | None = None

    @property
    def thing_name(self) -> str:
        return self.name


def balance_name(alert: BalanceAlert) -> str:
    return f"balance/{alert}"


def grant_name(grant_id: str, percent: int) -> str:
    return f"grant/{grant_id}/{percent}"


def low_balances(account: Account, day: date) -> dict[BalanceAlert, int]:
    """The alerts that the balance stands below on a day, each with the micros that would end it.

    Args:
        day: In the account's zone.
    """
    lines = {
        BalanceAlert.RECHARGE: threshold_micros(account, start_of_day(day, account.time_zone)),
        BalanceAlert.AMOUNT: account.alerting.balance_micros,
        BalanceAlert.RUNWAY: _runway_micros(account, day),
        BalanceAlert.EXHAUSTED: 1,
    }
    # Ninety days of a spend out of all bounds are still told, as the most there can be.
    return {
        alert: min(line, MAX_MICROS)
        for alert, line in lines.items()
        if line is not None and account.wallet_micros < line
    }


def _runway_micros(account: Account, day: date) -> int | None:
    """What so many average days come to. Who spends nothing lasts for ever."""
    days = account.alerting.runway_days
    return average(account, day).over_micros(days) or None if days else None


def looked_on(account: Account) -> date:
    """The local day as of which the state says what stands."""
    posted_on = local_day(account.head.posted_at, account.time_zone)
    return max(posted_on, account.alerting.looked_on or posted_on)


def next_look_at(account: Account) -> datetime | None:
    """The next midnight, where the turn of the day alone would begin an alert; None: it would not.

    An average can only rise when today enters it; without further use it falls from then on.
    """
    return _next_look_at(account, looked_on(account))


def _next_look_at(account: Account, day: date) -> datetime | None:
    if not _moves_by_day(account):
        return None
    begins = low_balances(account, day + _DAY).keys() - low_balances(account, day).keys()
    return start_of_day(day + _DAY, account.time_zone) if begins else None


def _moves_by_day(account: Account) -> bool:
    is_usage = account.recharging.policy.mode is RechargeMode.USAGE
    return is_usage or account.alerting.runway_days is not None


def looked_at(account: Account, now: datetime) -> Account:
    """The account as of today: the day is kept only where the last entry's says something else."""
    plain = account
    if account.alerting.looked_on is not None:
        plain = replace(account, alerting=replace(account.alerting, looked_on=None))
    day = max(looked_on(account), local_day(now, account.time_zone))
    posted_on = looked_on(plain)
    if (
        not _moves_by_day(account)
        or day == posted_on
        or _view(plain, day) == _view(plain, posted_on)
    ):
        return plain
    return replace(plain, alerting=replace(plain.alerting, looked_on=day))


def _view(account: Account, day: date) -> tuple[frozenset[BalanceAlert], datetime | None]:
    return frozenset(low_balances(account, day)), _next_look_at(account, day)


def is_moved_by_time(account: Account, now: datetime) -> bool:
    """Whether time alone has changed what stands, or when to look again."""
    today = looked_at(account, now)
    return _view(today, looked_on(today)) != _view(account, looked_on(account))


def told(change: Change, now: datetime) -> Change:
    """The Change with what follows of it for the alerts, whoever decided it and why.

    Events for what begins; a record of since when, for reading; and the timer for the next turn of
    a day that matters.

    Args:
        now: Aware UTC.
    """
    before = change.before
    if before is None:
        return change
    after = looked_at(change.after, now)
    at = max(now, after.head.posted_at)
    stood = low_balances(before, looked_on(before))
    begins = {
        alert: line
        for alert, line in low_balances(after, looked_on(after)).items()
        if alert not in stood
    }
    records = [AlertTold(after.ref, balance_name(alert), at) for alert in begins]
    records += [
        AlertTold(after.ref, grant_name(grant.grant_id, percent), at, grant.expires_at)
        for grant, percent in crossed_grants(before, after)
    ]
    set_, cleared = _timer(before, after)
    whole = replace(
        change,
        after=after,
        events=(
            *_balance_events(change, after, begins, at),
            *grant_events(before, after, at),
            *change.events,
        ),
        timers_set=(*change.timers_set, *set_),
        timers_cleared=(*change.timers_cleared, *cleared),
    )
    return replace(whole, records=(*whole.records, *_as_many_as_fit(whole, records)))


def _as_many_as_fit(change: Change, records: list[AlertTold]) -> tuple[Record, ...]:
    """Since when an alert stands is a courtesy: it never makes a Change too large."""
    return tuple(records[: max(0, MAX_ITEMS - change.item_count)])


def _timer(before: Account, after: Account) -> tuple[tuple[Timer, ...], tuple[TimerKind, ...]]:
    stands, wanted = next_look_at(before), next_look_at(after)
    if stands == wanted:
        return (), ()
    if wanted is None:
        return (), (TimerKind.ALERT,)
    return (Timer(TimerKind.ALERT, after.ref, wanted),), ()


def _balance_events(
    change: Change, after: Account, begins: dict[BalanceAlert, int], at: datetime
) -> tuple[Event, ...]:
    """One event of a type: all lines that a Change falls below are told together."""
    cause = change.operation.operation_id if change.operation else change.entries[0].cause
    data: dict[EventType, dict[str, Json]] = {}
    for alert, line in begins.items():
        shown = data.setdefault(alert.event_type, {"balance": _money(after, after.wallet_micros)})
        if alert is not BalanceAlert.EXHAUSTED:
            reasons = shown.setdefault("reasons", [])
            assert isinstance(reasons, list)
            reasons.append(_reason(after, alert, line))
    return tuple(
        Event(f"{after.ref.account_id}/{cause}/{type_}", type_, after.ref, at, shown)
        for type_, shown in data.items()
    )


def _reason(account: Account, alert: BalanceAlert, line: int) -> Json:
    shown: dict[str, Json] = {"reason": alert.value, "below": _money(account, line)}
    if alert is BalanceAlert.RUNWAY:
        shown["runway_days"] = account.alerting.runway_days
    return shown


def _money(account: Account, micros: int) -> Json:
    money = Money(micros, account.currency)
    return {"amount": money.amount, "currency": money.currency}
