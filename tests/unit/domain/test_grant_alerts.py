"""A threshold of a grant is told once, when it is crossed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import Account
from billing.domain.grant_alerts import grant_events
from billing.domain.grants import Grant
from billing.domain.units import Unit
from builders import NOON, an_account

LOT = Grant(
    grant_id="minutes:now",
    unit=Unit.VOICE_SECONDS,
    total=1000,
    remaining=1000,
    priority=100,
    granted_at=NOON,
    expires_at=NOON + timedelta(days=30),
    recurring_id="minutes",
)


# Any: of the lot's own fields.
def with_remaining(remaining: int, **changes: Any) -> Account:
    return an_account(grants=(replace(LOT, remaining=remaining, **changes),))


def told(before: int, after: int, **changes: Any) -> list[int]:
    events = grant_events(with_remaining(before, **changes), with_remaining(after, **changes), NOON)
    assert len(events) <= 1
    shown: list[Any] = [event.data["grants"] for event in events]
    return [one["threshold_percent"] for grants in shown for one in grants]


@pytest.mark.parametrize(
    ("before", "after", "percents"),
    [
        pytest.param(1000, 201, [], id="a second short of 80 percent"),
        pytest.param(1000, 200, [80], id="exactly 80 percent"),
        pytest.param(200, 199, [], id="beyond 80 percent already"),
        pytest.param(1, 0, [100], id="the last second"),
        pytest.param(1000, 0, [80, 100], id="both at once"),
        pytest.param(0, 1000, [], id="given back"),
        pytest.param(0, 0, [], id="nothing changed"),
    ],
)
def test_a_threshold_is_told_when_it_is_crossed(
    before: int, after: int, percents: list[int]
) -> None:
    assert told(before, after) == percents


def test_an_unlimited_grant_has_no_thresholds() -> None:
    assert told(1000, 0, unlimited=True) == []


def test_what_is_crossed_again_after_a_correction_has_the_same_id() -> None:
    full, used = with_remaining(1000), with_remaining(100)
    first, again = (grant_events(full, used, NOON) for _ in range(2))
    assert [event.event_id for event in first] == [event.event_id for event in again]


def test_another_periods_lot_is_told_under_another_id() -> None:
    first = grant_events(with_remaining(1000), with_remaining(100), NOON)
    later = {"grant_id": "minutes:later"}
    second = grant_events(with_remaining(1000, **later), with_remaining(100, **later), NOON)
    assert first[0].event_id != second[0].event_id


def test_a_lot_that_is_new_or_was_carried_over_tells_nothing() -> None:
    assert grant_events(an_account(grants=()), with_remaining(0), NOON) == ()
    carried = an_account(grants=(replace(LOT, total=100, remaining=0),))
    assert grant_events(with_remaining(1000), carried, NOON) == ()
