"""When a declined payment is tried again, and when a card is left alone."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.declines import (
    RETRY_GAPS,
    SCHEME_DECLINES,
    SCHEME_DECLINES_A_DAY,
    SCHEME_WINDOW,
    DeclineGroup,
    is_at_scheme_limit,
    retry_at,
    with_decline,
)
from builders import NOON

FEW = settings(max_examples=100, deadline=None)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("failures", "gap"),
    [
        pytest.param(1, timedelta(hours=4), id="after the first, a cycle later"),
        pytest.param(2, timedelta(days=1), id="after the second, a day"),
        pytest.param(3, timedelta(days=3), id="after the third, three"),
        pytest.param(4, timedelta(days=7), id="after the fourth, a week"),
        pytest.param(5, None, id="after the fifth, not at all"),
        pytest.param(6, None, id="nor ever after"),
    ],
)
def test_failures_are_retried_after_growing_gaps(failures: int, gap: timedelta | None) -> None:
    assert retry_at(failures, NOON) == (None if gap is None else NOON + gap)


def test_the_gaps_grow() -> None:
    assert list(RETRY_GAPS) == sorted(set(RETRY_GAPS))


@pytest.mark.parametrize(
    ("group", "blocks"),
    [
        (DeclineGroup.RETRY_LATER, False),
        (DeclineGroup.NEW_SOURCE, True),
        (DeclineGroup.NEVER, True),
        (DeclineGroup.CUSTOMER_ACTION, True),
    ],
)
def test_only_a_decline_to_be_retried_leaves_the_source_in_use(
    group: DeclineGroup, blocks: bool
) -> None:
    assert group.blocks_source is blocks


@pytest.mark.parametrize(
    ("ages", "is_limited"),
    [
        pytest.param([timedelta(days=2)] * 14, False, id="fourteen in thirty days"),
        pytest.param([timedelta(days=2)] * 15, True, id="fifteen in thirty days"),
        pytest.param([SCHEME_WINDOW] * 15, False, id="thirty days ago is over"),
        pytest.param([SCHEME_WINDOW - SECOND] * 15, True, id="a second less is not"),
        pytest.param([timedelta(hours=1)] * 9, False, id="nine in a day"),
        pytest.param([timedelta(hours=1)] * 10, True, id="ten in a day"),
        pytest.param([timedelta(days=1)] * 10, False, id="ten a day ago"),
        pytest.param([], False, id="none at all"),
    ],
)
def test_a_card_at_its_schemes_limit_is_left_alone(ages: list[timedelta], is_limited: bool) -> None:
    assert is_at_scheme_limit([NOON - age for age in ages], NOON) is is_limited


@FEW
@given(st.lists(st.integers(0, 25 * 24), min_size=5, max_size=40), st.integers(0, 30 * 24))
def test_what_is_forgotten_never_changes_what_the_limits_say(hours: list[int], later: int) -> None:
    kept: tuple[datetime, ...] = ()
    everything = sorted(NOON + timedelta(hours=hour) for hour in hours)
    for at in everything:
        kept = with_decline(kept, at)
        assert len(kept) <= SCHEME_DECLINES
    now = max(everything, default=NOON) + timedelta(hours=later)
    assert is_at_scheme_limit(kept, now) is is_at_scheme_limit(everything, now)


def test_the_day_has_the_narrower_limit() -> None:
    assert SCHEME_DECLINES_A_DAY < SCHEME_DECLINES
