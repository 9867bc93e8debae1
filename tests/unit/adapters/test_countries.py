"""Which country a number is in."""

import pytest

from billing.adapters.countries import country_of


@pytest.mark.parametrize(
    ("number", "country"),
    [
        pytest.param("+14155550100", "US", id="California"),
        pytest.param("+16045551234", "CA", id="British Columbia shares +1"),
        pytest.param("+18765551234", "JM", id="Jamaica shares +1"),
        pytest.param("+18005551212", "US", id="freephone of +1 counts as the largest's"),
        pytest.param("+442079460000", "GB", id="London"),
        pytest.param("+441534500600", "JE", id="Jersey shares +44"),
        pytest.param("+77011234567", "KZ", id="Kazakhstan shares +7"),
        pytest.param("+78005553535", "RU", id="Russia"),
        pytest.param("+4930123456", "DE", id="Berlin"),
        pytest.param("+881612345678", "ZZ", id="a satellite is in no country"),
        pytest.param("+80012345678", "ZZ", id="universal freephone is in no country"),
        pytest.param("+99999999", "ZZ", id="a code nobody has"),
        pytest.param("+1415555", "ZZ", id="too short to be anywhere"),
        pytest.param("88788", "ZZ", id="a short code"),
        pytest.param("0014155550100", "ZZ", id="not E.164"),
        pytest.param("anonymous", "ZZ", id="a name"),
        pytest.param("sip:bob@example.com", "ZZ", id="an address"),
        pytest.param("", "ZZ", id="nothing"),
        pytest.param("+", "ZZ", id="a plus"),
        pytest.param("+" + "9" * 500, "ZZ", id="endless"),
        pytest.param("+1\x00415\u202e", "ZZ", id="no text at all"),
    ],
)
def test_a_number_is_in_one_country_or_in_none(number: str, country: str) -> None:
    assert country_of(number) == country
