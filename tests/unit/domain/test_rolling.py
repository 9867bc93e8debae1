"""Rolling once, twice, late or never leaves the same figures."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import rolling, turning
from billing.domain.account import Account, PeriodTotals, PlanTerms
from billing.domain.grants import Grant, RecurringGrant, burn
from billing.domain.opening import new_account
from billing.domain.periods import local_day, period_after
from billing.domain.recharge import level
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.records import ClosedPeriod, EventType, Timer, TimerKind
from billing.domain.units import Unit
from builders import ACME, NOON, USD, an_account

FEW = settings(max_examples=50, deadline=None)
ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/Berlin",
]
SECOND = timedelta(seconds=1)
MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 600)


def opened(
    now: datetime = NOON,
    zone: str = "UTC",
    billing_day: int = 1,
    recurring: tuple[RecurringGrant, ...] = (MINUTES,),
) -> Account:
    return new_account(
        ACME,
        currency="USD",
        time_zone=zone,
        billing_day=billing_day,
        plan=PlanTerms("starter", 1, recurring),
        rate_deck="standard",
        now=now,
    ).next_version()


def rolled(account: Account, now: datetime) -> Account:
    """Every roll that is due, as Changes."""
    while turning.is_due(account, now):
        account = rolling.roll(account, now).after
    return account


instants = st.timedeltas(timedelta(0), timedelta(days=25 * 365)).map(
    lambda since: datetime(2010, 1, 1, tzinfo=UTC) + since
)
terms = st.lists(
    st.builds(
        RecurringGrant,
        st.sampled_from(["minutes", "texts", "extra"]),
        st.sampled_from(Unit),
        st.integers(1, 9_000),
        st.integers(0, 3),
        st.integers(0, 9_000),
    ),
    max_size=3,
    unique_by=lambda term: term.recurring_id,
)
policies = st.sampled_from(
    [
        RechargePolicy(),
        RechargePolicy(RechargeMode.FIXED, 10 * USD, amount_micros=5 * USD),
        RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD),
    ]
)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Accounts in the middle of their life: partly used grants, a bundle, a policy."""
    now = draw(instants)
    account = opened(
        now, draw(st.sampled_from(ZONES)), draw(st.integers(1, 31)), tuple(draw(terms))
    )
    used = burn(account.grants, Unit.VOICE_SECONDS, draw(st.integers(0, 9_000)), now).grants
    expires_at = draw(
        st.one_of(st.none(), st.integers(1, 90).map(lambda days: now + timedelta(days=days)))
    )
    bundle = Grant("bundle", Unit.VOICE_SECONDS, 500, draw(st.integers(0, 500)), 1, now, expires_at)
    recharging = Recharging(draw(policies), default_source_id="card-1")
    account = replace(
        account,
        wallet_micros=draw(st.integers(-20 * USD, 20 * USD)),
        grants=(*used, bundle),
        recharging=recharging,
        daily_spend=((now.date(), 5),),
    )
    return level(account, now).account


# Once, twice, late or never


@FEW
@given(accounts(), st.integers(0, 500), st.integers(1, 40))
def test_the_state_at_an_instant_is_the_state_after_every_roll_whenever_they_ran(
    account: Account, days: int, sweep_days: int
) -> None:
    now = account.created_at + timedelta(days=days)
    never = turning.at(account, now)
    late = rolled(account, now)
    in_time, swept_at = account, account.created_at
    while swept_at < now:
        swept_at = min(now, swept_at + timedelta(days=sweep_days))
        in_time = rolled(in_time, swept_at)
    assert replace(late, version=0) == replace(in_time, version=0) == replace(never, version=0)
    assert now in never.period


@FEW
@given(accounts(), st.integers(0, 100), st.integers(0, 100))
def test_looking_in_between_changes_nothing(account: Account, some: int, more: int) -> None:
    sooner = account.created_at + timedelta(days=some)
    later = sooner + timedelta(days=more)
    assert turning.at(turning.at(account, sooner), later) == turning.at(account, later)


