"""Each step of a recharge is one Change, named by its ordinal and repeatable."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.domain import collecting
from billing.domain.account import Account, RechargePolicy, Recharging
from billing.domain.change import Change
from billing.domain.ledger import WALLET, EntryKind
from billing.domain.records import (
    EventType,
    Operation,
    OperationState,
    Payment,
    Recharge,
    RechargeState,
    Timer,
    TimerKind,
)
from builders import ACME, NOON, USD, a_source, an_account, an_audit_record, an_operation

LATER = NOON + timedelta(minutes=1)
POLICY = RechargePolicy("fixed", 10 * USD, amount_micros=20 * USD)
ASKED = an_operation(operation_id="asked", state=OperationState.PENDING, answer=None)


def account(wallet_micros: int = 0, **altered: Any) -> Account:
    recharging = replace(Recharging(POLICY, default_source_id="card-1"), **altered)
    return an_account(wallet_micros=wallet_micros, recharging=recharging).next_version()


def intend(state: Account, requested: Operation | None = None) -> Change:
    return collecting.intend(
        state, amount_micros=20 * USD, source=a_source(), now=NOON, requested=requested
    )


def opened(requested: Operation | None = None, **altered: Any) -> tuple[Account, Recharge]:
    change = intend(account(**altered), requested)
    return change.after, the_recharge(change)


def the_recharge(change: Change) -> Recharge:
    (recharge,) = (record for record in change.records if isinstance(record, Recharge))
    return recharge


def told(change: Change) -> list[EventType]:
    return [event.type for event in change.events]


# The intent


def test_an_intent_is_committed_before_any_money_moves() -> None:
    change = intend(account())
    assert change.after.wallet_micros == 0
    assert change.entries == ()
    assert change.after.in_flight_micros == 20 * USD
    recharge = the_recharge(change)
    assert (recharge.ordinal, recharge.state, recharge.reason) == (
        1, RechargeState.PENDING, "automatic",
    )  # fmt: skip
    assert (recharge.amount_micros, recharge.source_id, recharge.gateway) == (
        20 * USD, "card-1", "sandbox",
    )  # fmt: skip


def test_an_automatic_intent_is_named_by_its_ordinal() -> None:
    change = intend(account(ordinal=6))
    assert change.operation is not None
    assert change.operation.operation_id == "main/recharge/7/intend"
    assert change.operation.state is OperationState.SUCCEEDED


def test_an_intent_keeps_a_timer_until_it_is_settled() -> None:
    change = intend(account(wallet_micros=50 * USD))
    assert change.timers_set == (Timer(TimerKind.RECHARGE, ACME, NOON),)


def test_a_requested_intent_writes_the_pending_operation_and_who_asked() -> None:
    audit = an_audit_record(operation_id="asked")
    change = collecting.intend(
        account(),
        amount_micros=20 * USD,
        source=a_source(),
        now=NOON,
        requested=ASKED,
        audit=audit,
    )
    assert change.operation is not None
    assert (change.operation.operation_id, change.operation.state) == (
        "asked", OperationState.PENDING,
    )  # fmt: skip
    assert change.operation.answer == collecting.recharge_json(the_recharge(change))
    assert audit in change.records
    assert the_recharge(change).reason == "requested"


# Success


def test_a_capture_credits_the_wallet_once_by_one_entry() -> None:
    state, recharge = opened()
    change = collecting.settle_captured(state, recharge, "pay-1", LATER)
    (entry,) = change.entries
    assert (entry.kind, entry.debit, entry.credit) == (
        EntryKind.RECHARGE, "gateway:sandbox", WALLET,
    )  # fmt: skip
    assert change.after.wallet_micros == entry.amount_micros == 20 * USD
    assert change.after.in_flight_micros == 0
    assert Payment(ACME, "sandbox", "pay-1", 20 * USD, "USD", 1, LATER) in change.records
    settled = the_recharge(change)
    assert (settled.state, settled.payment_id, settled.settled_at) == (
        RechargeState.SUCCEEDED, "pay-1", LATER,
    )  # fmt: skip
    assert told(change) == [EventType.RECHARGE_SUCCEEDED]


def test_a_capture_above_the_threshold_clears_the_timer() -> None:
    state, recharge = opened()
    change = collecting.settle_captured(state, recharge, "pay-1", LATER)
    assert change.timers_cleared == (TimerKind.RECHARGE,)


def test_a_capture_that_is_not_enough_leaves_the_timer() -> None:
    change = intend(account(wallet_micros=-30 * USD))
    settled = collecting.settle_captured(change.after, the_recharge(change), "pay-1", LATER)
    assert (settled.timers_set, settled.timers_cleared) == ((), ())
    assert settled.after.recharging.due_at == NOON


def test_a_replayed_settle_is_the_same_operation_with_the_same_body() -> None:
    state, recharge = opened()
    once = collecting.settle_captured(state, recharge, "pay-1", LATER).operation
    again = collecting.settle_captured(
        replace(state, version=9, wallet_micros=5), recharge, "pay-1", LATER + timedelta(hours=1)
    ).operation
    assert once is not None
    assert again is not None
    assert (once.operation_id, once.body_hash) == (again.operation_id, again.body_hash)
    assert once.operation_id == "main/recharge/1/captured"


def test_another_payment_for_the_same_recharge_is_the_same_operation_with_another_body() -> None:
    state, recharge = opened()
    captured = collecting.settle_captured(state, recharge, "pay-1", LATER).operation
    other = collecting.settle_captured(state, recharge, "pay-2", LATER).operation
    assert captured is not None
    assert other is not None
    assert captured.operation_id == other.operation_id
    assert captured.body_hash != other.body_hash


def test_a_capture_that_comes_to_light_after_the_recharge_was_given_up_is_credited() -> None:
    state, recharge = opened()
    given_up = collecting.settle_declined(state, recharge, "never_charged", LATER)
    late = collecting.settle_captured(given_up.after, the_recharge(given_up), "pay-1", LATER)
    assert late.after.wallet_micros == recharge.amount_micros
    settled = the_recharge(late)
    assert (settled.state, settled.failure_code) == (RechargeState.SUCCEEDED, None)
    assert late.operation != given_up.operation


def test_a_late_capture_leaves_the_next_recharge_open() -> None:
    state, recharge = opened()
    given_up = collecting.settle_declined(state, recharge, "never_charged", LATER)
    source = a_source()
    following = collecting.intend(given_up.after, amount_micros=25 * USD, source=source, now=LATER)
    late = collecting.settle_captured(following.after, the_recharge(given_up), "pay-1", LATER)
    assert late.after.recharging.open == following.after.recharging.open
    assert late.after.wallet_micros == recharge.amount_micros


def test_a_decline_somebody_asked_for_does_not_count_towards_suspension() -> None:
    state, recharge = opened(declines=2)
    requested = replace(recharge, requested_by="op-1", requested_body="b" * 64)
    change = collecting.settle_declined(state, requested, "insufficient_funds", LATER)
    assert change.after.recharging.declines == 2
    assert change.after.recharging.suspended_at is None


# Decline


def test_a_decline_moves_nothing_and_counts() -> None:
    state, recharge = opened(declines=1)
    change = collecting.settle_declined(state, recharge, "insufficient_funds", LATER)
    assert (change.entries, change.after.wallet_micros, change.after.in_flight_micros) == ((), 0, 0)
    assert change.after.recharging.declines == 2
    settled = the_recharge(change)
    assert (settled.state, settled.failure_code, settled.settled_at) == (
        RechargeState.FAILED, "insufficient_funds", LATER,
    )  # fmt: skip
    assert told(change) == [EventType.RECHARGE_FAILED]
    assert change.after.recharging.due_at == NOON, "the next sweep tries again"


def test_the_third_decline_tells_of_the_suspension_and_clears_the_timer() -> None:
    state, recharge = opened(declines=2)
    change = collecting.settle_declined(state, recharge, "insufficient_funds", LATER)
    assert told(change) == [EventType.RECHARGE_FAILED, EventType.RECHARGE_SUSPENDED]
    assert change.after.recharging.suspended_at == LATER
    assert change.timers_cleared == (TimerKind.RECHARGE,)


def test_a_suspension_is_told_once() -> None:
    state, recharge = opened(declines=3, suspended_at=NOON)
    change = collecting.settle_declined(state, recharge, "insufficient_funds", LATER)
    assert told(change) == [EventType.RECHARGE_FAILED]


# No answer


def test_an_unanswered_charge_stays_open_and_says_so_once() -> None:
    state, recharge = opened()
    change = collecting.leave_unknown(state, recharge, LATER)
    assert change is not None
    assert change.after.in_flight_micros == 20 * USD
    assert change.after.wallet_micros == 0
    assert the_recharge(change).state is RechargeState.UNKNOWN
    assert told(change) == [EventType.RECHARGE_UNKNOWN]
    assert collecting.leave_unknown(change.after, recharge, LATER) is None


def test_an_unknown_recharge_can_still_settle_either_way() -> None:
    state, recharge = opened()
    unknown = collecting.leave_unknown(state, recharge, LATER)
    assert unknown is not None
    captured = collecting.settle_captured(unknown.after, recharge, "pay-1", LATER)
    declined = collecting.settle_declined(unknown.after, recharge, "never_charged", LATER)
    assert (captured.after.wallet_micros, declined.after.wallet_micros) == (20 * USD, 0)


# The answer of whoever asked


Settle = Callable[[Account, Recharge], Change | None]


@pytest.mark.parametrize(
    ("settle", "state"),
    [
        pytest.param(
            lambda before, recharge: collecting.settle_captured(before, recharge, "pay-1", LATER),
            OperationState.SUCCEEDED,
            id="succeeded",
        ),
        pytest.param(
            lambda before, recharge: collecting.settle_declined(before, recharge, "no", LATER),
            OperationState.FAILED,
            id="failed",
        ),
        pytest.param(
            lambda before, recharge: collecting.leave_unknown(before, recharge, LATER),
            OperationState.UNKNOWN,
            id="unknown",
        ),
    ],
)
def test_the_requested_operation_keeps_its_body_and_gets_its_answer(
    settle: Settle, state: OperationState
) -> None:
    change = settle(*opened(ASKED))
    assert change is not None
    assert change.finished is not None
    assert (change.finished.operation_id, change.finished.body_hash) == ("asked", ASKED.body_hash)
    assert change.finished.state is state
    assert change.finished.answer == collecting.recharge_json(the_recharge(change))
    assert change.operation is not None
    assert change.operation.operation_id != "asked"


def test_an_automatic_recharge_answers_nobody() -> None:
    state, recharge = opened()
    assert collecting.settle_captured(state, recharge, "pay-1", LATER).finished is None


def test_a_recharge_is_shown_with_money_as_it_is_outside() -> None:
    _, recharge = opened()
    assert collecting.recharge_json(recharge) == {
        "recharge": 1,
        "state": "pending",
        "amount": {"amount": "20.00", "currency": "USD"},
        "reason": "automatic",
        "source": "card-1",
        "gateway": "sandbox",
        "payment_id": None,
        "failure_code": None,
        "started_at": "2026-03-14T12:00:00+00:00",
        "settled_at": None,
    }
