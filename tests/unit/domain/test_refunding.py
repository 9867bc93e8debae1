"""A refund leaves the wallet at once, and comes back only where the gateway does not make it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain import refunding
from billing.domain.collecting_steps import CHECK_AFTER
from billing.domain.errors import ExceedsPaymentError, InsufficientBalanceError, InvalidInputError
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.records import (
    EventType,
    Operation,
    OperationState,
    Refund,
    RefundState,
    Timer,
    TimerKind,
)
from billing.domain.refund_shown import refund_json
from builders import ACME, NOON, USD, an_audit_record, an_operation
from unit.kept_payment import PAYMENT, KeptPayment

LATER = NOON + timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def asked(name: str = "asked") -> Operation:
    return an_operation(operation_id=name, state=OperationState.PENDING, answer=None)


def intend(kept: KeptPayment, micros: int, name: str = "asked") -> Refund:
    kept.take(refunding.intend_refund(kept.account, kept.payment, micros, asked(name), NOON))
    return kept.refunds[kept.payment.refunds]


def succeed(kept: KeptPayment, number: int = 1) -> bool:
    refund = kept.refunds[number]
    change = refunding.settle_refunded(kept.account, kept.payment, refund, f"re-{number}", LATER)
    return kept.take(change) is not None


def refuse(kept: KeptPayment, number: int = 1) -> bool:
    refund = kept.refunds[number]
    change = refunding.settle_refused(kept.account, kept.payment, refund, "charge_disputed", LATER)
    return kept.take(change) is not None


def tell(kept: KeptPayment, total_micros: int, seconds: int | None = None) -> bool:
    """The gateway's total, as of so many seconds after noon."""
    told_at = None if seconds is None else NOON + seconds * SECOND
    change = refunding.refunded_elsewhere(
        kept.account, kept.payment, total_micros, LATER, told_at=told_at
    )
    return kept.take(change) is not None


def come_back(kept: KeptPayment, number: int, seconds: int) -> bool:
    change = refunding.refund_failed(
        kept.account,
        kept.payment,
        kept.refunds[number],
        "account_closed",
        LATER,
        failed_at=NOON + seconds * SECOND,
    )
    return kept.take(change) is not None


def come_back_elsewhere(kept: KeptPayment, refund_id: str, micros: int, seconds: int) -> bool:
    failed_at = NOON + seconds * SECOND
    change = refunding.returned_elsewhere(
        kept.account, kept.payment, refund_id, micros, "account_closed", LATER, failed_at=failed_at
    )
    return kept.take(change) is not None


# The intent


def test_the_wallet_pays_before_the_gateway_is_asked() -> None:
    kept = KeptPayment()
    refund = intend(kept, 30 * USD)
    assert kept.moved == [("refund", "wallet", "refunds:pending", 30)]
    assert kept.entries[-1].cause == "asked"
    assert kept.account.wallet_micros == 70 * USD
    assert (refund.state, refund.amount_micros) == (RefundState.PENDING, 30 * USD)
    assert refund.idempotency_key == "refund/acme/main/sandbox/pay-1/1"
    assert (kept.payment.refunded_micros, kept.payment.refundable_micros) == (30 * USD, 70 * USD)


def test_an_intent_is_looked_after_by_the_payment_timer() -> None:
    kept = KeptPayment()
    change = refunding.intend_refund(kept.account, kept.payment, USD, asked(), NOON)
    assert change.timers_set == (Timer(TimerKind.PAYMENT, ACME, NOON + CHECK_AFTER),)
    kept.take(change)
    settled = refunding.settle_refunded(kept.account, kept.payment, kept.refunds[1], "re-1", LATER)
    assert settled is not None
    assert settled.timers_cleared == (TimerKind.PAYMENT,)


def test_an_intent_writes_the_pending_operation_and_who_asked() -> None:
    kept = KeptPayment()
    audit = an_audit_record(operation_id="asked")
    change = refunding.intend_refund(kept.account, kept.payment, USD, asked(), NOON, audit)
    assert change.operation is not None
    assert change.operation.state is OperationState.PENDING
    assert audit in change.records
    kept.take(change)
    assert change.operation.answer == refund_json(kept.refunds[1])


def test_each_refund_of_a_payment_has_its_own_key() -> None:
    kept = KeptPayment()
    keys = [intend(kept, 10 * USD, name).idempotency_key for name in ("one", "two")]
    assert keys == ["refund/acme/main/sandbox/pay-1/1", "refund/acme/main/sandbox/pay-1/2"]


def test_all_of_a_payment_can_be_given_back_and_no_more() -> None:
    kept = KeptPayment(500 * USD)
    intend(kept, 60 * USD, "one")
    intend(kept, 40 * USD, "two")
    with pytest.raises(ExceedsPaymentError, match=r"0\.00 USD can still"):
        intend(kept, 10_000, "three")