def test_a_roll_is_the_same_operation_whenever_it_runs() -> None:
    account = opened()
    in_time = rolling.roll(account, account.period.end_at)
    late = rolling.roll(account, account.period.end_at + timedelta(days=99))
    assert in_time.operation is not None
    assert late.operation is not None
    assert in_time.operation.operation_id == late.operation.operation_id
    assert in_time.operation.body_hash == late.operation.body_hash
    assert in_time.after == late.after


def test_every_periods_roll_has_a_name_of_its_own() -> None:
    # Its first two periods begin on one day, as UTC has it.
    account = opened(datetime(2026, 3, 1, 2, tzinfo=UTC), "America/New_York")
    names = {rolling.roll_id(account)}
    for _ in range(24):
        account = turning.begin_next_period(account)
        names.add(rolling.roll_id(account))
    assert len(names) == 25


def test_a_period_that_is_not_over_is_not_rolled() -> None:
    account = opened()
    just_before = account.period.end_at - SECOND
    assert not turning.is_due(account, just_before)
    assert turning.at(account, just_before) is account
    assert turning.is_due(account, account.period.end_at)
    with pytest.raises(AssertionError):
        rolling.roll(account, just_before)


def test_fourteen_idle_months_leave_one_months_grants_and_the_same_money() -> None:
    account = replace(opened(datetime(2026, 1, 1, tzinfo=UTC)), wallet_micros=123)
    now = datetime(2027, 3, 14, tzinfo=UTC)
    stands = turning.at(account, now)
    assert stands.period == period_after(
        turning.at(account, datetime(2027, 2, 1, tzinfo=UTC)).period, 1, "UTC"
    )
    assert burn(stands.grants, Unit.VOICE_SECONDS, 9_999, now).granted == 600
    assert len(stands.grants) == 2, "this period's lot, and the last one's for late usage"
    assert (stands.wallet_micros, stands.totals) == (123, PeriodTotals())


# What a roll writes


def used_account() -> Account:
    totals = PeriodTotals(3, 700, 2, 600, 0, 1_500_000)
    account = replace(opened(), wallet_micros=-7, totals=totals)
    return replace(account, grants=burn(account.grants, Unit.VOICE_SECONDS, 600, NOON).grants)


def test_a_roll_moves_no_money() -> None:
    account = used_account()
    change = rolling.roll(account, account.period.end_at)
    assert change.entries == ()
    assert change.after.wallet_micros == account.wallet_micros
    assert change.after.head == account.head


def test_the_closed_period_keeps_what_it_came_to() -> None:
    account = used_account()
    now = account.period.end_at + timedelta(hours=5)
    (closed,) = rolling.roll(account, now).records
    assert closed == ClosedPeriod(
        account=ACME,
        period=account.period,
        totals=account.totals,
        grants=account.grants,
        balance_micros=-7,
        currency="USD",
        closed_at=now,
    )


def test_the_new_period_begins_with_nothing_used_and_whole_grants() -> None:
    account = used_account()
    after = rolling.roll(account, account.period.end_at).after
    assert after.totals == PeriodTotals()
    assert after.period.start_at == account.period.end_at
    assert burn(after.grants, Unit.VOICE_SECONDS, 9_999, after.period.start_at).granted == 600


def test_the_timer_becomes_the_next_periods_end_and_what_begins_is_to_be_billed() -> None:
    account = opened()
    now = account.period.end_at + timedelta(days=2)
    change = rolling.roll(account, now)
    assert change.timers_set == (
        Timer(TimerKind.PERIOD_END, ACME, change.after.period.end_at),
        Timer(TimerKind.BILLING, ACME, now),
    )
    assert change.timers_cleared == ()


