"""What the lines of a change say of the days that they are for."""

from datetime import date, timedelta

import pytest

from catalogs import a_catalog
from purchases import MARCH, Customer, units


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
