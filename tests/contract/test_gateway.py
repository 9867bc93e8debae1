"""What every payment gateway keeps to when it collects: once, or definitely not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.declines import DeclineGroup
from billing.domain.errors import GatewayKeyReusedError, PaymentUnknownError
from billing.domain.gateway_events import GatewayEventKind
from billing.ports import Captured, ChargeRequest, Declined, Outcome
from contract.gateway_asking import KEY_GONE, METADATA, NEEDS, amounts, asking, says, the_truth
from contract.gateway_beds import Behaviour, Capability, GatewayBed, needs

DECLINES = [
    pytest.param(Behaviour.INSUFFICIENT_FUNDS, DeclineGroup.RETRY_LATER, id="no money is retried"),
    pytest.param(Behaviour.EXPIRED_CARD, DeclineGroup.NEW_SOURCE, id="an expired card is replaced"),
    pytest.param(Behaviour.STOLEN, DeclineGroup.NEVER, id="a stolen card is never tried again"),
    pytest.param(
        Behaviour.NEEDS_ACTION, DeclineGroup.CUSTOMER_ACTION, id="a card that wants its customer"
    ),
]


def test_the_gateway_and_its_webhooks_have_one_name(gateway_bed: GatewayBed) -> None:
    assert gateway_bed.gateway.name == gateway_bed.webhooks.name != ""


def test_a_payment_stands_in_the_gateways_book_with_what_we_said_of_it(
    gateway_bed: GatewayBed,
) -> None:
    answer = gateway_bed.gateway.charge(asking(gateway_bed))
    truth = the_truth(gateway_bed)
    assert answer == Captured(truth.payment_id)
    assert (truth.amount_minor, truth.currency, truth.refunded_minor) == (2_500, "USD", 0)
    assert says(truth.metadata)


def test_the_same_key_again_answers_the_same_and_charges_once(gateway_bed: GatewayBed) -> None:
    request = asking(gateway_bed)
    answers = {gateway_bed.gateway.charge(request) for _ in range(3)}
    assert answers == {Captured(the_truth(gateway_bed).payment_id)}


def test_the_same_key_a_little_later_is_the_same_payment(gateway_bed: GatewayBed) -> None:
    request = asking(gateway_bed)
    answer = gateway_bed.gateway.charge(request)
    gateway_bed.advance(timedelta(hours=22))
    assert gateway_bed.gateway.charge(request) == answer
    assert amounts(gateway_bed) == [2_500]


def test_when_it_was_asked_is_not_part_of_what_a_key_stands_for(gateway_bed: GatewayBed) -> None:
    request = asking(gateway_bed)
    answer = gateway_bed.gateway.charge(request)
    later = replace(request, asked_at=request.asked_at + timedelta(seconds=1))
    assert gateway_bed.gateway.charge(later) == answer


def test_another_key_is_another_payment(gateway_bed: GatewayBed) -> None:
    first = gateway_bed.gateway.charge(asking(gateway_bed, key="one"))
    assert first != gateway_bed.gateway.charge(asking(gateway_bed, key="two"))
    assert amounts(gateway_bed) == [2_500, 2_500]


def test_calls_at_once_under_one_key_charge_once(gateway_bed: GatewayBed) -> None:
    needs(gateway_bed, Capability.AT_ONCE)
    request = asking(gateway_bed)

    def charge(_: int) -> Outcome | None:
        try:
            return gateway_bed.gateway.charge(request)
        except PaymentUnknownError:  # A gateway may say that the key is in use just now.
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(charge, range(32)))
    payment = Captured(the_truth(gateway_bed).payment_id)
    assert payment in answers
    assert answers <= {payment, None}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"amount_minor": 2_501}, id="another amount"),
        pytest.param({"currency": "EUR"}, id="another currency"),
        pytest.param({"metadata": {**METADATA, "recharge": "2"}}, id="something else paid for"),
    ],
)
def test_a_key_with_other_parameters_is_refused_and_charges_nothing(
    gateway_bed: GatewayBed, other: dict[str, object]
) -> None:
    request = asking(gateway_bed)
    gateway_bed.gateway.charge(request)
    with pytest.raises(GatewayKeyReusedError):
        gateway_bed.gateway.charge(replace(request, **other))  # type: ignore[arg-type]
    assert amounts(gateway_bed) == [2_500]


@pytest.mark.parametrize("after_doing", [True, False], ids=["charged", "not charged"])
def test_a_lost_answer_is_unknown_and_the_same_key_captures_exactly_once(
    gateway_bed: GatewayBed, after_doing: bool
) -> None:
    needs(gateway_bed, Capability.LOST_ANSWERS)
    request = asking(gateway_bed)
    gateway_bed.lose_answer(after_doing=after_doing)
    with pytest.raises(PaymentUnknownError):
        gateway_bed.gateway.charge(request)
    assert amounts(gateway_bed) == ([2_500] if after_doing else [])
    answers = {gateway_bed.gateway.charge(request) for _ in range(2)}
    assert answers == {Captured(the_truth(gateway_bed).payment_id)}


def test_a_payment_whose_answer_was_lost_is_found(gateway_bed: GatewayBed) -> None:
    needs(gateway_bed, Capability.LOST_ANSWERS)
    request = asking(gateway_bed)
    gateway_bed.lose_answer(after_doing=True)
    with pytest.raises(PaymentUnknownError):
        gateway_bed.gateway.charge(request)
    assert gateway_bed.gateway.find(request) == Captured(the_truth(gateway_bed).payment_id)


def test_a_payment_is_found_after_its_key_is_forgotten(gateway_bed: GatewayBed) -> None:
    request = asking(gateway_bed)
    answer = gateway_bed.gateway.charge(request)
    gateway_bed.advance(KEY_GONE)
    assert gateway_bed.gateway.find(request) == answer
    assert gateway_bed.gateway.find(request, the_truth(gateway_bed).payment_id) == answer


def test_one_payment_is_not_found_for_another(gateway_bed: GatewayBed) -> None:
    gateway_bed.gateway.charge(asking(gateway_bed, key="one"))
    other = replace(asking(gateway_bed, key="two"), metadata={**METADATA, "recharge": "2"})
    gateway_bed.advance(KEY_GONE)
    assert gateway_bed.gateway.find(other) is None


def test_what_was_never_charged_is_not_found_once_its_key_is_forgotten(
    gateway_bed: GatewayBed,
) -> None:
    needs(gateway_bed, Capability.LOST_ANSWERS)
    request = asking(gateway_bed)
    gateway_bed.lose_answer(after_doing=False)
    with pytest.raises(PaymentUnknownError):
        gateway_bed.gateway.charge(request)
    gateway_bed.advance(KEY_GONE)
    assert gateway_bed.gateway.find(request) is None
    assert gateway_bed.gateway.find(request) is None
    assert amounts(gateway_bed) == []


def test_a_key_that_was_not_found_never_charges_any_more(gateway_bed: GatewayBed) -> None:
    needs(gateway_bed, Capability.KEY_CLOSING)
    request = asking(gateway_bed)
    assert gateway_bed.gateway.find(request) is None
    assert isinstance(gateway_bed.gateway.charge(request), Declined)
    assert gateway_bed.gateway.find(request) is None
    assert amounts(gateway_bed) == []


def test_a_look_up_whose_answer_is_lost_may_be_made_again(gateway_bed: GatewayBed) -> None:
    needs(gateway_bed, Capability.LOST_ANSWERS)
    request = asking(gateway_bed)
    answer = gateway_bed.gateway.charge(request)
    gateway_bed.lose_answer(after_doing=False)
    with pytest.raises(PaymentUnknownError):
        gateway_bed.gateway.find(request)
    assert gateway_bed.gateway.find(request) == answer


@pytest.mark.parametrize(("behaviour", "group"), DECLINES)
def test_a_decline_says_what_it_asks_for(
    gateway_bed: GatewayBed, behaviour: Behaviour, group: DeclineGroup
) -> None:
    needs(gateway_bed, NEEDS[behaviour])
    answer = gateway_bed.gateway.charge(asking(gateway_bed, behaviour))
    assert isinstance(answer, Declined)
    assert (answer.group, bool(answer.code)) == (group, True)
    assert amounts(gateway_bed) == []


def test_of_a_stolen_card_only_a_general_code_is_shown(gateway_bed: GatewayBed) -> None:
    needs(gateway_bed, Capability.STOLEN)
    answer = gateway_bed.gateway.charge(asking(gateway_bed, Behaviour.STOLEN))
    assert answer == Declined("card_declined", DeclineGroup.NEVER)


@pytest.mark.parametrize(("behaviour", "group"), DECLINES)
def test_a_decline_is_repeated_and_found(
    gateway_bed: GatewayBed, behaviour: Behaviour, group: DeclineGroup
) -> None:
    needs(gateway_bed, NEEDS[behaviour])
    request = asking(gateway_bed, behaviour)
    answer = gateway_bed.gateway.charge(request)
    assert gateway_bed.gateway.charge(request) == answer
    found = gateway_bed.gateway.find(request)
    assert isinstance(found, Declined)
    assert found.group is group
    assert amounts(gateway_bed) == []


@pytest.mark.parametrize(("behaviour", "group"), DECLINES)
def test_a_decline_is_final_whatever_the_customer_does_afterwards(
    gateway_bed: GatewayBed, behaviour: Behaviour, group: DeclineGroup
) -> None:
    needs(gateway_bed, NEEDS[behaviour])
    request = asking(gateway_bed, behaviour)
    gateway_bed.gateway.charge(request)
    for payment_id in _told_of(gateway_bed, GatewayEventKind.DECLINED):
        gateway_bed.approve(payment_id)
    assert amounts(gateway_bed) == []
    assert isinstance(gateway_bed.gateway.find(request), Declined)


def test_a_decline_does_not_stand_in_the_way_of_another_attempt(gateway_bed: GatewayBed) -> None:
    needs(gateway_bed, Capability.DECLINE_CODES)
    gateway_bed.gateway.charge(asking(gateway_bed, Behaviour.INSUFFICIENT_FUNDS, key="one"))
    answer = gateway_bed.gateway.charge(asking(gateway_bed, key="two"))
    assert answer == Captured(the_truth(gateway_bed).payment_id)


def test_a_source_that_does_not_exist_is_declined(gateway_bed: GatewayBed) -> None:
    request: ChargeRequest = replace(asking(gateway_bed), source_token="pm_of_nobody")
    answer = gateway_bed.gateway.charge(request)
    assert isinstance(answer, Declined)
    assert answer.group is DeclineGroup.NEW_SOURCE
    assert amounts(gateway_bed) == []


def _told_of(bed: GatewayBed, kind: GatewayEventKind) -> list[str]:
    events = [bed.webhooks.parse(request) for request in bed.requests(kind)]
    payments = [event.payment_id for event in events if event is not None]
    assert payments
    return payments