def test_a_roll_levels_the_recharge_timer_too() -> None:
    account = replace(
        opened(),
        recharging=Recharging(
            RechargePolicy(RechargeMode.FIXED, USD, amount_micros=USD), default_source_id="card-1"
        ),
    )
    now = account.period.end_at
    change = rolling.roll(account, now)
    assert Timer(TimerKind.RECHARGE, ACME, now) in change.timers_set
    assert EventType.RECHARGE_SCHEDULED in {event.type for event in change.events}


def test_the_turn_is_told_with_what_was_used_and_spent() -> None:
    account = used_account()
    (event,) = rolling.roll(account, account.period.end_at).events
    assert event.type is EventType.PERIOD_ROLLED
    assert event.event_id == f"{rolling.roll_id(account)}/period.rolled"
    assert event.data == {
        "period_start": "2026-03-14T12:00:00+00:00",
        "period_end": "2026-04-01T00:00:00+00:00",
        "voice_seconds": 700,
        "messages": 2,
        "spent": {"amount": "1.50", "currency": "USD"},
    }


def test_the_turn_is_told_with_units_of_the_operators_own() -> None:
    account = used_account()
    totals = account.totals.plus(Unit("recordings"), 5, 2, 0)
    account = replace(account, totals=totals)
    (event,) = rolling.roll(account, account.period.end_at).events
    assert event.data["metered"] == {"recordings": 5}


# Calendars


@pytest.mark.parametrize(
    ("opened_on", "zone", "turns"),
    [
        pytest.param(
            date(2028, 1, 31), "UTC", ["2028-02-29", "2028-03-31", "2028-04-30"],
            id="a leap year has a 29 February",
        ),
        pytest.param(
            date(2026, 1, 31), "UTC", ["2026-02-28", "2026-03-31", "2026-04-30"],
            id="another year has not, and the 31st comes back",
        ),
        pytest.param(
            date(2026, 2, 28), "America/New_York", ["2026-03-31", "2026-04-30", "2026-05-31"],
            id="daylight saving begins within the period",
        ),
        pytest.param(
            date(2026, 9, 30), "Europe/Berlin", ["2026-10-31", "2026-11-30", "2026-12-31"],
            id="daylight saving ends within the period",
        ),
    ],
)  # fmt: skip
def test_the_31st_turns_on_every_months_last_local_midnight(
    opened_on: date, zone: str, turns: list[str]
) -> None:
    noon = datetime(opened_on.year, opened_on.month, opened_on.day, 17, tzinfo=UTC)
    account = opened(noon, zone, billing_day=31)
    found = []
    for _ in turns:
        found.append(local_day(account.period.end_at, zone).isoformat())
        last_instant = account.period.end_at - timedelta(microseconds=1)
        assert local_day(last_instant, zone) < local_day(account.period.end_at, zone)
        account = turning.begin_next_period(account)
    assert found == turns


def test_an_account_opened_hours_before_its_first_turn_never_confuses_its_two_lots() -> None:
    """Both periods begin on one UTC day where local midnight is not midnight UTC."""
    carrying = replace(MINUTES, rollover_limit=600)
    account = opened(datetime(2026, 3, 1, 2, tzinfo=UTC), "America/New_York", recurring=(carrying,))
    now = datetime(2026, 3, 5, tzinfo=UTC)
    grants = turning.at(account, now).grants
    assert len({grant.grant_id for grant in grants}) == 2
    burned = burn(grants, Unit.VOICE_SECONDS, 700, now)
    assert (burned.granted, burned.unmet) == (700, 0)
    assert sum(grant.remaining for grant in burned.grants) == 500


def test_an_account_that_lived_a_leap_day_has_a_period_for_every_month() -> None:
    account, starts = an_account(now=datetime(2027, 12, 31, 12, tzinfo=UTC)), set()
    for _ in range(14):
        starts.add((account.period.start_at.year, account.period.start_at.month))
        account = turning.begin_next_period(account)
    assert len(starts) == 14
