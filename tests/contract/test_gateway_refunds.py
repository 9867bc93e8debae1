"""What every gateway keeps to when it gives back: once, and never more than was paid."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from billing.domain.errors import GatewayKeyReusedError, PaymentUnknownError
from billing.ports import ActionNeeded, Refunded, RefundRefused
from contract.gateway_asking import (
    KEY_GONE,
    REFUND_KEY,
    asking_once,
    captured,
    refunded,
    refunding,
)
from contract.gateway_beds import Capability, GatewayBed, needs


@pytest.fixture
def refund_bed(gateway_bed: GatewayBed) -> GatewayBed:
    needs(gateway_bed, Capability.REFUNDS)
    return gateway_bed


@pytest.mark.parametrize("amount_minor", [2_500, 1], ids=["in full", "in part"])
def test_a_payment_is_given_back(refund_bed: GatewayBed, amount_minor: int) -> None:
    request = refunding(refund_bed, captured(refund_bed), amount_minor)
    answer = refund_bed.gateway.refund(request)
    assert isinstance(answer, Refunded)
    assert answer.refund_id
    assert refunded(refund_bed) == [amount_minor]


def test_the_same_key_again_gives_back_once(refund_bed: GatewayBed) -> None:
    request = refunding(refund_bed, captured(refund_bed), 1_000)
    assert len({refund_bed.gateway.refund(request) for _ in range(3)}) == 1
    assert refunded(refund_bed) == [1_000]


def test_another_key_is_another_refund(refund_bed: GatewayBed) -> None:
    payment_id = captured(refund_bed)
    first = refund_bed.gateway.refund(refunding(refund_bed, payment_id, 1_000, "one"))
    second = refund_bed.gateway.refund(refunding(refund_bed, payment_id, 1_500, "two"))
    assert first != second
    assert refunded(refund_bed) == [2_500]


def test_of_two_payments_only_the_one_that_was_meant_is_given_back(refund_bed: GatewayBed) -> None:
    meant = captured(refund_bed, "one")
    captured(refund_bed, "two")
    refund_bed.gateway.refund(refunding(refund_bed, meant))
    back = {truth.payment_id: truth.refunded_minor for truth in refund_bed.captured()}
    assert sorted(back.values()) == [0, 2_500]
    assert back[meant] == 2_500


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(None, 2_501, id="more than the payment"),
        pytest.param(2_500, 1, id="one more after all of it"),
        pytest.param(1_000, 1_501, id="one more than is left"),
    ],
)
def test_never_more_is_given_back_than_was_paid(
    refund_bed: GatewayBed, first: int | None, second: int
) -> None:
    needs(refund_bed, Capability.REFUND_LIMIT)
    payment_id = captured(refund_bed)
    if first is not None:
        refund_bed.gateway.refund(refunding(refund_bed, payment_id, first, "first"))
    request = refunding(refund_bed, payment_id, second, "second")
    answer = refund_bed.gateway.refund(request)
    assert isinstance(answer, RefundRefused)
    assert answer.code
    assert refund_bed.gateway.refund(request) == answer
    assert refunded(refund_bed) == [first or 0]


def test_refunds_at_once_under_different_keys_stay_within_the_payment(
    refund_bed: GatewayBed,
) -> None:
    needs(refund_bed, Capability.AT_ONCE, Capability.REFUND_LIMIT)
    payment_id = captured(refund_bed)
    requests = [refunding(refund_bed, payment_id, 600, f"refund:{n}") for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(refund_bed.gateway.refund, requests))
    given_back = [answer for answer in answers if isinstance(answer, Refunded)]
    assert len({answer.refund_id for answer in given_back}) == len(given_back) == 4
    assert refunded(refund_bed) == [2_400]


def test_refunds_at_once_under_one_key_give_back_once(refund_bed: GatewayBed) -> None:
    needs(refund_bed, Capability.AT_ONCE)
    request = refunding(refund_bed, captured(refund_bed), 600)

    def refund(_: int) -> Refunded | RefundRefused | None:
        try:
            return refund_bed.gateway.refund(request)
        except PaymentUnknownError:  # A gateway may say that the key is in use just now.
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(refund, range(16)))
    assert len(answers - {None}) == 1
    assert refunded(refund_bed) == [600]


def test_a_key_with_other_parameters_is_refused_and_gives_nothing_back(
    refund_bed: GatewayBed,
) -> None:
    request = refunding(refund_bed, captured(refund_bed), 1_000)
    refund_bed.gateway.refund(request)
    with pytest.raises(GatewayKeyReusedError):
        refund_bed.gateway.refund(replace(request, amount_minor=1_001))
    assert refunded(refund_bed) == [1_000]


@pytest.mark.parametrize("after_doing", [True, False], ids=["given back", "not given back"])
def test_a_lost_answer_is_unknown_and_the_same_key_gives_back_exactly_once(
    refund_bed: GatewayBed, after_doing: bool
) -> None:
    needs(refund_bed, Capability.LOST_ANSWERS)
    request = refunding(refund_bed, captured(refund_bed), 1_000)
    refund_bed.lose_answer(after_doing=after_doing)
    with pytest.raises(PaymentUnknownError):
        refund_bed.gateway.refund(request)
    assert refunded(refund_bed) == [1_000 if after_doing else 0]
    assert len({refund_bed.gateway.refund(request) for _ in range(2)}) == 1
    assert refunded(refund_bed) == [1_000]


def test_a_refund_whose_answer_was_lost_is_found(refund_bed: GatewayBed) -> None:
    needs(refund_bed, Capability.LOST_ANSWERS, Capability.REFUND_LOOK_UP)
    request = refunding(refund_bed, captured(refund_bed), 1_000)
    refund_bed.lose_answer(after_doing=True)
    with pytest.raises(PaymentUnknownError):
        refund_bed.gateway.refund(request)
    found = refund_bed.gateway.find_refund(request)
    assert isinstance(found, Refunded)
    assert refund_bed.gateway.refund(request) == found


def test_one_refund_is_not_found_for_another(refund_bed: GatewayBed) -> None:
    needs(refund_bed, Capability.REFUND_LOOK_UP)
    payment_id = captured(refund_bed)
    refund_bed.gateway.refund(refunding(refund_bed, payment_id, 1_000, "one"))
    other = refunding(refund_bed, payment_id, 1_000, "two")
    refund_bed.advance(KEY_GONE)
    assert refund_bed.gateway.find_refund(other) is None


def test_a_refund_key_that_was_not_found_never_gives_back_any_more(
    refund_bed: GatewayBed,
) -> None:
    needs(refund_bed, Capability.KEY_CLOSING, Capability.REFUND_LOOK_UP)
    request = refunding(refund_bed, captured(refund_bed))
    assert refund_bed.gateway.find_refund(request) is None
    assert isinstance(refund_bed.gateway.refund(request), RefundRefused)
    assert refund_bed.gateway.find_refund(request) is None
    assert refunded(refund_bed) == [0]


def test_what_was_never_paid_is_not_given_back(refund_bed: GatewayBed) -> None:
    answer = refund_bed.gateway.refund(refunding(refund_bed, "pi_of_nobody"))
    assert isinstance(answer, RefundRefused)


def test_what_was_not_captured_yet_is_not_given_back(refund_bed: GatewayBed) -> None:
    needs(refund_bed, Capability.ONE_OFF)
    waiting = refund_bed.gateway.charge(asking_once(refund_bed))
    assert isinstance(waiting, ActionNeeded)
    request = replace(refunding(refund_bed, waiting.payment_id), currency="INR")
    assert isinstance(refund_bed.gateway.refund(request), RefundRefused)
    refund_bed.approve(waiting.payment_id)
    assert refunded(refund_bed) == [0]


def test_what_was_given_back_from_the_dashboard_is_not_given_back_again(
    refund_bed: GatewayBed,
) -> None:
    needs(refund_bed, Capability.REFUND_ELSEWHERE, Capability.REFUND_LIMIT)
    payment_id = captured(refund_bed)
    refund_bed.refund_elsewhere(payment_id, 2_000)
    assert isinstance(refund_bed.gateway.refund(refunding(refund_bed, payment_id)), RefundRefused)
    answer = refund_bed.gateway.refund(refunding(refund_bed, payment_id, 500, "the rest"))
    assert isinstance(answer, Refunded)
    assert refunded(refund_bed) == [2_500]


def test_a_refund_that_failed_afterwards_is_not_given_back(refund_bed: GatewayBed) -> None:
    needs(refund_bed, Capability.REFUND_FAILURE, Capability.REFUND_LOOK_UP)
    payment_id = captured(refund_bed)
    request = refunding(refund_bed, payment_id)
    answer = refund_bed.gateway.refund(request)
    assert isinstance(answer, Refunded)
    refund_bed.fail_refund(answer.refund_id)
    assert refunded(refund_bed) == [0]
    assert isinstance(refund_bed.gateway.find_refund(request), RefundRefused)
    again = refunding(refund_bed, payment_id, key=f"{REFUND_KEY}/again")
    assert isinstance(refund_bed.gateway.refund(again), Refunded)
    assert refunded(refund_bed) == [2_500]
