"""Grants burn in one order, refill whole, and never become more than was granted."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.errors import InvalidInputError
from billing.domain.grants import (
    LATE_USAGE_GRACE,
    MAX_SCOPE_PREFIXES,
    Burn,
    Grant,
    RecurringGrant,
    Scope,
    UsageKey,
    burn,
    first_lots,
    refill,
)
from billing.domain.periods import Period, period_after, period_at
from billing.domain.units import Direction, Unit

NOW = datetime(2026, 3, 10, tzinfo=UTC)
MARCH = period_at(NOW, 1, "UTC")
APRIL = period_after(MARCH, 1, "UTC")
MAY = period_after(APRIL, 1, "UTC")
MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 600)
MOST = 10**12


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


# Scopes and unlimited lots

OUTBOUND, INBOUND = Direction.OUTBOUND, Direction.INBOUND
VOICE = Unit.VOICE_SECONDS
LONDON = UsageKey(OUTBOUND, "+442079460000")
UK = Scope(prefixes=("44",))


@pytest.mark.parametrize(
    ("scope", "usage", "is_covered"),
    [
        pytest.param(Scope(), LONDON, True, id="no limit covers everything"),
        pytest.param(UK, LONDON, True, id="its prefix"),
        pytest.param(UK, UsageKey(INBOUND, "+442079460000"), True, id="in both directions"),
        pytest.param(UK, UsageKey(OUTBOUND, "+33140000000"), False, id="another prefix"),
        pytest.param(UK, UsageKey(OUTBOUND, "44"), False, id="a short code is no number"),
        pytest.param(
            Scope(prefixes=("short:4", "1")), UsageKey(OUTBOUND, "44"), True, id="unless named"
        ),
        pytest.param(Scope(OUTBOUND), LONDON, True, id="its direction"),
        pytest.param(Scope(INBOUND), LONDON, False, id="the other direction"),
        pytest.param(Scope(INBOUND, ("44",)), LONDON, False, id="both must hold"),
    ],
)
def test_a_scope_covers_its_direction_and_prefixes(
    scope: Scope, usage: UsageKey, is_covered: bool
) -> None:
    assert scope.covers(usage) is is_covered
    assert lot("a", scope=scope).serves(VOICE, NOW, usage) is is_covered


def test_usage_to_nowhere_in_particular_burns_no_scoped_lot() -> None:
    assert burn((lot("a", scope=Scope()), lot("b")), VOICE, 200, NOW).parts == (("b", 100),)


@pytest.mark.parametrize("prefix", ["", "*", "+44", "044", "short:x"])
def test_a_scope_has_prefixes_as_decks_have_them(prefix: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a prefix") as refused:
        Scope(prefixes=(prefix,))
    assert refused.value.field == "scope/prefixes"
    assert len(Scope(prefixes=("1",) * MAX_SCOPE_PREFIXES).prefixes) == MAX_SCOPE_PREFIXES
    with pytest.raises(InvalidInputError, match="at most 50") as refused:
        Scope(prefixes=("1",) * (MAX_SCOPE_PREFIXES + 1))
    assert refused.value.field == "scope/prefixes"


@pytest.mark.parametrize(
    ("terms", "field", "says"),
    [
        ({"quantity": 0}, "quantity", "^a grant's quantity is 1 to"),
        ({"quantity": 1, "unlimited": True}, "unlimited", "^an unlimited grant has no quantity"),
        ({"quantity": 1, "rollover_limit": -1}, "rollover_limit", "^rollover_limit is 0 to"),
        ({"quantity": 1, "rollover_limit": MOST + 1}, "rollover_limit", "^rollover_limit is 0 to"),
    ],
)
def test_a_grant_that_cannot_be_says_which_of_its_terms_is_wrong(
    terms: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says) as refused:
        RecurringGrant("minutes", VOICE, **terms)
    assert refused.value.field == field
    assert RecurringGrant("minutes", VOICE, 1, rollover_limit=MOST).rollover_limit == MOST


def test_what_stays_behind_at_a_turn_is_a_lot_of_its_own_name() -> None:
    carrying = replace(MINUTES, rollover_limit=200)
    (whole,) = first_lots([carrying], MARCH)
    names = [one.grant_id for one in refill((whole,), [carrying], APRIL)]
    assert names[:2] == [f"{whole.grant_id}:left", whole.grant_id]


def test_an_unlimited_lot_pays_for_everything_and_stays_as_it_is() -> None:
    domestic = lot("domestic", 0, total=0, scope=UK, unlimited=True)
    minutes = lot("minutes")
    for grants in ((domestic, minutes), (minutes, domestic)):
        burned = burn(grants, VOICE, 10**6, NOW, LONDON)
        assert (burned.parts, burned.unmet) == ((("domestic", 10**6),), 0)
        assert burned.grants == grants
        abroad = burn(grants, VOICE, 150, NOW, UsageKey(OUTBOUND, "+331"))
        assert (abroad.parts, abroad.unmet) == ((("minutes", 100),), 50)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            lot("z", priority=1), lot("a", scope=UK, unlimited=True), id="priority above all"
        ),
        pytest.param(
            lot("z", unlimited=True), lot("a", scope=UK), id="unlimited before what runs out"
        ),
        pytest.param(lot("z", scope=UK), lot("a", expires_at=NOW + timedelta(1)), id="a scope"),
        pytest.param(
            lot("z", scope=Scope(prefixes=("442",))), lot("a", scope=UK), id="the longer prefix"
        ),
        pytest.param(
            lot("z", scope=UK), lot("a", scope=Scope(prefixes=("44", "1"))), id="the fewer prefixes"
        ),
        pytest.param(
            lot("z", scope=Scope(OUTBOUND, ("44",))), lot("a", scope=UK), id="the one direction"
        ),
        pytest.param(
            lot("z", scope=Scope(prefixes=("44", "442"))),
            lot("a", scope=Scope(prefixes=("44", "1"))),
            id="a prefix within another adds nothing",
        ),
        pytest.param(
            lot("z", scope=Scope(prefixes=(*"123456789", *(f"short:{n}" for n in range(1, 10))))),
            lot("a", scope=Scope()),
            id="many prefixes are still less than everywhere",
        ),
        pytest.param(
            lot("z", scope=UK), lot("a", scope=Scope(OUTBOUND)), id="a country before everywhere"
        ),
        pytest.param(
            lot("z", expires_at=NOW + timedelta(1)),
            lot("a", scope=Scope()),
            id="a scope of everything is as wide as none",
        ),
    ],
)
def test_what_serves_less_burns_first(first: Grant, second: Grant) -> None:
    for grants in ((first, second), (second, first)):
        assert burn(grants, VOICE, 1, NOW, LONDON).parts == ((first.grant_id, 1),)


DESTINATIONS = ("+4420", "+4479", "+331", "+15", "112")
# Any two of these are one within the other, or have nothing in common.
NESTED = (
    None,
    Scope(OUTBOUND),
    Scope(OUTBOUND, ("44", "1")),
    Scope(OUTBOUND, ("44",)),
    Scope(OUTBOUND, ("442",)),
    Scope(OUTBOUND, ("1",)),
    Scope(INBOUND, ("short:1", "33")),
    Scope(INBOUND, ("33",)),
)
nested_lots = st.lists(
    st.builds(
        lot,
        name=st.uuids().map(str),
        remaining=st.integers(1, 100),
        scope=st.sampled_from(NESTED),
        unlimited=st.sampled_from([False, False, False, True]),
        expires_at=st.sampled_from([None, MARCH.end_at, MAY.end_at]),
    ),
    max_size=6,
).map(tuple)
usage_lists = st.lists(
    st.tuples(
        st.builds(UsageKey, st.sampled_from(Direction), st.sampled_from(DESTINATIONS)),
        st.integers(0, 150),
    ),
    max_size=8,
)


@given(nested_lots, usage_lists, st.randoms(use_true_random=False))
def test_nested_scopes_give_the_same_seconds_in_any_order_of_usage(
    grants: tuple[Grant, ...], usage: list[tuple[UsageKey, int]], chance: random.Random
) -> None:
    """docs/rating.md, "Any order, one balance": narrower scopes burn first."""

    def spend(order: list[tuple[UsageKey, int]]) -> tuple[tuple[Grant, ...], dict[str, int]]:
        left, given = grants, Counter[str]()
        for key, quantity in order:
            burned = burn(left, VOICE, quantity, NOW, key)
            assert burned.granted + burned.unmet == quantity
            assert all(g.scope is None or g.scope.covers(key) for g in grants_of(burned, grants))
            left = burned.grants
            given.update(dict(burned.parts))
        return left, dict(given)

    shuffled = list(usage)
    chance.shuffle(shuffled)
    assert spend(shuffled) == spend(usage)


def grants_of(burned: Burn, grants: tuple[Grant, ...]) -> list[Grant]:
    names = {name for name, _ in burned.parts}
    return [grant for grant in grants if grant.grant_id in names]


def test_scopes_that_only_overlap_can_give_more_or_less_by_order() -> None:
    """The counterexample of docs/rating.md: neither of the two lies within the other."""
    grants = (
        lot("to London", scope=Scope(None, ("442",))),
        lot("outbound", scope=Scope(OUTBOUND, ("44", "33"))),
    )
    paris = UsageKey(OUTBOUND, "+331")

    def left(order: tuple[UsageKey, ...]) -> int:
        state = tuple(replace(g, priority=-n) for n, g in enumerate(grants))
        return sum(remaining_after(state, order))

    assert left((LONDON, paris)) != left((paris, LONDON))


def remaining_after(grants: tuple[Grant, ...], order: tuple[UsageKey, ...]) -> list[int]:
    for key in order:
        grants = burn(grants, VOICE, 100, NOW, key).grants
    return [grant.remaining for grant in grants]


def test_a_plan_gives_its_scope_to_each_lot_and_unlimited_lots_come_anew() -> None:
    domestic = RecurringGrant("domestic", VOICE, 0, scope=UK, unlimited=True)
    (march,) = first_lots([domestic], MARCH)
    assert (march.scope, march.unlimited, march.total) == (UK, True, 0)
    april = refill((march,), [domestic], APRIL)
    assert [g.grant_id for g in april] == [march.grant_id, "domestic:20260401T0000Z"]
    assert burn(april, VOICE, 60, NOW, LONDON).granted == 60
    assert len(refill(april, [domestic], MAY)) == 2


@pytest.mark.parametrize(("quantity", "rollover"), [(1, 0), (0, 1)])
def test_an_unlimited_grant_holds_no_quantity(quantity: int, rollover: int) -> None:
    with pytest.raises(InvalidInputError, match="no quantity and no rollover"):
        RecurringGrant(
            "domestic", VOICE, quantity, rollover_limit=rollover, scope=UK, unlimited=True
        )
