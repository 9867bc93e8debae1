"""Windows are read in any spelling, written in one, and hold by the clocks of their zone."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import InvalidInputError
from billing.domain.windows import (
    DAY_MINUTES,
    DAYS,
    WEEK_MINUTES,
    Window,
    minute_of_week,
    parse_window,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        pytest.param("Mon-Fri 08:00-18:00", "mon-fri 08:00-18:00", id="days and times"),
        pytest.param("mon tue wed 08:00-18:00", "mon-wed 08:00-18:00", id="days become a range"),
        pytest.param("08:00-12:00 12:00-13:00", "08:00-13:00", id="times that touch are one"),
        pytest.param("08:00-12:00 11:00-13:00", "08:00-13:00", id="times that overlap are one"),
        pytest.param("sat-sun", "sat-sun", id="days alone are whole days"),
        pytest.param("sat-sun 00:00-24:00", "sat-sun", id="a whole day needs no times"),
        pytest.param("fri-mon", "mon fri-sun", id="a range may pass Sunday"),
        pytest.param("00:00-24:00", "mon-sun", id="the whole week"),
        pytest.param("22:00-06:00", "00:00-06:00 22:00-24:00", id="a night ends on the next day"),
        pytest.param(
            "sun 22:00-06:00", "mon 00:00-06:00; sun 22:00-24:00", id="Sunday's ends on Monday"
        ),
        pytest.param(
            "sat 08:00-12:00;mon-fri 08:00-18:00",
            "mon-fri 08:00-18:00; sat 08:00-12:00",
            id="parts in order",
        ),
    ],
)
def test_every_spelling_has_one_form(text: str, spelling: str) -> None:
    assert str(parse_window(text)) == spelling
    assert parse_window(spelling) == parse_window(text)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("monday", "'monday' cannot be read; write it like mon-fri 08:00-18:00"),
        ("08:00-18:00 mon", "'mon' cannot be read"),
        ("mon 8:00-18:00", "'8:00-18:00' cannot be read"),
        ("mon;", "a part is empty"),
        ("08:00-08:00", "08:00-08:00 is empty; the whole day is 00:00-24:00"),
        ("08:00-24:01", "08:00-24:01 is later than 24:00"),
        ("24:00-08:00", "24:00-08:00 is later than 24:00"),
        ("mon " * 60, "longer than 200 characters"),
        ("\u0660\u0668:00-18:00", "cannot be read"),
    ],
)
def test_what_is_no_window_is_refused(text: str, detail: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(detail)):
        parse_window(text)


CLAUSES = st.tuples(
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, DAY_MINUTES - 1),
    st.integers(0, DAY_MINUTES),
).filter(lambda clause: clause[1] != clause[2])


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


@given(st.lists(CLAUSES, min_size=1, max_size=3))
def test_a_window_holds_exactly_the_minutes_it_names(
    clauses: list[tuple[set[int], int, int]],
) -> None:
    text = "; ".join(
        " ".join([*(DAYS[day] for day in days), f"{clock(start)}-{clock(end)}"])
        for days, start, end in clauses
    )
    named = {
        (day * DAY_MINUTES + minute) % WEEK_MINUTES
        for days, start, end in clauses
        for day in days
        for minute in range(start, end if start < end else end + DAY_MINUTES)
    }
    window = parse_window(text)
    assert {minute for minute in range(WEEK_MINUTES) if window.holds(minute)} == named
    assert parse_window(str(window), None) == window


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("mon 08:00-12:00", "mon 12:00-18:00", False),
        ("mon 08:00-12:01", "mon 12:00-18:00", True),
        ("sun 22:00-06:00", "mon 05:59-06:00", True),
        ("sun 22:00-06:00", "mon 06:00-07:00", False),
    ],
)
def test_windows_overlap_where_they_share_a_minute(one: str, other: str, do: bool) -> None:
    assert parse_window(one).overlaps(parse_window(other)) is do
    assert parse_window(other).overlaps(parse_window(one)) is do


@pytest.mark.parametrize(
    ("instant", "time_zone", "shown"),
    [
        pytest.param("2026-03-02T00:00:00Z", "UTC", "mon 00:00", id="Monday midnight"),
        pytest.param("2026-03-01T23:59:59.999999Z", "UTC", "sun 23:59", id="just before"),
        pytest.param("2026-03-02T00:00:00Z", "Asia/Kolkata", "mon 05:30", id="half an hour off"),
        pytest.param("2026-03-29T00:59:59Z", "Europe/Berlin", "sun 01:59", id="before the gap"),
        pytest.param("2026-03-29T01:00:00Z", "Europe/Berlin", "sun 03:00", id="after the gap"),
        pytest.param("2026-10-25T00:30:00Z", "Europe/Berlin", "sun 02:30", id="an hour, first"),
        pytest.param("2026-10-25T01:30:00Z", "Europe/Berlin", "sun 02:30", id="and again"),
        pytest.param("2026-03-08T06:59:59Z", "America/New_York", "sun 01:59", id="another zone"),
        pytest.param("2026-03-08T07:00:00Z", "America/New_York", "sun 03:00", id="and its gap"),
        pytest.param(
            "2026-04-04T14:45:00Z", "Australia/Lord_Howe", "sun 01:45", id="a change by half hours"
        ),
        pytest.param(
            "2026-04-04T15:15:00Z", "Australia/Lord_Howe", "sun 01:45", id="after that change"
        ),
    ],
)
def test_the_instant_decides_what_clocks_show(instant: str, time_zone: str, shown: str) -> None:
    day, hour = divmod(minute_of_week(at(instant), time_zone), DAY_MINUTES)
    assert f"{DAYS[day]} {clock(hour)}" == shown


def test_a_day_with_a_skipped_hour_still_has_its_other_23() -> None:
    window = parse_window("sun 02:00-03:00")
    start = at("2026-03-28T23:00:00Z")
    minutes = [start + timedelta(minutes=minute) for minute in range(23 * 60)]
    assert not any(window.holds(minute_of_week(m, "Europe/Berlin")) for m in minutes)


def test_a_repeated_hour_is_in_the_window_twice() -> None:
    window = parse_window("sun 02:00-03:00")
    start = at("2026-10-24T22:00:00Z")
    minutes = [start + timedelta(minutes=minute) for minute in range(25 * 60)]
    assert sum(window.holds(minute_of_week(m, "Europe/Berlin")) for m in minutes) == 120


def test_a_window_without_minutes_holds_nothing() -> None:
    assert not any(Window(()).holds(minute) for minute in range(WEEK_MINUTES))
