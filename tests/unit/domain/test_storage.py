"""Storage: what is free, what a gauge charges, and when what was paid for lapses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import InvalidInputError
from billing.domain.periods import Period, period_after
from billing.domain.selling import StorageRule
from billing.domain.storage import GB, MAX_USED_BYTES, MB, Assessed, assess, free_bytes, turned
from billing.domain.subscription import Storage

RULE = StorageRule()
MARCH = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
APRIL = period_after(MARCH, 1, "UTC")
MAY = period_after(APRIL, 1, "UTC")
JUNE = period_after(MAY, 1, "UTC")


def told(
    used_bytes: int,
    standing: Storage | None = None,
    *,
    members: int = 35,
    period: Period = MARCH,
) -> Assessed:
    return assess(
        standing or Storage(),
        RULE,
        used_bytes=used_bytes,
        active_members=members,
        period=period,
        now=period.start_at + timedelta(days=3),
    )


@pytest.mark.parametrize(
    ("members", "free_mb"), [(0, 250), (1, 250), (5, 250), (6, 300), (7, 350), (35, 1_750)]
)
def test_further_members_bring_storage_with_them(members: int, free_mb: int) -> None:
    assert free_bytes(RULE, members) == free_mb * MB


@pytest.mark.parametrize(
    ("used_mb", "charged_gb"),
    [(0, 0), (1_750, 0), (1_751, 1), (2_774, 1), (2_775, 2), (3_798, 2), (3_799, 3)],
)
def test_each_started_gigabyte_above_the_free_limit_is_charged(
    used_mb: int, charged_gb: int
) -> None:
    assert told(used_mb * MB).charged_gb == charged_gb


def test_one_byte_too_many_starts_a_gigabyte() -> None:
    assert told(1_750 * MB + 1).charged_gb == 1


def test_the_same_gauge_told_twice_charges_once() -> None:
    first = told(1_751 * MB)
    again = told(1_751 * MB, first.storage)
    assert (first.charged_gb, again.charged_gb) == (1, 0)
    assert again.storage == first.storage


def test_up_and_down_within_the_extended_limit_charges_nothing_more() -> None:
    storage = told(1_751 * MB).storage
    for used_mb in (2_774, 10, 2_000, 2_774):
        assessed = told(used_mb * MB, storage)
        assert assessed.charged_gb == 0
        storage = assessed.storage


def test_what_is_needed_in_the_next_period_too_is_not_charged_again() -> None:
    bought = told(1_751 * MB).storage
    assert told(2_000 * MB, bought, period=APRIL).charged_gb == 0


def test_a_period_that_stays_below_lets_it_lapse() -> None:
    bought = told(1_751 * MB).storage
    emptied = told(100 * MB, bought).storage
    april = told(100 * MB, emptied, period=APRIL)
    assert april.limit_bytes == 1_750 * MB + GB, "April begins with what March has paid for"
    may = told(1_751 * MB, april.storage, period=MAY)
    assert may.charged_gb == 1, "April did without it"


def test_what_was_full_when_the_period_began_was_needed_in_it() -> None:
    bought = told(2_000 * MB).storage
    emptied_in_april = told(100 * MB, bought, period=APRIL).storage
    assert told(2_000 * MB, emptied_in_april, period=MAY).charged_gb == 0


def test_only_what_was_not_needed_lapses() -> None:
    bought = told(2_775 * MB).storage
    april = told(1_751 * MB, bought, period=APRIL).storage
    may = told(1_751 * MB, april, period=MAY).storage
    june = told(1_751 * MB, may, period=JUNE)
    assert [one.extended_gb for one in (bought, april, may)] == [2, 2, 2]
    assert (june.charged_gb, june.storage.extended_gb) == (0, 1), "May needed one"


def test_it_lapses_in_a_period_in_which_nothing_was_told() -> None:
    bought = told(1_751 * MB).storage
    emptied = told(100 * MB, bought).storage
    assert told(1_751 * MB, emptied, period=MAY).charged_gb == 1, "April did without it"


def test_a_gauge_that_is_not_told_again_stays_where_it_is() -> None:
    bought = told(1_751 * MB).storage
    assert told(1_751 * MB, bought, period=JUNE).charged_gb == 0


def test_members_who_leave_lower_the_limit() -> None:
    assert told(1_750 * MB, members=35).charged_gb == 0
    assert told(1_750 * MB, members=34).charged_gb == 1


def test_turning_twice_is_turning_once() -> None:
    storage = told(2_775 * MB).storage
    once = turned(storage, 1_750 * MB, APRIL)
    assert turned(once, 1_750 * MB, APRIL) == once


@pytest.mark.parametrize("used_bytes", [-1, MAX_USED_BYTES + 1])
def test_a_gauge_out_of_bounds_names_its_field(used_bytes: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        told(used_bytes)
    assert refused.value.field == "used_bytes"


GAUGES = st.lists(
    st.tuples(st.integers(0, 6 * GB), st.integers(0, 60), st.booleans()), min_size=1, max_size=40
)


@given(GAUGES)
def test_no_gigabyte_is_charged_twice_in_a_period_and_none_is_used_unpaid(
    gauges: list[tuple[int, int, bool]],
) -> None:
    storage, period, charged_in_period, held_before = Storage(), MARCH, 0, 0
    for used_bytes, members, turns in gauges:
        if turns:
            period = period_after(period, 1, "UTC")
            charged_in_period, held_before = 0, storage.extended_gb
        assessed = told(used_bytes, storage, members=members, period=period)
        charged_in_period += assessed.charged_gb
        storage = assessed.storage
        assert storage.used_bytes <= assessed.limit_bytes, "whatever is used is free or paid for"
        assert storage.extended_gb <= held_before + charged_in_period
        assert charged_in_period <= storage.extended_gb, "each gigabyte once"
