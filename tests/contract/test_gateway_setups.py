"""What every gateway keeps to when a customer saves a source, and when we let go of it."""

from dataclasses import replace

import pytest

from billing.domain.declines import DeclineGroup
from billing.domain.errors import GatewayKeyReusedError, PaymentUnknownError
from billing.domain.payments import PaymentMethod
from billing.ports import Captured, Declined, Processing, SetupFailed
from contract.gateway_asking import amounts, asking_from, saved, saving
from contract.gateway_beds import Capability, GatewayBed, needs


@pytest.fixture
def setup_bed(gateway_bed: GatewayBed) -> GatewayBed:
    needs(gateway_bed, Capability.SETUPS)
    return gateway_bed


def test_a_beginning_is_for_the_customer_to_finish(setup_bed: GatewayBed) -> None:
    setup = setup_bed.gateway.begin_setup(saving(setup_bed))
    assert setup.setup_id
    assert setup.client_secret not in ("", setup.setup_id)
    assert setup.customer_token
    assert setup_bed.gateway.find_setup(setup.setup_id) is None


def test_the_same_key_begins_once_and_answers_the_same_client_secret(
    setup_bed: GatewayBed,
) -> None:
    assert len({setup_bed.gateway.begin_setup(saving(setup_bed)) for _ in range(3)}) == 1


def test_another_key_is_another_beginning(setup_bed: GatewayBed) -> None:
    first = setup_bed.gateway.begin_setup(saving(setup_bed, key="one"))
    second = setup_bed.gateway.begin_setup(saving(setup_bed, key="two"))
    assert first.setup_id != second.setup_id
    assert first.client_secret != second.client_secret


def test_a_key_with_other_parameters_is_refused(setup_bed: GatewayBed) -> None:
    setup_bed.gateway.begin_setup(saving(setup_bed))
    other = replace(saving(setup_bed), metadata={"tenant": "globex"})
    with pytest.raises(GatewayKeyReusedError):
        setup_bed.gateway.begin_setup(other)


@pytest.mark.parametrize("after_doing", [True, False], ids=["begun", "not begun"])
def test_a_beginning_whose_answer_was_lost_is_begun_once(
    setup_bed: GatewayBed, after_doing: bool
) -> None:
    needs(setup_bed, Capability.LOST_ANSWERS)
    setup_bed.lose_answer(after_doing=after_doing)
    with pytest.raises(PaymentUnknownError):
        setup_bed.gateway.begin_setup(saving(setup_bed))
    first, second = (setup_bed.gateway.begin_setup(saving(setup_bed)) for _ in range(2))
    assert first == second


def test_a_customer_is_made_where_there_is_none_and_kept_where_there_is_one(
    setup_bed: GatewayBed,
) -> None:
    made = setup_bed.gateway.begin_setup(
        replace(saving(setup_bed, key="one"), customer_token=None)
    ).customer_token
    assert made
    again = replace(saving(setup_bed, key="two"), customer_token=made)
    assert setup_bed.gateway.begin_setup(again).customer_token == made


def test_a_saved_card_says_what_a_person_knows_it_by(setup_bed: GatewayBed) -> None:
    source = saved(setup_bed)
    assert source.token
    assert (source.method, source.last4) == (PaymentMethod.CARD, "4242")
    assert source.brand.lower() == "visa"
    assert source.expires_on is not None
    assert source.expires_on > setup_bed.now().date()
    assert source.limit_minor is None


def test_a_saved_card_is_charged_without_its_customer(setup_bed: GatewayBed) -> None:
    source = saved(setup_bed)
    assert isinstance(setup_bed.gateway.charge(asking_from(setup_bed, source)), Captured)
    assert amounts(setup_bed) == [2_500]


def test_a_saved_mandate_knows_its_limit_and_is_debited_without_its_customer(
    setup_bed: GatewayBed,
) -> None:
    needs(setup_bed, Capability.UPI)
    source = saved(setup_bed, PaymentMethod.UPI)
    assert (source.method, source.limit_minor) == (PaymentMethod.UPI, 1_500_000)
    answer = setup_bed.gateway.charge(asking_from(setup_bed, source))
    assert isinstance(answer, Processing)


def test_what_the_customer_did_not_manage_to_save_has_failed(setup_bed: GatewayBed) -> None:
    needs(setup_bed, Capability.SETUP_FAILURE)
    setup = setup_bed.gateway.begin_setup(saving(setup_bed))
    setup_bed.finish_setup(setup.setup_id, PaymentMethod.CARD, ok=False)
    found = setup_bed.gateway.find_setup(setup.setup_id)
    assert isinstance(found, SetupFailed)
    assert found.code


def test_a_saved_source_is_found_as_often_as_it_is_asked_for(setup_bed: GatewayBed) -> None:
    setup = setup_bed.gateway.begin_setup(saving(setup_bed))
    setup_bed.finish_setup(setup.setup_id, PaymentMethod.CARD)
    assert len({setup_bed.gateway.find_setup(setup.setup_id) for _ in range(2)}) == 1


def test_a_forgotten_source_is_charged_no_more(setup_bed: GatewayBed) -> None:
    needs(setup_bed, Capability.FORGETTING)
    source = saved(setup_bed)
    setup_bed.gateway.forget_source(source.token)
    answer = setup_bed.gateway.charge(asking_from(setup_bed, source))
    assert isinstance(answer, Declined)
    assert answer.group is DeclineGroup.NEW_SOURCE
    assert amounts(setup_bed) == []


def test_forgetting_twice_or_what_is_not_known_changes_nothing(setup_bed: GatewayBed) -> None:
    needs(setup_bed, Capability.FORGETTING)
    kept, gone = saved(setup_bed, key="kept"), saved(setup_bed, key="gone")
    setup_bed.gateway.forget_source(gone.token)
    setup_bed.gateway.forget_source(gone.token)
    setup_bed.gateway.forget_source("pm_of_nobody")
    assert isinstance(setup_bed.gateway.charge(asking_from(setup_bed, kept)), Captured)


def test_forgetting_leaves_what_was_paid_as_it_is(setup_bed: GatewayBed) -> None:
    needs(setup_bed, Capability.FORGETTING)
    source = saved(setup_bed)
    request = asking_from(setup_bed, source)
    answer = setup_bed.gateway.charge(request)
    setup_bed.gateway.forget_source(source.token)
    assert setup_bed.gateway.find(request) == answer


def test_a_mandate_that_was_revoked_at_the_bank_is_debited_no_more(setup_bed: GatewayBed) -> None:
    needs(setup_bed, Capability.UPI, Capability.REVOCATION)
    source = saved(setup_bed, PaymentMethod.UPI)
    setup_bed.revoke(source.token)
    answer = setup_bed.gateway.charge(asking_from(setup_bed, source))
    assert isinstance(answer, Declined)
    assert answer.group.blocks_source
    assert amounts(setup_bed) == []