def test_more_than_is_left_is_refused_with_what_is_left() -> None:
    kept = KeptPayment(500 * USD)
    intend(kept, 60 * USD)
    with pytest.raises(ExceedsPaymentError, match=r"40\.00 USD can still") as caught:
        intend(kept, 40 * USD + 10_000, "more")
    assert caught.value.field == "amount"


def test_what_was_talked_away_cannot_be_refunded() -> None:
    kept = KeptPayment(20 * USD + 9_999)
    with pytest.raises(InsufficientBalanceError, match=r": 20\.00 USD can be given back"):
        intend(kept, 20 * USD + 10_000)
    intend(kept, 20 * USD)
    assert kept.account.wallet_micros == 9_999


def test_of_a_debt_nothing_can_be_refunded() -> None:
    kept = KeptPayment(0)
    tell(kept, 5 * USD, 1)
    with pytest.raises(InsufficientBalanceError, match=r": 0\.00 USD can be given back"):
        intend(kept, 10_000)


@pytest.mark.parametrize("micros", [0, -USD, 1, 10_001])
def test_a_refund_is_a_positive_whole_number_of_minor_units(micros: int) -> None:
    with pytest.raises(InvalidInputError) as caught:
        intend(KeptPayment(), micros)
    assert caught.value.field == "amount"


def test_a_refund_below_the_threshold_calls_for_a_recharge() -> None:
    kept = KeptPayment()
    policy = RechargePolicy(RechargeMode.TARGET, 50 * USD, target_micros=100 * USD)
    watched = Recharging(policy, default_source_id="card-1")
    kept.account = replace(kept.account, recharging=watched)
    intend(kept, 60 * USD)
    assert kept.told == ["balance.low", "recharge.scheduled"]


# How it ends


def test_a_refund_that_succeeds_leaves_the_wallet_as_it_is() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    assert succeed(kept)
    assert kept.moved[1:] == [("refund", "refunds:pending", "gateway:sandbox", 30)]
    assert kept.account.wallet_micros == 70 * USD
    refund = kept.refunds[1]
    assert (refund.state, refund.refund_id, refund.settled_at) == (
        RefundState.SUCCEEDED,
        "re-1",
        LATER,
    )
    assert kept.is_settled()
    assert kept.told == ["payment.refunded"]
    assert kept.prove().is_sound


def test_a_refund_that_is_refused_goes_back_to_the_wallet() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    assert refuse(kept)
    assert kept.moved[1:] == [("refund_returned", "refunds:pending", "wallet", 30)]
    assert kept.account.wallet_micros == 100 * USD
    assert kept.payment.refundable_micros == 100 * USD
    assert (kept.refunds[1].state, kept.refunds[1].failure_code) == (
        RefundState.FAILED,
        "charge_disputed",
    )
    assert kept.is_settled()
    assert kept.told == ["payment.refund_failed"]
    assert kept.prove().is_sound


def test_how_a_refund_ended_is_not_changed_by_another_answer() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD, "one")
    intend(kept, 30 * USD, "two")
    assert succeed(kept, 1)
    assert refuse(kept, 2)
    assert not succeed(kept, 1)
    assert not refuse(kept, 1)
    assert not succeed(kept, 2)
    assert not refuse(kept, 2)
    left = refunding.leave_refund_unknown(kept.account, kept.refunds[1], LATER)
    assert left is None
    assert kept.account.wallet_micros == 70 * USD


def test_an_unanswered_refund_stays_open_and_is_said_once() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    assert kept.take(refunding.leave_refund_unknown(kept.account, kept.refunds[1], LATER))
    assert kept.refunds[1].state is RefundState.UNKNOWN
    assert kept.account.wallet_micros == 70 * USD
    assert len(kept.account.recharging.refunds) == 1
    assert kept.operations["asked"].state is OperationState.UNKNOWN
    assert refunding.leave_refund_unknown(kept.account, kept.refunds[1], LATER) is None
    assert refuse(kept)
    assert kept.account.wallet_micros == 100 * USD


@pytest.mark.parametrize(
    ("settle", "state"), [(succeed, OperationState.SUCCEEDED), (refuse, OperationState.FAILED)]
)
def test_the_requested_operation_keeps_its_body_and_gets_its_answer(
    settle: object, state: OperationState
) -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    assert callable(settle)
    settle(kept)
    answered = kept.operations["asked"]
    assert (answered.state, answered.body_hash) == (state, asked().body_hash)
    assert answered.answer == refund_json(kept.refunds[1])


# At the gateway


