"""Grants burn in one order, refill whole, and never become more than was granted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import InvalidInputError
from billing.domain.grants import (
    LATE_USAGE_GRACE,
    Grant,
    RecurringGrant,
    burn,
    first_lots,
    refill,
)
from billing.domain.periods import Period, period_after, period_at
from billing.domain.units import Unit

NOW = datetime(2026, 3, 10, tzinfo=UTC)
MARCH = period_at(NOW, 1, "UTC")
APRIL = period_after(MARCH, 1, "UTC")
MAY = period_after(APRIL, 1, "UTC")
MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 600)


def lot(name: str, remaining: int = 100, **overrides: object) -> Grant:
    grant = Grant(
        grant_id=name,
        unit=Unit.VOICE_SECONDS,
        total=max(remaining, 100),
        remaining=remaining,
        priority=100,
        granted_at=MARCH.start_at,
        expires_at=MARCH.end_at,
    )
    return replace(grant, **overrides)  # type: ignore[arg-type]


lots = st.lists(
    st.builds(
        lot,
        name=st.uuids().map(str),
        remaining=st.integers(0, 100),
        priority=st.integers(0, 2),
        unit=st.sampled_from(list(Unit)),
        granted_at=st.sampled_from([MARCH.start_at, NOW - timedelta(days=1), APRIL.start_at]),
        expires_at=st.sampled_from([None, MARCH.end_at, NOW, MAY.end_at]),
    ),
    max_size=6,
).map(tuple)


@given(lots, st.integers(0, 1000))
def test_burning_conserves_every_unit(grants: tuple[Grant, ...], quantity: int) -> None:
    burned = burn(grants, Unit.VOICE_SECONDS, quantity, NOW)
    before = sum(g.remaining for g in grants)
    after = sum(g.remaining for g in burned.grants)
    assert burned.granted + burned.unmet == quantity
    assert before - after == burned.granted
    assert all(0 <= g.remaining <= g.total for g in burned.grants)


@given(lots, st.integers(0, 1000))
def test_the_wallet_is_not_touched_while_a_grant_serves(
    grants: tuple[Grant, ...], quantity: int
) -> None:
    burned = burn(grants, Unit.VOICE_SECONDS, quantity, NOW)
    if burned.unmet:
        assert not any(g.serves(Unit.VOICE_SECONDS, NOW) for g in burned.grants)


@given(lots, st.lists(st.integers(0, 200), max_size=5), st.randoms())
def test_the_order_of_usage_does_not_change_what_is_left(
    grants: tuple[Grant, ...], quantities: list[int], chance: object
) -> None:
    def leave(order: list[int]) -> tuple[Grant, ...]:
        left = grants
        for quantity in order:
            left = burn(left, Unit.VOICE_SECONDS, quantity, NOW).grants
        return left

    shuffled = list(quantities)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert leave(shuffled) == leave(quantities)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(lot("z", priority=1), lot("a", expires_at=NOW + timedelta(1)), id="priority"),
        pytest.param(lot("z"), lot("a", expires_at=APRIL.end_at), id="the earliest expiry"),
        pytest.param(lot("z"), lot("a", expires_at=None), id="never expiring burns last"),
        pytest.param(lot("z"), lot("a", granted_at=MARCH.start_at + timedelta(1)), id="the oldest"),
        pytest.param(lot("a"), lot("b"), id="the id"),
    ],
)
def test_lots_burn_by_priority_then_expiry_then_age_then_id(first: Grant, second: Grant) -> None:
    for grants in ((first, second), (second, first)):
        assert burn(grants, Unit.VOICE_SECONDS, 1, NOW).parts == ((first.grant_id, 1),)


def test_a_lot_serves_from_its_start_until_just_before_its_expiry() -> None:
    grant = lot("a")
    assert grant.serves(Unit.VOICE_SECONDS, MARCH.start_at)
    assert grant.serves(Unit.VOICE_SECONDS, MARCH.end_at - timedelta(microseconds=1))
    assert not grant.serves(Unit.VOICE_SECONDS, MARCH.end_at)
    assert not grant.serves(Unit.VOICE_SECONDS, MARCH.start_at - timedelta(microseconds=1))
    assert not grant.serves(Unit.MESSAGES, NOW)


def test_a_refill_is_whole_and_last_periods_lot_only_serves_last_period() -> None:
    used = burn(first_lots([MINUTES], MARCH), Unit.VOICE_SECONDS, 450, NOW).grants
    grants = refill(used, [MINUTES], APRIL)
    assert burn(grants, Unit.VOICE_SECONDS, 9999, APRIL.start_at).granted == 600
    assert burn(grants, Unit.VOICE_SECONDS, 9999, NOW).granted == 150


def test_what_rolls_over_is_the_same_lot_with_a_later_expiry() -> None:
    carrying = replace(MINUTES, rollover_limit=200)
    lots_of_march = first_lots([carrying], MARCH)
    rolled = refill(lots_of_march, [carrying], APRIL)
    same = next(g for g in rolled if g.grant_id == lots_of_march[0].grant_id)
    assert (same.remaining, same.expires_at, same.rolled_over) == (200, APRIL.end_at, True)
    assert burn(rolled, Unit.VOICE_SECONDS, 9999, APRIL.start_at).granted == 800


def test_rolling_over_never_makes_more_than_was_granted() -> None:
    carrying = replace(MINUTES, rollover_limit=200)
    before = first_lots([carrying], MARCH)
    after = refill(before, [carrying], APRIL)
    carried = [g for g in after if g.granted_at == MARCH.start_at]
    assert sum(g.remaining for g in carried) == 600
    assert sum(g.total for g in carried) == 600


def test_a_lot_rolls_over_once() -> None:
    carrying = replace(MINUTES, rollover_limit=200)
    april = refill(first_lots([carrying], MARCH), [carrying], APRIL)
    may = refill(april, [carrying], MAY)
    assert burn(may, Unit.VOICE_SECONDS, 9999, MAY.start_at).granted == 800


@given(st.integers(0, 900), st.integers(0, 700))
def test_a_late_call_burns_what_it_would_have_burned_in_time(used: int, limit: int) -> None:
    terms = replace(MINUTES, rollover_limit=limit)
    lots_of_march = first_lots([terms], MARCH)
    in_time = refill(burn(lots_of_march, Unit.VOICE_SECONDS, used, NOW).grants, [terms], APRIL)
    late = burn(refill(lots_of_march, [terms], APRIL), Unit.VOICE_SECONDS, used, NOW).grants

    def left(grants: tuple[Grant, ...], at: datetime) -> int:
        return sum(g.remaining for g in grants if g.serves(Unit.VOICE_SECONDS, at))

    for at in (NOW, APRIL.start_at):
        assert left(late, at) == left(in_time, at)


def test_expired_lots_are_forgotten_once_no_late_usage_can_burn_them() -> None:
    grants = refill((lot("old"),), [MINUTES], APRIL)
    assert "old" in {g.grant_id for g in grants}
    assert "old" not in {g.grant_id for g in refill(grants, [MINUTES], MAY)}
    assert MAY.start_at - APRIL.start_at > LATE_USAGE_GRACE
    assert "spent" not in {g.grant_id for g in refill((lot("spent", 0),), [MINUTES], APRIL)}


def test_a_bundle_survives_the_turn_of_the_period() -> None:
    bundle = lot("bundle", expires_at=None)
    assert bundle in refill((bundle,), [MINUTES], APRIL)


@pytest.mark.parametrize("quantity", [0, -1, 10**12 + 1])
def test_a_grant_of_nothing_is_refused(quantity: int) -> None:
    with pytest.raises(InvalidInputError):
        RecurringGrant("minutes", Unit.VOICE_SECONDS, quantity)


def test_a_period_is_half_open() -> None:
    period = Period(NOW, NOW + timedelta(1))
    assert NOW in period
    assert period.end_at not in period
