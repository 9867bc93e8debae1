"""What ordering numbers costs, and which of them the plan includes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.documents import LineKind
from billing.domain.number_orders import number_lines
from billing.domain.orders import Want, WantKind
from billing.domain.periods import period_after
from billing.ports import StoredCatalog
from builders import NOON, an_account
from catalogs import STARTER, a_catalog

ONE, TWO, THREE = "+14155550100", "+14155550101", "+14155550102"


def charged(order: Sequence[str], *, included: int, held: int = 0) -> list[str]:
    """Which of the numbers cost a recurring fee."""
    wants = [
        (place, Want(WantKind.NUMBER, "local", e164=e164, capabilities=("voice", "sms")))
        for place, e164 in enumerate(order)
    ]
    plan = replace(STARTER, numbers_included=included)
    offered = StoredCatalog(1, a_catalog())
    lines = number_lines(an_account(), wants, [plan], offered, held, NOON)
    return [one.what for one in lines if one.kind is LineKind.NUMBER and one.amount_micros]


@pytest.mark.parametrize("order", [(ONE, TWO, THREE), (THREE, ONE, TWO), (TWO, THREE, ONE)])
def test_of_one_order_the_same_numbers_are_included_that_will_be_when_they_renew(
    order: tuple[str, ...],
) -> None:
    assert sorted(charged(order, included=2)) == [THREE]
    assert sorted(charged(order, included=2, held=1)) == [TWO, THREE]
    assert sorted(charged(order, included=2, held=5)) == [ONE, TWO, THREE]


def test_a_clock_behind_the_turn_charges_the_whole_period_from_its_own_first_day() -> None:
    opened = an_account()
    second = period_after(opened.period, opened.billing_day, opened.time_zone)
    customer = replace(opened, period=second)
    want = Want(WantKind.NUMBER, "local", e164=ONE, capabilities=("voice", "sms"))
    offered, turn = StoredCatalog(1, a_catalog()), customer.period.start_at
    plan = replace(STARTER, numbers_included=0)
    early, prompt = (
        number_lines(customer, [(0, want)], [plan], offered, 0, at)
        for at in (turn - timedelta(seconds=2), turn)
    )
    assert early == prompt
