"""A dispute takes its money out of the wallet once, and brings it back once, if it is won."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from billing.domain import disputing, refunding
from billing.domain.declines import DeclineGroup
from billing.domain.errors import ExceedsPaymentError, InvalidInputError
from billing.domain.records import DisputeState, FundingSource, OperationState, SourceState
from billing.domain.sources import has_paid, is_usable
from builders import NOON, USD, a_source, an_operation
from unit.kept_payment import KeptPayment

LATER = NOON + timedelta(days=30)


def opens(
    kept: KeptPayment,
    dispute_id: str = "dp-1",
    micros: int = 100 * USD,
    source: FundingSource | None = None,
) -> bool:
    change = disputing.open_dispute(
        kept.account, kept.payment, dispute_id, micros, "fraudulent", NOON, source
    )
    return kept.take(change) is not None


def closes(kept: KeptPayment, dispute_id: str = "dp-1", *, is_won: bool) -> bool:
    dispute = kept.disputes[dispute_id]
    change = disputing.close_dispute(kept.account, kept.payment, dispute, LATER, is_won=is_won)
    return kept.take(change) is not None


def is_told(kept: KeptPayment, what: str) -> None:
    """As whoever takes the gateway's news does: what is closed was opened before."""
    opens(kept)
    if what != "opened":
        closes(kept, is_won=what == "won")


def refund(kept: KeptPayment, micros: int) -> None:
    operation = an_operation(operation_id="asked", state=OperationState.PENDING, answer=None)
    kept.take(refunding.intend_refund(kept.account, kept.payment, micros, operation, NOON))
    kept.take(refunding.settle_refunded(kept.account, kept.payment, kept.refunds[1], "re-1", LATER))


def test_a_dispute_takes_what_is_disputed_out_of_the_wallet() -> None:
    kept = KeptPayment()
    assert opens(kept, micros=60 * USD)
    assert kept.moved == [("dispute", "wallet", "disputes:sandbox", 60)]
    assert kept.account.wallet_micros == 40 * USD
    assert (kept.payment.disputed_micros, kept.payment.refundable_micros) == (60 * USD, 40 * USD)
    dispute = kept.disputes["dp-1"]
    assert (dispute.state, dispute.code, dispute.opened_at) == (
        DisputeState.OPEN,
        "fraudulent",
        NOON,
    )
    assert kept.told == ["payment.disputed"]
    assert kept.prove().is_sound


def test_a_dispute_may_leave_a_debt_on_which_no_new_call_starts() -> None:
    kept = KeptPayment(10 * USD)
    opens(kept)
    assert kept.account.wallet_micros == -90 * USD
    assert not kept.account.may_start_calls
    assert kept.told == ["balance.exhausted", "payment.disputed"]


def test_a_dispute_that_is_won_comes_back() -> None:
    kept = KeptPayment()
    opens(kept)
    assert closes(kept, is_won=True)
    assert kept.moved[1:] == [("dispute_returned", "disputes:sandbox", "wallet", 100)]
    assert kept.account.wallet_micros == 100 * USD
    assert kept.payment.refundable_micros == 100 * USD
    assert kept.disputes["dp-1"].state is DisputeState.WON
    assert kept.told == ["balance.exhausted", "payment.disputed", "payment.dispute_closed"]
    assert kept.prove().is_sound


def test_a_dispute_that_is_lost_moves_nothing_in_the_wallet() -> None:
    kept = KeptPayment()
    opens(kept)
    assert closes(kept, is_won=False)
    assert kept.moved[1:] == [("dispute", "disputes:sandbox", "gateway:sandbox", 100)]
    assert kept.account.wallet_micros == 0
    assert kept.payment.refundable_micros == 0
    assert (kept.disputes["dp-1"].state, kept.disputes["dp-1"].closed_at) == (
        DisputeState.LOST,
        LATER,
    )


