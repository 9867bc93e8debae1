"""What the sandbox gateway keeps to, in memory and in its table alike."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    SandboxCharge,
    SandboxGateway,
    SandboxKeyReusedError,
)
from billing.adapters.gateways.sandbox_table import TableSandboxBook
from billing.domain.errors import PaymentUnknownError
from billing.ports import Captured, ChargeRequest, Declined, Gateway
from contract.aws import EVERYWHERE, moto, opened
from fakes.world import InMemorySandbox

KEY = "recharge/acme/main/1"


@pytest.fixture(params=EVERYWHERE)
def gateway(request: pytest.FixtureRequest) -> Iterator[SandboxGateway]:
    if request.param == "memory":
        yield InMemorySandbox()
        return
    with opened(request) as aws:
        yield SandboxGateway(TableSandboxBook(aws.sandbox_table()))


@pytest.fixture(params=[place for place in EVERYWHERE if place != "moto"])
def at_once(request: pytest.FixtureRequest) -> Iterator[SandboxGateway]:
    """A gateway that may be called from many threads, as moto may not."""
    if request.param == "memory":
        yield InMemorySandbox()
        return
    with opened(request) as aws:
        yield SandboxGateway(TableSandboxBook(aws.sandbox_table()))


def asking(token: str, key: str = KEY) -> ChargeRequest:
    return ChargeRequest(key, 2_500, "USD", token, {"tenant": "acme", "account": "main"})


def amounts(gateway: SandboxGateway) -> list[int]:
    return [charge.amount_minor for charge in gateway.captured()]


def test_it_is_a_gateway(gateway: SandboxGateway) -> None:
    port: Gateway = gateway
    assert port.name == "sandbox"


def test_a_good_token_is_charged_and_stands_in_the_gateways_book(gateway: SandboxGateway) -> None:
    answer = gateway.charge(asking(SUCCEEDS))
    assert isinstance(answer, Captured)
    metadata = {"tenant": "acme", "account": "main"}
    assert gateway.captured() == [
        SandboxCharge(answer.payment_id, KEY, 2_500, "USD", SUCCEEDS, metadata)
    ]


def test_the_same_key_again_answers_the_same_and_charges_once(gateway: SandboxGateway) -> None:
    answers = [gateway.charge(asking(SUCCEEDS)) for _ in range(3)]
    assert len(set(answers)) == 1
    assert amounts(gateway) == [2_500]


def test_another_key_is_another_payment(gateway: SandboxGateway) -> None:
    first = gateway.charge(asking(SUCCEEDS, "one"))
    assert first != gateway.charge(asking(SUCCEEDS, "two"))
    assert amounts(gateway) == [2_500, 2_500]


def test_a_decline_is_definite_and_replayed(gateway: SandboxGateway) -> None:
    for _ in range(2):
        assert gateway.charge(asking(DECLINES)) == Declined("insufficient_funds")
    assert gateway.find(KEY) == Declined("insufficient_funds")
    assert amounts(gateway) == []


def test_an_unknown_token_is_declined(gateway: SandboxGateway) -> None:
    assert gateway.charge(asking("tok_stolen")) == Declined("invalid_source")
    assert amounts(gateway) == []


@pytest.mark.parametrize("amount_minor", [0, -1])
def test_nothing_less_than_one_minor_unit_is_charged(
    gateway: SandboxGateway, amount_minor: int
) -> None:
    request = replace(asking(SUCCEEDS), amount_minor=amount_minor)
    assert gateway.charge(request) == Declined("invalid_amount")
    assert amounts(gateway) == []


def test_a_time_out_after_charging_has_charged_and_the_same_key_says_so(
    gateway: SandboxGateway,
) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(TIMES_OUT_AFTER_CHARGING))
    assert amounts(gateway) == [2_500]
    answer = gateway.charge(asking(TIMES_OUT_AFTER_CHARGING))
    assert isinstance(answer, Captured)
    assert gateway.find(KEY) == answer
    assert amounts(gateway) == [2_500]


def test_a_time_out_without_charging_has_not_charged_until_the_same_key_comes_again(
    gateway: SandboxGateway,
) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING))
    assert amounts(gateway) == []
    answer = gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING))
    assert isinstance(answer, Captured)
    assert gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING)) == answer
    assert amounts(gateway) == [2_500]


@pytest.mark.parametrize(
    "first", [SUCCEEDS, DECLINES, TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING]
)
def test_each_key_times_out_on_its_own_first_use(gateway: SandboxGateway, first: str) -> None:
    for key in ("one", "two"):
        try:
            gateway.charge(asking(first, key))
        except PaymentUnknownError:
            assert first in (TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING)
        else:
            assert first in (SUCCEEDS, DECLINES)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(asking(SUCCEEDS), amount_minor=2_501), id="another amount"),
        pytest.param(replace(asking(SUCCEEDS), currency="EUR"), id="another currency"),
        pytest.param(asking(DECLINES), id="another source"),
        pytest.param(asking(TIMES_OUT_WITHOUT_CHARGING), id="another source that would time out"),
        pytest.param(replace(asking(SUCCEEDS), metadata={"tenant": "globex"}), id="other metadata"),
    ],
)
def test_a_key_with_other_parameters_is_an_error_and_charges_nothing(
    gateway: SandboxGateway, other: ChargeRequest
) -> None:
    gateway.charge(asking(SUCCEEDS))
    with pytest.raises(SandboxKeyReusedError):
        gateway.charge(other)
    assert amounts(gateway) == [2_500]


def test_a_key_that_only_timed_out_is_bound_to_its_parameters_too(gateway: SandboxGateway) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING))
    with pytest.raises(SandboxKeyReusedError):
        gateway.charge(asking(SUCCEEDS))
    assert amounts(gateway) == []


def test_a_charge_is_found_by_its_key(gateway: SandboxGateway) -> None:
    answer = gateway.charge(asking(SUCCEEDS))
    assert gateway.find(KEY) == answer


def test_a_key_that_was_not_found_never_charges_any_more(gateway: SandboxGateway) -> None:
    with pytest.raises(PaymentUnknownError):
        gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING))
    assert gateway.find(KEY) is None
    assert gateway.charge(asking(TIMES_OUT_WITHOUT_CHARGING)) == Declined("key_closed")
    assert gateway.find(KEY) is None
    assert amounts(gateway) == []


@pytest.mark.parametrize("token", [SUCCEEDS, TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING])
def test_calls_at_once_charge_once(at_once: SandboxGateway, token: str) -> None:
    gateway = at_once

    def charge(_: int) -> Captured | Declined | None:
        try:
            return gateway.charge(asking(token))
        except PaymentUnknownError:
            return None

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(charge, range(64)))
    assert len(gateway.captured()) == 1
    assert answers.count(None) == (token != SUCCEEDS)
    assert set(answers) - {None} == {Captured(gateway.captured()[0].payment_id)}


def test_a_gateway_out_of_reach_leaves_the_payment_unknown() -> None:
    with moto() as aws:
        gateway = SandboxGateway(TableSandboxBook(aws.sandbox_table() + "-gone"))
        with pytest.raises(PaymentUnknownError):
            gateway.charge(asking(SUCCEEDS))
        with pytest.raises(PaymentUnknownError):
            gateway.find(KEY)