def test_what_is_refunded_at_the_gateway_leaves_the_wallet() -> None:
    kept = KeptPayment()
    assert tell(kept, 30 * USD, 1)
    assert kept.moved == [("refund", "wallet", "gateway:sandbox", 30)]
    assert kept.payment.refundable_micros == 70 * USD
    record = kept.refunds[0]
    assert (record.state, record.amount_micros) == (RefundState.SUCCEEDED, 30 * USD)
    assert kept.told == ["payment.refunded"]
    assert kept.events[0].data["amount"] == {"amount": "30.00", "currency": "USD"}
    assert kept.prove().is_sound


def test_the_operation_of_a_refund_at_the_gateway_is_named_by_the_total() -> None:
    kept = KeptPayment()
    tell(kept, 30 * USD, 1)
    (name,) = [name for name in kept.operations if "refunded" in name]
    assert name == "main/payment/sandbox/pay-1/refunded/30000000/20260314T120001.000000Z"


def test_it_is_a_fact_and_may_leave_a_debt() -> None:
    kept = KeptPayment(10 * USD)
    tell(kept, 30 * USD, 1)
    assert kept.account.wallet_micros == -20 * USD
    assert not kept.account.may_start_calls
    assert "balance.exhausted" in kept.told


def test_a_total_counts_once_and_an_older_one_not_at_all() -> None:
    kept = KeptPayment()
    assert tell(kept, 50 * USD, 2)
    assert not tell(kept, 50 * USD, 2)
    assert not tell(kept, 30 * USD, 1)
    assert kept.account.wallet_micros == 50 * USD


def test_only_what_is_more_leaves_the_wallet() -> None:
    kept = KeptPayment()
    tell(kept, 30 * USD, 1)
    tell(kept, 50 * USD, 2)
    assert [one[-1] for one in kept.moved] == [30, 20]
    assert kept.refunds[0].amount_micros == 50 * USD


def test_totals_of_the_same_instant_are_ordered_by_their_amount() -> None:
    for totals in ((30, 50), (50, 30)):
        kept = KeptPayment()
        for total in totals:
            tell(kept, total * USD, 1)
        assert kept.account.wallet_micros == 50 * USD


def test_where_the_time_of_totals_is_not_told_the_highest_counts() -> None:
    for totals in ((30, 50), (50, 30)):
        kept = KeptPayment()
        for total in totals:
            tell(kept, total * USD)
        assert kept.account.wallet_micros == 50 * USD


@pytest.mark.parametrize("seconds", [1, None], ids=["the same instant", "no time"])
def test_the_highest_is_kept_for_a_refusal_too(seconds: int | None) -> None:
    kept = KeptPayment()
    intend(kept, 50 * USD)
    assert tell(kept, 50 * USD, seconds)
    assert not tell(kept, 30 * USD, seconds)
    refuse(kept)
    assert kept.account.wallet_micros == 50 * USD


# Ours, and at the gateway


def test_our_own_refunds_webhook_before_its_answer_moves_nothing_more() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    tell(kept, 30 * USD, 1)
    succeed(kept)
    assert kept.account.wallet_micros == 70 * USD
    assert 0 not in kept.refunds


def test_a_total_that_spoke_of_another_refund_is_found_out_when_ours_is_refused() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    tell(kept, 30 * USD, 1)
    refuse(kept)
    assert kept.moved[1:] == [
        ("refund_returned", "refunds:pending", "wallet", 30),
        ("refund", "wallet", "gateway:sandbox", 30),
    ]
    assert kept.account.wallet_micros == 70 * USD
    assert kept.refunds[0].amount_micros == 30 * USD
    assert kept.told == ["payment.refund_failed", "payment.refunded"]


def test_ours_and_the_gateways_own_at_once_both_count() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    tell(kept, 50 * USD, 1)
    assert kept.account.wallet_micros == 50 * USD
    succeed(kept)
    assert kept.account.wallet_micros == 50 * USD
    assert kept.payment.refundable_micros == 50 * USD


def test_the_gateways_own_refund_stays_when_we_refund_afterwards() -> None:
    kept = KeptPayment()
    tell(kept, 20 * USD, 1)
    intend(kept, 30 * USD)
    tell(kept, 50 * USD, 2)
    succeed(kept)
    assert kept.account.wallet_micros == 50 * USD
    assert kept.refunds[0].amount_micros == 20 * USD


# What comes back


def test_a_refund_that_comes_back_returns_to_the_wallet_once() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    succeed(kept)
    assert come_back(kept, 1, 9)
    assert not come_back(kept, 1, 9)
    assert kept.moved[2:] == [("refund_returned", "gateway:sandbox", "wallet", 30)]
    assert kept.account.wallet_micros == 100 * USD
    assert kept.payment.refundable_micros == 100 * USD
    assert kept.refunds[1].state is RefundState.FAILED
    assert kept.told == ["payment.refunded", "payment.refund_failed"]


