"""The period roll: close the period that ended, begin the next, refill recurring grants.

A roll is named by the period it closes, so running it twice changes nothing; whoever changes an
account first brings it current, so running it late or never changes no figure either.
"""

from datetime import datetime

from billing.domain.account import Account
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.money import Money
from billing.domain.recharge import level
from billing.domain.records import (
    ClosedPeriod,
    Event,
    EventType,
    Operation,
    OperationState,
    Timer,
    TimerKind,
)
from billing.domain.turning import begin_next_period, is_due
from billing.domain.units import Metered


def roll_id(account: Account) -> str:
    """The operation that closes the account's current period."""
    return f"{account.ref.account_id}/roll/{account.period.start_at:%Y%m%dT%H%MZ}"


def roll(account: Account, now: datetime) -> Change:
    """Close the one period that has ended, and begin the next.

    Args:
        account: Its period has ended.
        now: Aware UTC. It dates the record; the period decides everything else.

    Returns:
        A Change with the closed period's record, the next period's timer, the timer that has what
        begins billed, and an event.
    """
    assert is_due(account, now), "the period is not over"
    operation_id = roll_id(account)
    closed = ClosedPeriod(
        account=account.ref,
        period=account.period,
        totals=account.totals,
        grants=account.grants,
        balance_micros=account.wallet_micros,
        currency=account.currency,
        closed_at=now,
    )
    timers = level(begin_next_period(account), now)
    after = timers.account
    spent = Money(account.totals.wallet_micros, account.currency)
    return Change(
        before=account,
        after=after.next_version(),
        operation=Operation(
            operation_id=operation_id,
            body_hash=digest(operation_id),
            account=account.ref,
            state=OperationState.SUCCEEDED,
            answer=None,
            recorded_at=now,
        ),
        records=(closed,),
        timers_set=(
            Timer(TimerKind.PERIOD_END, account.ref, after.period.end_at),
            Timer(TimerKind.BILLING, account.ref, now),
            *timers.timers_set,
        ),
        timers_cleared=timers.timers_cleared,
        events=(
            Event(
                event_id=f"{operation_id}/{EventType.PERIOD_ROLLED}",
                type=EventType.PERIOD_ROLLED,
                account=account.ref,
                occurred_at=now,
                data={
                    "period_start": account.period.start_at.isoformat(),
                    "period_end": account.period.end_at.isoformat(),
                    "voice_seconds": account.totals.voice_seconds,
                    "messages": account.totals.messages,
                    **_metered(account.totals.metered),
                    "spent": {"amount": spent.amount, "currency": spent.currency},
                },
            ),
            *timers.events,
        ),
    )


def _metered(metered: Metered) -> dict[str, Json]:
    """Only where there is any: accounts that use no other unit are told what they ever were."""
    return {"metered": {unit.value: quantity for unit, quantity, _ in metered}} if metered else {}
