"""What every gateway keeps to with UPI: a day's notice, and nothing before an approval."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.errors import GatewayKeyReusedError, PaymentUnknownError
from billing.ports import ActionNeeded, Captured, Declined, Outcome, Processing
from contract.gateway_asking import KEY_GONE, amounts, asking, asking_once, says, the_truth
from contract.gateway_beds import Behaviour, Capability, GatewayBed, needs

NOTICE = timedelta(hours=24)
"""From the notice to the debit, at least (RBI)."""


@pytest.fixture
def mandate_bed(gateway_bed: GatewayBed) -> GatewayBed:
    needs(gateway_bed, Capability.UPI)
    return gateway_bed


@pytest.fixture
def one_off_bed(gateway_bed: GatewayBed) -> GatewayBed:
    needs(gateway_bed, Capability.ONE_OFF)
    return gateway_bed


def processing(answer: Outcome | None) -> Processing:
    assert isinstance(answer, Processing), answer
    return answer


def waiting(answer: Outcome | None) -> ActionNeeded:
    assert isinstance(answer, ActionNeeded), answer
    return answer


def test_a_mandates_debit_is_under_way_for_a_day_at_least(mandate_bed: GatewayBed) -> None:
    request = asking(mandate_bed, Behaviour.UPI_SUCCEEDS)
    answer = processing(mandate_bed.gateway.charge(request))
    assert answer.expected_at >= request.asked_at + NOTICE
    mandate_bed.advance(NOTICE - timedelta(minutes=1))
    found = processing(mandate_bed.gateway.find(request, answer.payment_id))
    assert found.payment_id == answer.payment_id
    assert amounts(mandate_bed) == []


def test_a_mandates_debit_is_captured_when_it_was_expected(mandate_bed: GatewayBed) -> None:
    request = asking(mandate_bed, Behaviour.UPI_SUCCEEDS)
    answer = processing(mandate_bed.gateway.charge(request))
    mandate_bed.advance(answer.expected_at - mandate_bed.now())
    assert mandate_bed.gateway.find(request, answer.payment_id) == Captured(answer.payment_id)
    assert mandate_bed.gateway.find(request) == Captured(answer.payment_id)
    truth = the_truth(mandate_bed)
    assert (truth.amount_minor, truth.currency) == (2_500, "INR")
    assert says(truth.metadata)


def test_a_mandates_debit_is_captured_though_nobody_asks(mandate_bed: GatewayBed) -> None:
    answer = processing(mandate_bed.gateway.charge(asking(mandate_bed, Behaviour.UPI_SUCCEEDS)))
    mandate_bed.advance(answer.expected_at - mandate_bed.now())
    assert the_truth(mandate_bed).payment_id == answer.payment_id


def test_a_mandates_debit_may_be_declined_in_the_end(mandate_bed: GatewayBed) -> None:
    request = asking(mandate_bed, Behaviour.UPI_DECLINES)
    answer = processing(mandate_bed.gateway.charge(request))
    mandate_bed.advance(answer.expected_at - mandate_bed.now())
    for _ in range(2):
        assert isinstance(mandate_bed.gateway.find(request, answer.payment_id), Declined)
    mandate_bed.approve(answer.payment_id)
    assert amounts(mandate_bed) == []


def test_the_same_key_again_is_the_same_debit(mandate_bed: GatewayBed) -> None:
    request = asking(mandate_bed, Behaviour.UPI_SUCCEEDS)
    answer = processing(mandate_bed.gateway.charge(request))
    assert processing(mandate_bed.gateway.charge(request)).payment_id == answer.payment_id
    mandate_bed.advance(answer.expected_at - mandate_bed.now())
    assert amounts(mandate_bed) == [2_500]


@pytest.mark.parametrize("after_doing", [True, False], ids=["debited", "not debited"])
def test_a_debit_whose_answer_was_lost_is_made_once(
    mandate_bed: GatewayBed, after_doing: bool
) -> None:
    needs(mandate_bed, Capability.LOST_ANSWERS)
    request = asking(mandate_bed, Behaviour.UPI_SUCCEEDS)
    mandate_bed.lose_answer(after_doing=after_doing)
    with pytest.raises(PaymentUnknownError):
        mandate_bed.gateway.charge(request)
    answer = processing(mandate_bed.gateway.charge(request))
    mandate_bed.advance(answer.expected_at - mandate_bed.now())
    assert amounts(mandate_bed) == [2_500]


def test_a_debit_under_way_cannot_be_called_off(mandate_bed: GatewayBed) -> None:
    request = asking(mandate_bed, Behaviour.UPI_SUCCEEDS)
    answer = processing(mandate_bed.gateway.charge(request))
    assert processing(mandate_bed.gateway.cancel(request, answer.payment_id)).payment_id
    mandate_bed.advance(answer.expected_at - mandate_bed.now())
    assert mandate_bed.gateway.cancel(request, answer.payment_id) == Captured(answer.payment_id)


@pytest.mark.parametrize("is_saved", [True, False], ids=["a mandate", "a one-off payment"])
def test_upi_pays_in_rupees_only(mandate_bed: GatewayBed, is_saved: bool) -> None:
    needs(mandate_bed, Capability.ONE_OFF)
    request = asking(mandate_bed, Behaviour.UPI_SUCCEEDS) if is_saved else asking_once(mandate_bed)
    assert isinstance(mandate_bed.gateway.charge(replace(request, currency="USD")), Declined)
    mandate_bed.advance(2 * NOTICE)
    assert amounts(mandate_bed) == []


def test_nothing_is_captured_before_the_customer_approves(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    assert answer.expires_at > one_off_bed.now()
    assert answer.next_action.kind in ("upi", "redirect")
    assert answer.next_action.url.startswith(("upi://pay?", "https://"))
    assert waiting(one_off_bed.gateway.find(request)).payment_id == answer.payment_id
    assert amounts(one_off_bed) == []


def test_the_same_key_again_asks_for_the_same_approval(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answers = {waiting(one_off_bed.gateway.charge(request)).payment_id for _ in range(3)}
    assert len(answers) == 1
    with pytest.raises(GatewayKeyReusedError):
        one_off_bed.gateway.charge(replace(request, amount_minor=2_501))


def test_an_approval_captures_once(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    one_off_bed.approve(answer.payment_id)
    one_off_bed.approve(answer.payment_id)
    assert one_off_bed.gateway.find(request, answer.payment_id) == Captured(answer.payment_id)
    truth = the_truth(one_off_bed)
    assert (truth.payment_id, truth.amount_minor) == (answer.payment_id, 2_500)
    assert says(truth.metadata)


def test_an_approval_of_one_payment_is_none_of_another(one_off_bed: GatewayBed) -> None:
    first = waiting(one_off_bed.gateway.charge(asking_once(one_off_bed, "one")))
    waiting(one_off_bed.gateway.charge(asking_once(one_off_bed, "two")))
    one_off_bed.approve(first.payment_id)
    assert the_truth(one_off_bed).payment_id == first.payment_id


def test_what_was_called_off_can_no_longer_be_approved(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    for _ in range(2):
        assert isinstance(one_off_bed.gateway.cancel(request, answer.payment_id), Declined)
    one_off_bed.approve(answer.payment_id)
    assert isinstance(one_off_bed.gateway.find(request, answer.payment_id), Declined)
    assert amounts(one_off_bed) == []


def test_what_was_approved_can_no_longer_be_called_off(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    one_off_bed.approve(answer.payment_id)
    for _ in range(2):
        cancelled = one_off_bed.gateway.cancel(request, answer.payment_id)
        assert cancelled == Captured(answer.payment_id)
    assert amounts(one_off_bed) == [2_500]


def test_what_the_customer_turned_down_is_declined(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    one_off_bed.abandon(answer.payment_id)
    assert isinstance(one_off_bed.gateway.find(request, answer.payment_id), Declined)
    one_off_bed.approve(answer.payment_id)
    assert amounts(one_off_bed) == []


@pytest.mark.parametrize("after_doing", [True, False], ids=["called off", "not called off"])
def test_calling_off_may_be_repeated_after_a_lost_answer(
    one_off_bed: GatewayBed, after_doing: bool
) -> None:
    needs(one_off_bed, Capability.LOST_ANSWERS)
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    one_off_bed.lose_answer(after_doing=after_doing)
    with pytest.raises(PaymentUnknownError):
        one_off_bed.gateway.cancel(request, answer.payment_id)
    assert isinstance(one_off_bed.gateway.cancel(request, answer.payment_id), Declined)
    one_off_bed.approve(answer.payment_id)
    assert amounts(one_off_bed) == []


@pytest.mark.parametrize("after_doing", [True, False], ids=["begun", "not begun"])
def test_a_one_off_payment_whose_answer_was_lost_is_begun_once(
    one_off_bed: GatewayBed, after_doing: bool
) -> None:
    needs(one_off_bed, Capability.LOST_ANSWERS)
    request = asking_once(one_off_bed)
    one_off_bed.lose_answer(after_doing=after_doing)
    with pytest.raises(PaymentUnknownError):
        one_off_bed.gateway.charge(request)
    answer = waiting(one_off_bed.gateway.charge(request))
    one_off_bed.approve(answer.payment_id)
    assert the_truth(one_off_bed).payment_id == answer.payment_id


def test_an_approval_is_found_though_nobody_asked_in_time(one_off_bed: GatewayBed) -> None:
    request = asking_once(one_off_bed)
    answer = waiting(one_off_bed.gateway.charge(request))
    one_off_bed.approve(answer.payment_id)
    one_off_bed.advance(KEY_GONE)
    assert one_off_bed.gateway.find(request) == Captured(answer.payment_id)
