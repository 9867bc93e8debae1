"""Periods tile time: no gap, no overlap, whatever the month, the zone and the clocks do."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import InvalidInputError
from billing.domain.periods import local_day, period_after, period_at, start_of_day

ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Europe/Berlin",
]
instants = st.timedeltas(timedelta(0), timedelta(days=41 * 365)).map(
    lambda since: datetime(1999, 1, 1, tzinfo=UTC) + since
)
zones = st.sampled_from(ZONES)
billing_days = st.integers(1, 31)


@given(instants, billing_days, zones)
def test_every_instant_is_in_its_period(at: datetime, billing_day: int, zone: str) -> None:
    period = period_at(at, billing_day, zone)
    assert at in period
    assert timedelta(days=27) < period.end_at - period.start_at < timedelta(days=33)


@given(instants, billing_days, zones)
def test_the_next_period_begins_where_this_one_ends(
    at: datetime, billing_day: int, zone: str
) -> None:
    period = period_at(at, billing_day, zone)
    after = period_after(period, billing_day, zone)
    assert after.start_at == period.end_at
    last_instant = period.end_at - timedelta(microseconds=1)
    assert period_at(last_instant, billing_day, zone) == period
    assert period.end_at not in period


@given(instants, billing_days, zones)
def test_a_period_turns_on_the_billing_day_or_the_months_last(
    at: datetime, billing_day: int, zone: str
) -> None:
    turn = local_day(period_at(at, billing_day, zone).end_at, zone)
    is_last_of_month = (turn + timedelta(days=1)).month != turn.month
    # A day that a zone left out of its calendar turns on the day after it.
    is_left_out = local_day(start_of_day(turn - timedelta(days=1), zone), zone) == turn
    assert turn.day == billing_day or (is_last_of_month and turn.day < billing_day) or is_left_out


@pytest.mark.parametrize(
    ("at", "billing_day", "zone", "start", "end"),
    [
        pytest.param(
            "2026-02-10T00:00Z", 31, "UTC", "2026-01-31T00:00Z", "2026-02-28T00:00Z",
            id="the 31st is clamped to 28 February",
        ),
        pytest.param(
            "2026-03-15T00:00Z", 31, "UTC", "2026-02-28T00:00Z", "2026-03-31T00:00Z",
            id="and comes back to the 31st in March",
        ),
        pytest.param(
            "2028-02-29T00:00Z", 30, "UTC", "2028-02-29T00:00Z", "2028-03-30T00:00Z",
            id="a leap day is a last day",
        ),
        pytest.param(
            "2026-01-01T00:00Z", 1, "UTC", "2026-01-01T00:00Z", "2026-02-01T00:00Z",
            id="the first instant belongs to the new period",
        ),
        pytest.param(
            "2026-03-20T12:00Z", 1, "America/New_York", "2026-03-01T05:00Z", "2026-04-01T04:00Z",
            id="a period over the start of daylight saving is an hour shorter",
        ),
        pytest.param(
            "2018-11-10T12:00Z", 4, "America/Sao_Paulo", "2018-11-04T03:00Z", "2018-12-04T02:00Z",
            id="a midnight that clocks skip begins when they go on",
        ),
        pytest.param(
            "2022-11-10T12:00Z", 6, "America/Havana", "2022-11-06T04:00Z", "2022-12-06T05:00Z",
            id="a midnight before clocks go back is the only one",
        ),
    ],
)  # fmt: skip
def test_known_turns(at: str, billing_day: int, zone: str, start: str, end: str) -> None:
    period = period_at(datetime.fromisoformat(at), billing_day, zone)
    assert period.start_at == datetime.fromisoformat(start)
    assert period.end_at == datetime.fromisoformat(end)


@given(st.dates(date(2000, 1, 2), date(2039, 12, 30)), zones)
def test_days_begin_in_order(day: date, zone: str) -> None:
    assert start_of_day(day, zone) <= start_of_day(day + timedelta(days=1), zone)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe/Berlin ", "a" * 300])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        period_at(datetime(2026, 1, 1, tzinfo=UTC), 1, name)
    assert refused.value.field == "time_zone"


@pytest.mark.parametrize("billing_day", [0, 32, -1])
def test_a_billing_day_is_a_day_of_the_month(billing_day: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        period_at(datetime(2026, 1, 1, tzinfo=UTC), billing_day, "UTC")
    assert refused.value.field == "billing_day"