@pytest.mark.parametrize(("end", "balance"), [("won", 100 * USD), ("lost", 0)])
def test_news_of_a_dispute_may_come_in_any_order_and_twice(end: str, balance: int) -> None:
    orders: set[Sequence[str]] = set(permutations(["opened", "opened", end, end]))
    for order in orders:
        kept = KeptPayment()
        for what in order:
            is_told(kept, what)
        assert kept.account.wallet_micros == balance, order
        assert len(kept.disputes) == 1
        assert kept.balance_of("disputes:sandbox") == 0
        assert kept.told.count("payment.disputed") == kept.told.count("payment.dispute_closed") == 1


def test_how_it_was_decided_first_stays() -> None:
    kept = KeptPayment()
    opens(kept)
    assert closes(kept, is_won=False)
    assert not closes(kept, is_won=True)
    assert kept.account.wallet_micros == 0


def test_two_disputes_of_a_payment_are_two() -> None:
    kept = KeptPayment()
    opens(kept, "dp-1", 30 * USD)
    opens(kept, "dp-2", 20 * USD)
    closes(kept, "dp-1", is_won=True)
    assert kept.account.wallet_micros == 80 * USD
    assert kept.payment.disputed_micros == 20 * USD


def test_operations_are_named_by_the_dispute() -> None:
    kept = KeptPayment()
    opens(kept)
    closes(kept, is_won=True)
    assert list(kept.operations)[1:] == [
        "main/dispute/sandbox/dp-1/opened",
        "main/dispute/sandbox/dp-1/closed",
    ]


def test_a_dispute_is_about_a_positive_amount() -> None:
    with pytest.raises(InvalidInputError):
        opens(KeptPayment(), micros=0)


def test_whose_payment_is_disputed_is_never_asked_again() -> None:
    kept = KeptPayment()
    opens(kept, source=a_source())
    blocked = kept.sources["card-1"]
    assert (blocked.blocked_code, blocked.blocked_group) == ("disputed", DeclineGroup.NEVER)
    assert not is_usable(kept.account, blocked, NOON)
    assert has_paid(blocked) == blocked, "not even another payment lifts it"
    assert "funding_source.blocked" in kept.told
    told = next(event for event in kept.events if event.type == "funding_source.blocked")
    assert (told.data["source"], told.data["failure_code"]) == ("card-1", "disputed")


def test_a_source_is_blocked_and_told_of_once() -> None:
    kept = KeptPayment()
    opens(kept, "dp-1", 10 * USD, a_source())
    opens(kept, "dp-2", 10 * USD, kept.sources["card-1"])
    assert kept.told.count("funding_source.blocked") == 1


def test_a_source_that_was_removed_is_left_as_it_is() -> None:
    kept = KeptPayment()
    opens(kept, source=replace(a_source(), state=SourceState.REMOVED))
    assert (kept.sources, "funding_source.blocked" in kept.told) == ({}, False)


def test_what_is_disputed_cannot_be_refunded_as_well() -> None:
    kept = KeptPayment(500 * USD)
    opens(kept, micros=70 * USD)
    with pytest.raises(ExceedsPaymentError, match=r"30\.00 USD"):
        refund(kept, 30 * USD + 10_000)
    refund(kept, 30 * USD)
    assert kept.payment.refundable_micros == 0
    closes(kept, is_won=True)
    assert kept.payment.refundable_micros == 70 * USD
    assert kept.account.wallet_micros == 470 * USD


def test_the_rest_of_what_was_refunded_in_part_can_be_disputed() -> None:
    kept = KeptPayment(500 * USD)
    refund(kept, 30 * USD)
    opens(kept, micros=70 * USD)
    assert kept.payment.refundable_micros == 0
    closes(kept, is_won=False)
    assert (kept.payment.refunded_micros, kept.payment.disputed_micros) == (30 * USD, 70 * USD)
    assert kept.account.wallet_micros == 400 * USD
    assert kept.prove().is_sound
