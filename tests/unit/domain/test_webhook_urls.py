"""Which URLs a tenant may have its events sent to, and which addresses are the internet's."""

import pytest

from billing.domain.errors import InvalidInputError
from billing.domain.public_addresses import is_public
from billing.domain.webhook_endpoints import check_events, check_url
from unit.adapters.ssrf_corpus import (
    ALLOWED_URLS,
    PRIVATE_ADDRESSES,
    PUBLIC_ADDRESSES,
    REFUSED_URLS,
)


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_an_address_that_is_not_the_internets_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_that_can_only_be_wrong_is_refused_and_its_field_named(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        check_url(url, "endpoints/0/url")
    assert refused.value.field == "endpoints/0/url"


@pytest.mark.parametrize("url", ALLOWED_URLS)
def test_a_url_on_the_internet_is_allowed(url: str) -> None:
    check_url(url, "url")


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/x", "http://127.0.0.1:1/", "http://[::1]:9/", *ALLOWED_URLS]
)
def test_the_local_stage_may_call_its_own_machine(url: str) -> None:
    check_url(url, "url", is_local=True)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "ftp://localhost/", "http://u@localhost"]
)
def test_the_local_stage_calls_nobody_elses(url: str) -> None:
    with pytest.raises(InvalidInputError):
        check_url(url, "url", is_local=True)


@pytest.mark.parametrize("events", [[], ["balance"], ["balance.*"], ["*", "nothing"]])
def test_only_types_that_exist_can_be_asked_for(events: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        check_events(events, "events")


def test_every_type_or_named_ones_can_be_asked_for() -> None:
    check_events(["*"], "events")
    check_events(["balance.low", "period.rolled"], "events")
