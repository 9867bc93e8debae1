"""Changes that the contract tests share."""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.records import (
    AccountListing,
    Event,
    EventType,
    Payment,
    Recharge,
    Tenant,
    Timer,
    TimerKind,
)
from builders import (
    ACME,
    NOON,
    a_closed_period,
    a_posting,
    a_recharge_change,
    a_settlement,
    a_source,
    a_usage_event,
    an_account,
    an_audit_record,
    an_opening,
    an_operation,
)
from contract.beds import Bed


def opened(bed: Bed, ref: AccountRef = ACME, now: datetime = NOON) -> Account:
    return bed.commit(an_opening(an_account(ref, now)))


def full_change(before: Account, operation_id: str = "everything") -> Change:
    """One of everything that a Change can hold."""
    ref = before.ref
    events = tuple(Event(f"{operation_id}/{t}", t, ref, NOON, {"n": 1}) for t in EventType)
    recharge = a_recharge_change(before).records[0]
    posting = a_posting(before, [a_usage_event(1), a_usage_event(2)])
    return replace(
        posting,
        operation=an_operation(ref, operation_id),
        finished=an_operation(ref, "earlier", answer={"state": "done"}),
        records=(
            recharge,
            a_source(ref),
            a_closed_period(before),
            an_audit_record(ref, operation_id),
            Tenant("initech", "Initech", NOON),
            AccountListing(AccountRef(ref.tenant_id, "second"), "Second", NOON),
            payment_for(before),
        ),
        timers_set=(Timer(TimerKind.RECHARGE, ref, NOON),),
        timers_cleared=(TimerKind.PERIOD_END,),
        events=events,
    )


def payment_for(account: Account) -> Payment:
    """A capture that would settle the account's next recharge."""
    intent = a_recharge_change(account)
    (recharge,) = intent.records
    assert isinstance(recharge, Recharge)
    _, payment = a_settlement(intent.after, recharge).records
    assert isinstance(payment, Payment)
    return payment
