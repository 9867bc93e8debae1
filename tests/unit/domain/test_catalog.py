"""What a catalogue says of what is sold."""

import pytest

from billing.domain.account import PlanTerms
from billing.domain.errors import NotFoundError, NotSoldError
from billing.domain.selling import DunningRule, Interval, Price, RecurringPrice
from catalogs import GROWTH, MINUTES, STARTER, a_catalog, monthly, price


def test_an_account_keeps_the_plan_as_it_was_sold() -> None:
    assert a_catalog().terms_of("starter", 3) == PlanTerms("starter", 3, (MINUTES,))


def test_an_account_keeps_whether_its_grants_are_refilled_while_past_due() -> None:
    strict = a_catalog(dunning=DunningRule(refills_while_past_due=False))
    assert a_catalog().terms_of("starter", 3).refills_while_past_due
    assert not strict.terms_of("starter", 3).refills_while_past_due


def test_a_plan_that_is_not_sold_is_named() -> None:
    with pytest.raises(NotFoundError, match="'gold'") as refused:
        a_catalog().terms_of("gold", 1)
    assert refused.value.field == "plan"


def test_a_plan_sells_the_licences_it_names() -> None:
    seat = GROWTH.unit("crm")
    assert seat is not None
    assert (seat.included, seat.minimum) == (1, 3)
    assert STARTER.unit("crm") is None


@pytest.mark.parametrize(
    ("given", "interval", "micros"),
    [
        pytest.param(monthly(10, 100), Interval.MONTH, 10_000_000, id="a month"),
        pytest.param(monthly(10, 100), Interval.YEAR, 100_000_000, id="a year at its own price"),
        pytest.param(monthly(10), Interval.YEAR, 120_000_000, id="a year at twelve months'"),
        pytest.param(RecurringPrice(), Interval.YEAR, 0, id="nothing, for ever"),
    ],
)
def test_a_term_has_a_price(given: RecurringPrice, interval: Interval, micros: int) -> None:
    assert given.micros("USD", interval) == micros


def test_what_has_prices_is_sold_in_those_currencies_alone() -> None:
    assert price(10, 9).micros("EUR") == 9_000_000
    with pytest.raises(NotSoldError):
        price(10, 9).micros("GBP")
    with pytest.raises(NotSoldError):
        RecurringPrice(price(10, 9), price(100)).micros("EUR", Interval.YEAR)


def test_what_has_no_price_is_free_in_every_currency() -> None:
    assert Price().micros("GBP") == 0
