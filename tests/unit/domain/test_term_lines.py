"""What the lines of a change say of the days that they are for."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.domain.catalog import Plan
from billing.domain.selling import Interval, Price, RecurringPrice
from builders import USD
from catalogs import MINUTES, a_catalog, monthly
from purchases import MARCH, Customer, plan, units


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(timedelta(0), id="by a clock that is right"),
        pytest.param(timedelta(seconds=2), id="by a clock that still has the day before"),
    ],
)
def test_what_is_quoted_as_the_term_turns_is_for_all_of_the_terms_days(behind: timedelta) -> None:
    customer = Customer("growth", a_catalog(), MARCH)
    (line,) = customer.quote(units("dialler", 3), at=MARCH - behind).lines
    assert (line.starts_on, line.ends_on) == (date(2026, 3, 1), date(2026, 4, 1))
    assert line.amount_micros == line.unit_price_micros


def test_within_a_year_too_a_clock_that_is_behind_has_the_day_of_the_turn() -> None:
    customer = Customer("growth", a_catalog(), MARCH)
    customer.order(plan("growth", Interval.YEAR), at=MARCH)
    customer.renews()
    april = customer.account.period.start_at
    wanted = units("dialler", 3)
    behind = customer.quote(wanted, at=april - timedelta(seconds=2))
    assert behind.lines == customer.quote(wanted, at=april).lines
    assert [line.starts_on for line in behind.lines] == [date(2026, 4, 1)]


def test_what_comes_to_as_much_for_the_days_left_has_no_line_though_its_price_is_another() -> None:
    # On the 31st one day of 31.00 and of 31.01 is left: a dollar of either.
    last_day = MARCH + timedelta(days=30)
    dearer = RecurringPrice(Price((("USD", 31 * USD + 10_000),), "vat"))
    plans = (Plan("one", "One", (MINUTES,), price=monthly(31)),)
    customer = Customer("one", a_catalog(plans=plans), MARCH)
    customer.publishes(plans=(replace(plans[0], price=dearer),))
    assert customer.quote(plan("one"), at=last_day).lines == ()
    assert len(customer.quote(plan("one"), at=MARCH).lines) == 2