def test_who_was_answered_that_it_succeeded_is_not_answered_otherwise() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    succeed(kept)
    come_back(kept, 1, 9)
    assert kept.operations["asked"].state is OperationState.SUCCEEDED


def test_a_refund_may_come_back_before_it_was_answered() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    assert come_back(kept, 1, 9)
    assert not succeed(kept)
    assert not refuse(kept)
    assert kept.is_settled()
    assert kept.account.wallet_micros == 100 * USD
    assert kept.operations["asked"].state is OperationState.FAILED
    tell(kept, 30 * USD, 1)
    assert kept.account.wallet_micros == 100 * USD


def test_what_came_back_can_be_refunded_again_and_told_of_with_the_same_total() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD, "one")
    succeed(kept, 1)
    tell(kept, 30 * USD, 1)
    come_back(kept, 1, 2)
    tell(kept, 30 * USD, 3)
    assert kept.account.wallet_micros == 70 * USD, "given back at the gateway, this time"
    assert kept.refunds[0].amount_micros == 30 * USD


def test_a_total_may_say_that_something_came_back_before_we_hear_of_it() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    succeed(kept)
    tell(kept, 10 * USD, 3)
    assert kept.account.wallet_micros == 70 * USD
    come_back(kept, 1, 2)
    assert kept.account.wallet_micros == 90 * USD
    assert kept.refunds[0].amount_micros == 10 * USD


def test_what_came_back_in_the_instant_of_its_own_total_is_counted_once() -> None:
    for total_first in (True, False):
        kept = KeptPayment()
        intend(kept, 30 * USD)
        succeed(kept)
        if total_first:
            tell(kept, 30 * USD, 1)
        come_back(kept, 1, 1)
        tell(kept, 30 * USD, 1)
        assert kept.account.wallet_micros == 100 * USD


def test_a_refusal_that_had_come_back_was_nobodys_refund_at_the_gateway() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    tell(kept, 30 * USD, 1)
    refuse(kept)
    assert kept.account.wallet_micros == 70 * USD
    refusal = kept.refunds[1]
    assert come_back(kept, 1, 2)
    assert kept.account.wallet_micros == 100 * USD
    assert kept.refunds[0].amount_micros == 0
    assert kept.refunds[1] == refusal
    assert kept.told == [
        "payment.refund_failed",
        "payment.refunded",
        "payment.refund_failed",
    ]
    assert (kept.events[-1].data["refund"], kept.events[-1].data["state"]) == (0, "failed")
    assert kept.payment.refundable_micros == 100 * USD
    assert kept.prove().is_sound


def test_a_refund_made_at_the_gateway_may_come_back_there_once() -> None:
    kept = KeptPayment()
    tell(kept, 30 * USD, 1)
    assert come_back_elsewhere(kept, "re-9", 30 * USD, 2)
    assert not come_back_elsewhere(kept, "re-9", 30 * USD, 2)
    assert kept.account.wallet_micros == 100 * USD
    assert kept.refunds[0].state is RefundState.FAILED
    assert kept.told == ["payment.refunded", "payment.refund_failed"]


def test_what_came_back_at_the_gateway_before_it_was_told_of_moves_nothing() -> None:
    kept = KeptPayment()
    come_back_elsewhere(kept, "re-9", 30 * USD, 2)
    assert (kept.account.wallet_micros, kept.moved) == (100 * USD, [])
    tell(kept, 30 * USD, 1)
    assert kept.account.wallet_micros == 100 * USD
    assert kept.payment.refundable_micros == 100 * USD


def test_a_refusal_that_had_come_back_and_misled_nobody_is_only_noted() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    refuse(kept)
    assert come_back(kept, 1, 2)
    assert not come_back(kept, 1, 2)
    tell(kept, 30 * USD, 1)
    assert kept.account.wallet_micros == 100 * USD
    assert kept.told == ["payment.refund_failed"]


def test_an_event_of_a_refund_shows_it_as_it_stands() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    succeed(kept)
    (event,) = kept.events
    assert event.type is EventType.PAYMENT_REFUNDED
    assert event.event_id == "main/payment/sandbox/pay-1/refund/1/succeeded/payment.refunded"
    assert event.data == {
        "refund": 1,
        "payment": "pay-1",
        "gateway": "sandbox",
        "state": "succeeded",
        "amount": {"amount": "30.00", "currency": "USD"},
        "refund_id": "re-1",
        "failure_code": None,
        "started_at": "2026-03-14T12:00:00+00:00",
        "settled_at": "2026-03-14T12:01:00+00:00",
    }


def test_a_payment_is_the_same_whatever_was_given_back_of_it() -> None:
    kept = KeptPayment()
    intend(kept, 30 * USD)
    assert refunding.is_same_payment(PAYMENT, kept.payment)
    assert not refunding.is_same_payment(PAYMENT, replace(kept.payment, amount_micros=USD))
