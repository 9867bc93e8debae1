"""Payments, refunds and disputes in every book: found by name, and revised in their order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain import disputing, refunding
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.errors import NotFoundError, StaleAccountError
from billing.domain.ledger import prove
from billing.domain.records import OperationState, Payment, Refund, RefundState, ReturnedRefund
from billing.ports import AlreadyRecordedError
from builders import (
    ACME,
    NOON,
    USD,
    a_recharge_change,
    a_settlement,
    a_source,
    a_touch,
    an_operation,
)
from contract.beds import BEDS, Bed
from contract.changes import opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)

LATER = NOON + timedelta(minutes=5)
SECOND = AccountRef("acme", "second")
GLOBEX = AccountRef("globex", "main")


def credited(bed: Bed, ref: AccountRef = ACME, payment_id: str = "pay-1") -> Account:
    """An account with one captured payment."""
    intended = bed.commit(a_recharge_change(opened(bed, ref)))
    return bed.commit(a_settlement(intended, bed.book.recharge(ref, 1), payment_id))


def intend(bed: Bed, micros: int = 5 * USD, name: str = "asked") -> Change:
    operation = an_operation(operation_id=name, state=OperationState.PENDING, answer=None)
    account, payment = bed.book.account(ACME), bed.book.payment(ACME, "sandbox", "pay-1")
    return refunding.intend_refund(account, payment, micros, operation, NOON)


def refund_of(change: Change) -> Refund:
    (refund,) = (record for record in change.records if isinstance(record, Refund))
    return refund


def a_full_payment(payment: Payment) -> Payment:
    """With something in every field."""
    return replace(
        payment,
        refunded_micros=3 * USD,
        refunds=2,
        gateway_refunded_micros=4 * USD,
        gateway_told_at=LATER,
        elsewhere_micros=USD,
        returned=(ReturnedRefund(1, "re-1", USD, NOON), ReturnedRefund(0, "re#9", USD, LATER)),
        disputed_micros=2 * USD,
        disputes=("dp-1", "dp#2"),
        revision=1,
    )


def test_a_payment_comes_back_as_it_was_credited(bed: Bed) -> None:
    credited(bed)
    payment = bed.book.payment(ACME, "sandbox", "pay-1")
    assert (payment.account, payment.amount_micros, payment.ordinal, payment.revision) == (
        ACME,
        20 * USD,
        1,
        0,
    )
    assert payment.credited_by == "main/payment/sandbox/pay-1"
    assert bed.book.payment_account("sandbox", "pay-1") == ACME


def test_a_revised_payment_replaces_the_one_before_with_all_it_says(bed: Bed) -> None:
    account = credited(bed)
    first = a_full_payment(bed.book.payment(ACME, "sandbox", "pay-1"))
    account = bed.commit(a_touch(account, "first", records=(first,)))
    assert bed.book.payment(ACME, "sandbox", "pay-1") == first
    second = replace(first, refunded_micros=0, revision=2)
    bed.commit(a_touch(account, "second", records=(second,)))
    assert bed.book.payment(ACME, "sandbox", "pay-1") == second
    assert bed.book.payment_account("sandbox", "pay-1") == ACME


def test_a_capture_told_again_after_a_refund_is_credited_already(bed: Bed) -> None:
    intended = bed.commit(a_recharge_change(opened(bed)))
    settlement = a_settlement(intended, bed.book.recharge(ACME, 1))
    bed.commit(settlement)
    bed.commit(intend(bed))
    revised = bed.book.payment(ACME, "sandbox", "pay-1")
    again = replace(settlement, operation=an_operation(operation_id="told again"))
    with pytest.raises(AlreadyRecordedError) as caught:
        bed.book.commit(again)
    assert caught.value.operation.operation_id == "main/payment/sandbox/pay-1"
    assert bed.book.payment(ACME, "sandbox", "pay-1") == revised


def test_of_two_refunds_decided_on_one_account_the_second_is_stale(bed: Bed) -> None:
    credited(bed)
    first, second = intend(bed, 15 * USD, "one"), intend(bed, 15 * USD, "two")
    bed.commit(first)
    before = bed.contents()
    with pytest.raises(StaleAccountError):
        bed.book.commit(second)
    assert bed.contents() == before


def test_a_refund_is_written_and_settled(bed: Bed) -> None:
    credited(bed)
    change = intend(bed)
    account = bed.commit(change)
    refund = bed.book.refund(ACME, "sandbox", "pay-1", 1)
    assert refund == refund_of(change)
    payment = bed.book.payment(ACME, "sandbox", "pay-1")
    settled = refunding.settle_refunded(account, payment, refund, "re#1", LATER)
    assert settled is not None
    account = bed.commit(settled)
    refund = bed.book.refund(ACME, "sandbox", "pay-1", 1)
    assert (refund.state, refund.refund_id, refund.settled_at) == (
        RefundState.SUCCEEDED,
        "re#1",
        LATER,
    )
    assert account.recharging.refunds == ()
    operation = bed.book.operation(ACME, "asked")
    assert operation is not None
    assert operation.state is OperationState.SUCCEEDED
    assert prove(account, bed.book.entries(account)).is_sound


def test_what_is_open_is_in_the_account(bed: Bed) -> None:
    credited(bed)
    account = bed.commit(intend(bed))
    assert account.recharging.refunds == bed.book.account(ACME).recharging.refunds
    assert [(one.payment_id, one.number) for one in account.recharging.refunds] == [("pay-1", 1)]


def test_refunds_are_listed_in_their_order_and_of_one_payment_alone(bed: Bed) -> None:
    account = credited(bed)
    made = refund_of(intend(bed))
    refunds = [replace(made, number=number) for number in (0, 1, 2, 9, 10, 11, 100)]
    others = [replace(made, payment_id=name, number=1) for name in ("pay-10", "pay-1#", "pay-")]
    elsewhere = replace(made, gateway="sandbox2", number=3)
    records = (*reversed(refunds), *others, elsewhere)
    bed.commit(a_touch(account, "many", records=records))
    assert bed.book.refunds(ACME, "sandbox", "pay-1") == refunds
    assert bed.book.refunds(ACME, "sandbox", "pay-1#") == [others[1]]
    assert bed.book.refunds(ACME, "sandbox", "pay-2") == []


def test_a_dispute_is_written_decided_and_blocks_its_source(bed: Bed) -> None:
    account = bed.commit(a_touch(credited(bed), "source", records=(a_source(),)))
    payment = bed.book.payment(ACME, "sandbox", "pay-1")
    assert bed.book.dispute(ACME, "sandbox", "dp#1") is None
    source = bed.book.funding_source(ACME, "card-1")
    change = disputing.open_dispute(account, payment, "dp#1", 20 * USD, "fraudulent", NOON, source)
    assert change is not None
    account = bed.commit(change)
    assert bed.book.funding_source(ACME, "card-1").blocked_code == "disputed"
    dispute = bed.book.dispute(ACME, "sandbox", "dp#1")
    assert dispute is not None
    assert dispute in change.records
    payment = bed.book.payment(ACME, "sandbox", "pay-1")
    assert payment.disputes == ("dp#1",)
    closed = disputing.close_dispute(account, payment, dispute, LATER, is_won=True)
    assert closed is not None
    account = bed.commit(closed)
    assert bed.book.dispute(ACME, "sandbox", "dp#1") in closed.records
    assert account.wallet_micros == 20 * USD
    assert prove(account, bed.book.entries(account)).is_sound


def test_a_change_that_was_made_is_not_made_again(bed: Bed) -> None:
    account = credited(bed)
    payment = bed.book.payment(ACME, "sandbox", "pay-1")
    change = disputing.open_dispute(account, payment, "dp-1", 20 * USD, "fraudulent", NOON)
    assert change is not None
    bed.commit(change)
    before = bed.contents()
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(change)
    assert bed.contents() == before


Read = Callable[[Bed, AccountRef], object]


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda bed, ref: bed.book.payment(ref, "sandbox", "pay-1"), id="payment"),
        pytest.param(lambda bed, ref: bed.book.refund(ref, "sandbox", "pay-1", 1), id="refund"),
    ],
)
@pytest.mark.parametrize("ref", [GLOBEX, SECOND], ids=["another tenant", "another account"])
def test_anothers_names_find_nothing(bed: Bed, read: Read, ref: AccountRef) -> None:
    credited(bed)
    bed.commit(intend(bed))
    assert read(bed, ACME)
    with pytest.raises(NotFoundError):
        read(bed, ref)
    assert bed.book.refunds(ref, "sandbox", "pay-1") == []
    assert bed.book.dispute(ref, "sandbox", "dp-1") is None


def test_what_does_not_exist_is_not_found(bed: Bed) -> None:
    credited(bed)
    for read in (
        lambda: bed.book.payment(ACME, "sandbox", "pay-2"),
        lambda: bed.book.payment(ACME, "another", "pay-1"),
        lambda: bed.book.refund(ACME, "sandbox", "pay-1", 1),
    ):
        with pytest.raises(NotFoundError):
            read()
    assert bed.book.payment_account("sandbox", "pay-2") is None
    assert bed.book.payment_account("another", "pay-1") is None


def test_a_payment_leads_to_its_own_account(bed: Bed) -> None:
    credited(bed)
    credited(bed, GLOBEX, "pay-2")
    assert bed.book.payment_account("sandbox", "pay-1") == ACME
    assert bed.book.payment_account("sandbox", "pay-2") == GLOBEX
