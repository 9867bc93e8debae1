"""What days cost: parts of a term sum to the whole, whatever zone, month or year it is."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.money import minor_unit_micros
from billing.domain.periods import Period, local_day, period_at, start_of_day
from billing.domain.proration import full_term, prorated_micros, prorated_up, term_days
from billing.domain.selling import Interval
from billing.domain.subscription import term_at
from builders import USD, an_account

SOME = settings(max_examples=80, deadline=None)
ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/Berlin",
]

instants = st.timedeltas(timedelta(0), timedelta(days=25 * 365)).map(
    lambda since: datetime(2010, 1, 1, tzinfo=UTC) + since
)
fees = st.integers(0, 10**9)


@st.composite
def terms(draw: st.DrawFn) -> tuple[Period, str]:
    """Whole terms: any zone, any billing day, a month or a year."""
    zone = draw(st.sampled_from(ZONES))
    billing_day = draw(st.sampled_from([1, 15, 28, 29, 30, 31]))
    account = an_account(now=draw(instants), time_zone=zone, billing_day=billing_day)
    period = period_at(account.created_at, billing_day, zone)
    return term_at(period, draw(st.sampled_from(Interval)), account), zone


def midnights(term: Period, zone: str) -> list[datetime]:
    first, end = term_days(term, zone)
    days = [first + timedelta(days=day) for day in range((end - first).days)]
    return [start_of_day(day, zone) for day in days]


# Money


@SOME
@given(terms(), fees, st.sampled_from(["USD", "JPY", "KWD"]), st.data())
def test_the_parts_of_a_term_sum_to_its_fee(
    placed: tuple[Period, str], units: int, currency: str, data: st.DataObject
) -> None:
    term, zone = placed
    fee = units * minor_unit_micros(currency)
    cuts = data.draw(st.lists(st.sampled_from(midnights(term, zone)), max_size=4))
    edges = [term.start_at, *sorted(cuts), term.end_at]
    left = [prorated_micros(fee, term, at, zone, currency) for at in edges]
    parts = [before - after for before, after in pairwise(left)]
    assert sum(parts) == fee
    assert all(part >= 0 and part % minor_unit_micros(currency) == 0 for part in parts)


@SOME
@given(terms(), fees, st.floats(0, 1), st.floats(0, 1))
def test_a_change_that_moves_by_zero_days_costs_zero(
    placed: tuple[Period, str], cents: int, somewhere: float, elsewhere: float
) -> None:
    term, zone = placed
    days = midnights(term, zone)
    start = days[int(somewhere * (len(days) - 1))]
    day = local_day(start, zone)
    end = start_of_day(day + timedelta(days=1), zone)
    later = start + (end - start - timedelta(microseconds=1)) * elsewhere
    if start == end or local_day(later, zone) != day:
        return  # A day that a zone has skipped, or whose last minutes come twice.
    fee = cents * 10_000
    at_start = prorated_micros(fee, term, start, zone, "USD")
    assert prorated_micros(fee, term, later, zone, "USD") == at_start


@SOME
@given(terms(), fees)
def test_the_first_day_pays_for_all_of_a_term_and_its_end_for_none(
    placed: tuple[Period, str], cents: int
) -> None:
    term, zone = placed
    fee = cents * 10_000
    assert prorated_micros(fee, term, term.start_at, zone, "USD") == fee
    assert prorated_micros(fee, term, term.end_at, zone, "USD") == 0
    assert prorated_micros(fee, term, term.end_at + timedelta(days=400), zone, "USD") == 0


@pytest.mark.parametrize(
    ("start", "end", "on", "cents"),
    [
        pytest.param(date(2026, 3, 1), date(2026, 4, 1), date(2026, 3, 1), 3_100, id="first day"),
        pytest.param(date(2026, 3, 1), date(2026, 4, 1), date(2026, 3, 31), 100, id="last day"),
        pytest.param(date(2026, 2, 1), date(2026, 3, 1), date(2026, 2, 15), 1_550, id="28 days"),
        pytest.param(date(2028, 2, 1), date(2028, 3, 1), date(2028, 2, 15), 1_603, id="29 days"),
        pytest.param(date(2026, 1, 31), date(2026, 2, 28), date(2026, 2, 27), 111, id="the 31st"),
        pytest.param(date(2028, 1, 1), date(2029, 1, 1), date(2028, 2, 29), 2_600, id="leap year"),
    ],
)
def test_days_are_those_the_term_really_has(start: date, end: date, on: date, cents: int) -> None:
    term = Period(start_of_day(start, "UTC"), start_of_day(end, "UTC"))
    noon = start_of_day(on, "UTC") + timedelta(hours=12)
    assert prorated_micros(31 * USD, term, noon, "UTC", "USD") == cents * 10_000


@pytest.mark.parametrize(
    "on", [pytest.param(date(2026, 3, 8), id="23 hours"), pytest.param(date(2026, 11, 1), id="25")]
)
def test_a_day_of_23_or_25_hours_is_a_day(on: date) -> None:
    zone = "America/New_York"
    term = period_at(start_of_day(on, zone), 1, zone)
    first, end = term_days(term, zone)
    tomorrow = start_of_day(on + timedelta(days=1), zone)
    fee = (end - first).days * USD
    today_left = prorated_micros(fee, term, tomorrow - timedelta(seconds=1), zone, "USD")
    assert today_left - prorated_micros(fee, term, tomorrow, zone, "USD") == USD


# The first term


@SOME
@given(instants, st.sampled_from(ZONES), st.sampled_from([1, 29, 31]))
def test_an_account_opened_within_a_period_pays_for_the_days_that_are_left(
    now: datetime, zone: str, billing_day: int
) -> None:
    whole = period_at(now, billing_day, zone)
    opened = replace(whole, start_at=now)
    assert full_term(opened, billing_day, zone) == whole
    first, end = term_days(whole, zone)
    fee = (end - first).days * USD
    assert prorated_micros(fee, whole, now, zone, "USD") == (end - local_day(now, zone)).days * USD


# Quantities


@SOME
@given(terms(), st.integers(0, 10**6), st.floats(0, 1))
def test_what_is_granted_for_days_is_never_less_than_their_share(
    placed: tuple[Period, str], quantity: int, somewhere: float
) -> None:
    term, zone = placed
    days = midnights(term, zone)
    place = int(somewhere * (len(days) - 1))
    granted = prorated_up(quantity, term, days[place], zone)
    left, total = len(days) - place, len(days)
    if local_day(days[place], zone) == term_days(term, zone)[0] + timedelta(days=place):
        assert granted * total >= quantity * left
        assert (granted - 1) * total < quantity * left


def test_a_term_of_one_day_costs_its_whole_price_on_it() -> None:
    day = Period(datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    assert prorated_micros(31 * USD, day, day.start_at, "UTC", "USD") == 31 * USD
    assert prorated_up(600, day, day.start_at, "UTC") == 600
