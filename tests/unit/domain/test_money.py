"""Money is exact, and says so when it cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.currencies import MINOR_UNITS
from billing.domain.errors import CurrencyMismatchError, InvalidInputError
from billing.domain.money import (
    MAX_MICROS,
    Money,
    ceil_div,
    minor_unit_micros,
    minor_units,
    step_micros,
    up_to_minor_unit,
)

micros = st.integers(-(10**17), 10**17)


@given(micros, st.sampled_from(sorted(MINOR_UNITS)))
def test_what_is_written_reads_back_the_same(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert Money.parse(money.amount, currency) == money


@given(micros, micros)
def test_adding_and_taking_away_again_changes_nothing(a: int, b: int) -> None:
    one, other = Money(a, "USD"), Money(b, "USD")
    assert one + other - other == one
    assert (one < other) == (a < b)
    assert (-one).micros == -a


@pytest.mark.parametrize(
    ("amount_micros", "currency", "written"),
    [
        pytest.param(12_340_000, "USD", "12.34", id="cents are shown"),
        pytest.param(12_000_000, "USD", "12.00", id="whole dollars keep their cents"),
        pytest.param(4_200, "USD", "0.0042", id="finer than cents is shown exactly"),
        pytest.param(-10_000, "USD", "-0.01", id="the sign survives a zero unit"),
        pytest.param(5_000_000, "JPY", "5", id="yen have no decimals"),
        pytest.param(1_500_000, "KWD", "1.500", id="dinars have three"),
        pytest.param(0, "USD", "0.00", id="nothing is zero"),
    ],
)
def test_amounts_carry_their_currencys_decimals(
    amount_micros: int, currency: str, written: str
) -> None:
    assert Money(amount_micros, currency).amount == written


@pytest.mark.parametrize(
    "text",
    ["", "1.", ".5", "1e3", "NaN", "inf", "+1", " 1", "1,5", "1.0000001", "٣", "1" * 13, "--1"],
)
def test_anything_but_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Money.parse(text, "USD")
    assert refused.value.field == "amount"


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatchError):
        _ = Money(1, "USD") + Money(1, "EUR")


@pytest.mark.parametrize("code", ["", "usd", "XXX", "XAU", "US", "DOLLAR"])
def test_only_iso_currencies_with_a_minor_unit_are_money(code: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Money(0, code)
    assert refused.value.field == "currency"


def test_amounts_beyond_the_bound_are_refused() -> None:
    assert Money(MAX_MICROS, "USD").micros == MAX_MICROS
    with pytest.raises(InvalidInputError):
        Money(MAX_MICROS + 1, "USD")


@given(st.integers(1, 10**15), st.sampled_from(["USD", "JPY", "KWD", "MGA", "CLF"]))
def test_rounding_up_to_what_is_collected_adds_less_than_one_step(
    amount: int, currency: str
) -> None:
    rounded = up_to_minor_unit(amount, currency)
    assert 0 <= rounded - amount < step_micros(currency)
    assert minor_units(rounded, currency) * minor_unit_micros(currency) == rounded


def test_a_gateway_is_never_asked_for_a_part_of_a_minor_unit() -> None:
    assert minor_units(12_340_000, "USD") == 1234
    assert minor_units(5_000_000, "JPY") == 5
    with pytest.raises(InvalidInputError):
        minor_units(12_340_001, "USD")
    with pytest.raises(InvalidInputError):
        minor_units(5_500_000, "JPY")


def test_of_three_decimals_gateways_collect_the_first_two() -> None:
    assert minor_units(12_340_000, "KWD") == 12_340
    with pytest.raises(InvalidInputError, match=r"0\.010 KWD"):
        minor_units(12_345_000, "KWD")


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**10))
def test_ceil_div_is_the_least_multiple_that_covers(dividend: int, divisor: int) -> None:
    quotient = ceil_div(dividend, divisor)
    assert (quotient - 1) * divisor < dividend <= quotient * divisor


def test_the_table_of_minor_units_is_what_the_library_says() -> None:
    from scripts.generate_currencies import TARGET, source

    assert TARGET.read_text() == source(), "run `make currencies`"
