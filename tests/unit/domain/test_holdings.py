"""What a change within a period makes of the lots: entitlement by days, less what was used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import turning
from billing.domain.account import Account, PlanTerms, Standing
from billing.domain.grants import Grant, RecurringGrant, burn
from billing.domain.holdings import held_terms, with_terms
from billing.domain.opening import new_account
from billing.domain.subscription import UnitItem
from billing.domain.units import Unit
from billing.ports import StoredCatalog
from builders import ACME
from catalogs import TOLL_FREE, a_catalog
from purchases import MARCH

SOME = settings(max_examples=80, deadline=None)
VOICE = Unit.VOICE_SECONDS
MID_MARCH = MARCH + timedelta(days=16, hours=9)
"""17 March, 15 of 31 days left."""


def terms(*grants: RecurringGrant, refills: bool = True) -> PlanTerms:
    return PlanTerms("plan", 1, grants, refills_while_past_due=refills)


def minutes(quantity: int, name: str = "minutes") -> RecurringGrant:
    return RecurringGrant(name, VOICE, quantity)


EVERYTHING = RecurringGrant("minutes", VOICE, 0, unlimited=True)


def opened(held: PlanTerms, at: datetime = MARCH, zone: str = "UTC", day: int = 1) -> Account:
    return new_account(
        ACME,
        currency="USD",
        time_zone=zone,
        billing_day=day,
        plan=held,
        rate_deck="standard",
        now=at,
    )


def used(account: Account, seconds: int) -> Account:
    burned = burn(account.grants, VOICE, seconds, account.period.start_at)
    return replace(account, grants=burned.grants)


def lots(account: Account) -> dict[str, tuple[int, int]]:
    """Total and what remains, by recurring grant."""
    return {lot.recurring_id or "": (lot.total, lot.remaining) for lot in account.grants}


@pytest.mark.parametrize(
    ("old", "new", "seconds", "total", "remaining"),
    [
        # 16 of 31 days of 3,100 are 1,600; 15 of 31 of 6,200 are 3,000.
        pytest.param(3_100, 6_200, 0, 4_600, 4_600, id="more, unused"),
        pytest.param(3_100, 6_200, 1_000, 4_600, 3_600, id="more, what was used is deducted"),
        pytest.param(6_200, 3_100, 0, 4_700, 4_700, id="less"),
        pytest.param(6_200, 3_100, 5_000, 4_700, 0, id="less than was used, never below zero"),
        pytest.param(1_000, 1_001, 0, 516 + 485, 1_001, id="one more: old days down, new ones up"),
    ],
)
def test_a_quota_is_weighed_by_days(
    old: int, new: int, seconds: int, total: int, remaining: int
) -> None:
    account = used(opened(terms(minutes(old))), seconds)
    changed = with_terms(account, terms(minutes(new)), MID_MARCH)
    assert lots(changed) == {"minutes": (total, remaining)}


def test_what_is_new_is_granted_for_the_days_left_rounded_up_from_that_day_on() -> None:
    account = opened(terms(minutes(3_100)))
    changed = with_terms(account, terms(minutes(3_100), minutes(100, "extra")), MID_MARCH)
    assert lots(changed) == {"minutes": (3_100, 3_100), "extra": (49, 49)}
    extra = changed.grants[-1]
    assert extra.granted_at == datetime(2026, 3, 17, tzinfo=UTC)
    assert extra.expires_at == account.period.end_at


def test_what_is_held_no_longer_keeps_its_share_of_the_days_before() -> None:
    account = used(opened(terms(minutes(3_100), minutes(3_100, "extra"))), 100)
    changed = with_terms(account, terms(minutes(3_100)), MID_MARCH)
    assert lots(changed) == {"minutes": (3_100, 3_100), "extra": (1_600, 1_500)}
    (refilled,) = turning.begin_next_period(changed).grants[-1:]
    assert (refilled.recurring_id, refilled.total) == ("minutes", 3_100)


def test_what_is_held_again_goes_on_with_the_lot_it_had_and_rolls_over_within_one_limit() -> None:
    rolling = RecurringGrant("extra", VOICE, 3_100, rollover_limit=500)
    account = used(opened(terms(rolling)), 100)
    without = with_terms(account, terms(), MARCH + timedelta(days=10))
    assert lots(without) == {"extra": (1_000, 900)}
    again = with_terms(without, terms(rolling), MARCH + timedelta(days=20))
    assert lots(again) == {"extra": (1_000 + 1_100, 900 + 1_100)}
    carried = [lot for lot in turning.begin_next_period(again).grants if lot.rolled_over]
    assert [lot.remaining for lot in carried] == [500]
    assert with_terms(with_terms(account, terms(), MID_MARCH), terms(rolling), MID_MARCH) == account


def test_what_was_used_beyond_a_smaller_quota_no_later_change_takes_back() -> None:
    account = used(opened(terms(minutes(6_200))), 5_000)
    less = with_terms(account, terms(minutes(3_100)), MID_MARCH)
    assert lots(less) == {"minutes": (4_700, 0)}
    more = with_terms(less, terms(minutes(6_200)), MARCH + timedelta(days=21))
    assert lots(more) == {"minutes": (4_700 + 1_000, 1_000)}


def test_an_unlimited_grant_ends_and_begins_with_its_day() -> None:
    limited = opened(terms(minutes(3_100)))
    free = with_terms(limited, terms(EVERYTHING), MID_MARCH)
    (lot,) = free.grants
    assert lot.unlimited
    (again,) = with_terms(free, terms(minutes(3_100)), MID_MARCH).grants
    assert (again.total, again.remaining, again.unlimited) == (1_500, 1_500, False)
    (over,) = with_terms(free, terms(), MID_MARCH).grants
    today = datetime(2026, 3, 17, tzinfo=UTC)
    assert not over.serves(VOICE, today)
    # A call of the day before that is reported late is still free.
    assert over.serves(VOICE, today - timedelta(seconds=1))


def test_a_grant_that_changes_its_unit_is_another_one() -> None:
    account = opened(terms(minutes(3_100)))
    texts = RecurringGrant("minutes", Unit.MESSAGES, 31)
    changed = with_terms(account, terms(texts), MID_MARCH)
    assert [(lot.unit, lot.total) for lot in changed.grants] == [
        (VOICE, 1_600),
        (Unit.MESSAGES, 15),
    ]
    assert len({lot.grant_id for lot in changed.grants}) == 2
    more = with_terms(changed, terms(replace(texts, quantity=62)), MID_MARCH)
    assert [(lot.unit, lot.total) for lot in more.grants] == [
        (VOICE, 1_600),
        (Unit.MESSAGES, 30),
    ]
    rolling = terms(replace(texts, rollover_limit=10))
    turned = turning.begin_next_period(with_terms(changed, rolling, MID_MARCH))
    assert [(lot.unit, lot.rolled_over) for lot in turned.grants] == [
        (VOICE, False),
        (Unit.MESSAGES, False),
        (Unit.MESSAGES, True),
        (Unit.MESSAGES, False),
    ]


def test_what_rolled_over_and_what_was_bought_once_stay_as_they_are() -> None:
    rolling = RecurringGrant("minutes", VOICE, 3_100, rollover_limit=500)
    account = turning.begin_next_period(opened(terms(rolling), MARCH - timedelta(days=28)))
    bundle = Grant("bundle:1", VOICE, 500, 400, 1, MARCH, None)
    account = replace(account, grants=(*account.grants, bundle))
    changed = with_terms(account, terms(minutes(6_200)), MID_MARCH)
    before = {lot.grant_id: lot for lot in account.grants}
    moved = [lot for lot in changed.grants if before[lot.grant_id] != lot]
    assert [lot.total for lot in moved] == [4_600]


@pytest.mark.parametrize("refills", [True, False])
def test_what_is_not_refilled_while_past_due_does_not_come_with_another_plan(refills: bool) -> None:
    account = replace(opened(terms(minutes(3_100), refills=refills)), standing=Standing.PAST_DUE)
    account = turning.begin_next_period(replace(account, grants=()))
    changed = with_terms(
        account, terms(minutes(6_200), minutes(100, "extra"), refills=refills), MID_MARCH
    )
    assert len(changed.grants) == (2 if refills else 0)


instants = st.timedeltas(timedelta(0), timedelta(days=15 * 365)).map(
    lambda since: datetime(2010, 1, 1, tzinfo=UTC) + since
)
zones = st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
quantities = st.integers(1, 10**6)


@SOME
@given(instants, zones, st.sampled_from([1, 29, 31]), quantities, quantities, st.floats(0, 0.999))
def test_there_and_back_within_a_day_changes_nothing(
    at: datetime, zone: str, day: int, old: int, new: int, part: float
) -> None:
    account = used(opened(terms(minutes(old)), at, zone, day), 1)
    now = account.period.start_at + (account.period.end_at - account.period.start_at) * part
    there = with_terms(account, terms(minutes(new)), now)
    (lot,) = there.grants
    assert 0 <= lot.remaining <= lot.total <= max(old, new) + 1
    back = with_terms(there, terms(minutes(old)), now)
    if lot.remaining:
        assert back == account
    assert with_terms(account, account.plan, now) == account


@SOME
@given(quantities, quantities, quantities)
def test_the_sum_over_all_days_is_what_the_days_were_worth(old: int, new: int, last: int) -> None:
    account = opened(terms(minutes(old)))
    changed = with_terms(account, terms(minutes(new)), MARCH + timedelta(days=10))
    changed = with_terms(changed, terms(minutes(last)), MARCH + timedelta(days=20))
    (lot,) = changed.grants
    exact = old * 10 + new * 10 + last * 11
    assert abs(lot.total * 31 - exact) < 2 * 31


# Packages


def test_packages_are_held_beside_the_plan_as_often_as_they_were_bought() -> None:
    sold = StoredCatalog(7, a_catalog())
    held = held_terms(
        sold, "growth", (UnitItem("toll-free-500", 2, 2), UnitItem("gone", 1, 1), UnitItem("none"))
    )
    assert (held.plan_id, held.catalog_version) == ("growth", 7)
    assert [one.recurring_id for one in held.recurring_grants] == ["minutes", "toll-free"]
    assert held.recurring_grants[1] == replace(TOLL_FREE, quantity=2 * TOLL_FREE.quantity)
