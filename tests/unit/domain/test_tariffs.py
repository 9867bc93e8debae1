"""Tiers, windows, caps, treatments and short codes, from a deck's text to what the wallet pays."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.decks import parse_deck
from billing.domain.errors import (
    DestinationBlockedError,
    DestinationNotRatedError,
    InvalidUsageError,
)
from billing.domain.grants import Grant, burn
from billing.domain.rating import (
    Rate,
    Rated,
    RateDeck,
    RateTable,
    Rounding,
    Terms,
    Tier,
    Treatment,
    rate_remaining,
    rate_usage,
)
from billing.domain.units import Direction, Unit

VOICE, OUTBOUND = Unit.VOICE_SECONDS, Direction.OUTBOUND
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = "+447700900123"
FEW = settings(max_examples=100, deadline=None)


def deck(content: str | RateTable, rounding: Rounding = Rounding.UP, decimals: int = 6) -> RateDeck:
    table = parse_deck(content) if isinstance(content, str) else content
    return RateDeck("retail", 3, "EUR", NOW, rounding, decimals, table)


def rated(content: str, seconds: int, number: str = NUMBER, at: datetime = NOW) -> Rated:
    return rate_usage(deck(content), VOICE, OUTBOUND, number, seconds, at)


def shown(call: Rated) -> list[tuple[str, int, str]]:
    return [(line.label, line.quantity, line.amount) for line in call.lines]


# Tiers

TIERED = "prefix,destination,rate,first_increment_seconds,next_increment_seconds,tiers\n" + (
    "44,UK,0.12,1,1,0.06@60 0.03@120\n"
)


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [
        pytest.param(60, 120_000, id="the first minute at its own price"),
        pytest.param(61, 121_000, id="the next second at the next"),
        pytest.param(120, 180_000, id="both minutes"),
        pytest.param(180, 210_000, id="the last price goes on"),
        pytest.param(600, 420_000, id="without end"),
    ],
)
def test_each_billed_second_has_the_price_of_its_tier(seconds: int, micros: int) -> None:
    assert rated(TIERED, seconds).cost_micros == micros


def test_an_increment_across_the_start_of_a_tier_is_split_there() -> None:
    by_minutes = TIERED.replace(",1,1,", ",60,60,").replace("@60", "@90").replace("@120", "@300")
    assert rated(by_minutes, 61).cost_micros == 120_000 * 90 // 60 + 60_000 * 30 // 60


def test_grants_pay_for_the_first_billed_seconds_whatever_they_cost() -> None:
    split = rate_remaining(rated(TIERED, 180), 90)
    assert split.wallet_micros == 30_000 + 30_000
    assert shown(split) == [
        ("Seconds 1 to 60 at 0.12/min", 60, "0.12"),
        ("Seconds 61 to 120 at 0.06/min", 60, "0.06"),
        ("Seconds 121 to 180 at 0.03/min", 60, "0.03"),
        ("Paid by grants", -90, "-0.15"),
    ]


def test_a_call_within_the_first_tier_shows_that_tier_alone() -> None:
    assert shown(rated(TIERED, 30)) == [("Seconds 1 to 30 at 0.12/min", 30, "0.06")]


# Windows

TIMED = (
    "#time_zone,Europe/Berlin\n"
    "prefix,destination,rate,window\n"
    "44,UK,0.12,\n44,UK,0.06,mon-fri 18:00-08:00\n44,UK,0.03,sun\n"
)


@pytest.mark.parametrize(
    ("answered_at", "micros"),
    [
        pytest.param("2026-03-02T16:59:59Z", 120_000, id="a second before the evening"),
        pytest.param("2026-03-02T17:00:00Z", 60_000, id="on its first second"),
        pytest.param("2026-03-03T06:59:59Z", 60_000, id="the night's last second"),
        pytest.param("2026-03-03T07:00:00Z", 120_000, id="the morning"),
        pytest.param("2026-03-28T22:59:59Z", 120_000, id="Saturday's last second"),
        pytest.param("2026-03-28T23:00:00Z", 30_000, id="Sunday, an hour ahead of UTC"),
        pytest.param("2026-03-29T21:59:59Z", 30_000, id="Sunday's last, by then two ahead"),
        pytest.param("2026-03-30T16:00:00Z", 60_000, id="summer's evening begins earlier"),
        pytest.param("2026-03-30T15:59:59Z", 120_000, id="but no earlier than that"),
    ],
)
def test_the_window_is_the_one_the_call_was_answered_in(answered_at: str, micros: int) -> None:
    at = datetime.fromisoformat(answered_at)
    assert rated(TIMED, 60, at=at).cost_micros == micros


def test_a_call_keeps_its_price_across_the_end_of_its_window() -> None:
    evening = datetime.fromisoformat("2026-03-03T06:59:59Z")
    assert rated(TIMED, 600, at=evening).cost_micros == 600_000
    assert shown(rated(TIMED, 60, at=evening))[0] == (
        "Answered within mon 18:00-24:00; tue-fri 00:00-08:00 18:00-24:00; sat 00:00-08:00"
        " (Europe/Berlin)",
        0,
        "0",
    )


def test_a_price_by_the_clock_needs_the_time_of_answer() -> None:
    with pytest.raises(InvalidUsageError, match="depends on the time of answer"):
        rate_usage(deck(TIMED), VOICE, OUTBOUND, NUMBER, 60)


# The cap

CAPPED = "prefix,destination,rate,connect_fee,cap\n44,UK,0.12,0.05,0.515\n"


@pytest.mark.parametrize(
    ("seconds", "decimals", "micros"),
    [
        pytest.param(60, 6, 170_000, id="below it nothing changes"),
        pytest.param(240, 6, 515_000, id="above it the wallet pays the cap"),
        pytest.param(3_600, 6, 515_000, id="however long the call"),
        pytest.param(3_600, 2, 510_000, id="cut to the deck's decimals, though they round up"),
    ],
)
def test_a_call_never_costs_more_than_its_cap(seconds: int, decimals: int, micros: int) -> None:
    call = rate_usage(deck(CAPPED, decimals=decimals), VOICE, OUTBOUND, NUMBER, seconds)
    assert call.cost_micros == micros


def test_the_cap_is_the_last_line_of_a_quote() -> None:
    *_, last = rated(CAPPED, 3_600).lines
    assert (last.label, last.amount) == ("Cost cap of 0.515 per call", "-6.735")


def test_the_cap_limits_what_the_wallet_pays_after_grants() -> None:
    whole = rated(CAPPED, 3_600)
    assert rate_remaining(whole, 3_000).wallet_micros == 515_000
    assert rate_remaining(whole, 3_540).wallet_micros == 170_000


# Free, blocked, short

SPECIAL = (
    "direction,prefix,destination,rate,treatment\n"
    "any,*,World,0.10,\n"
    "any,1800 1888,Toll-free,,free\n"
    "any,1900,Premium,2.00,blocked\n"
    "any,1976,Worse,,blocked\n"
    "any,short:112 short:911,Emergency,,free\n"
    "any,short:1,Directory,0.50,\n"
)


def test_a_free_destination_bills_nothing_and_burns_no_grant() -> None:
    call = rated(SPECIAL, 300, "+18005550100")
    assert (call.billed_quantity, call.cost_micros) == (0, 0)
    assert shown(call) == [("Free destination", 300, "0")]


def test_usage_of_a_blocked_destination_is_charged_at_its_rate() -> None:
    call = rated(SPECIAL, 60, "+19005550100")
    assert call.rate.is_blocked
    assert call.cost_micros == 2_000_000


def test_usage_of_a_blocked_destination_without_a_rate_is_not_priced() -> None:
    with pytest.raises(DestinationBlockedError, match="retail version 3 blocks") as refusal:
        rated(SPECIAL, 60, "+19765550100")
    assert "1976555" not in str(refusal.value)
    assert rated(SPECIAL, 0, "+19765550100").rate.is_blocked


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        pytest.param("112", "short:112", id="a short code"),
        pytest.param("118500", "short:1", id="the longest prefix of it"),
        pytest.param("+118", "", id="a plus sign makes it a number"),
        pytest.param("18005550100", "1800", id="a bare number of seven digits or more is one"),
        pytest.param("sip:112@pbx.example", "", id="an address has the price of everything"),
    ],
)
def test_short_codes_and_numbers_never_meet(number: str, prefix: str) -> None:
    assert rated(SPECIAL, 60, number).rate.prefix == prefix


@pytest.mark.parametrize("number", ["411", "9", "000"])
def test_a_short_code_has_no_price_but_its_own(number: str) -> None:
    with pytest.raises(DestinationNotRatedError):
        rated(SPECIAL, 60, number)


# What holds for every tariff

ROUNDINGS = st.sampled_from(Rounding)
DECIMALS = st.integers(0, 6)
SECONDS = st.integers(0, 8_000)


@st.composite
def tariffs(draw: st.DrawFn) -> Terms:
    starts = sorted(draw(st.sets(st.integers(1, 2_000), max_size=3)))
    return Terms(
        "UK",
        draw(st.integers(0, 2_000_000)),
        draw(st.integers(0, 100_000)),
        draw(st.integers(1, 120)),
        draw(st.integers(1, 120)),
        tuple(Tier(start, draw(st.integers(0, 2_000_000))) for start in starts),
        draw(st.none() | st.integers(1, 3_000_000)),
    )


def call(terms: Terms, seconds: int, rounding: Rounding, decimals: int) -> Rated:
    table = RateTable({(VOICE, None): {"44": terms}})
    return rate_usage(deck(table, rounding, decimals), VOICE, OUTBOUND, NUMBER, seconds)


@FEW
@given(tariffs(), SECONDS, SECONDS, st.integers(0, 8_000), ROUNDINGS, DECIMALS)
def test_a_longer_call_never_costs_less_with_the_same_grant(
    terms: Terms, one: int, other: int, held: int, rounding: Rounding, decimals: int
) -> None:
    wholes = [call(terms, seconds, rounding, decimals) for seconds in sorted((one, other))]
    assert wholes[0].cost_micros <= wholes[1].cost_micros
    parts = [rate_remaining(whole, min(held, whole.billed_quantity)) for whole in wholes]
    assert parts[0].wallet_micros <= parts[1].wallet_micros


@FEW
@given(tariffs(), SECONDS, st.integers(0, 8_000), st.integers(0, 8_000), ROUNDINGS, DECIMALS)
def test_the_wallet_pays_less_as_grants_pay_more_and_never_more_than_price_or_cap(
    terms: Terms, seconds: int, one: int, other: int, rounding: Rounding, decimals: int
) -> None:
    whole = call(terms, seconds, rounding, decimals)
    fewer, more = sorted(min(g, whole.billed_quantity) for g in (one, other))
    less, most = rate_remaining(whole, more), rate_remaining(whole, fewer)
    assert 0 <= less.wallet_micros <= most.wallet_micros <= whole.cost_micros
    assert terms.cap_micros is None or whole.cost_micros <= terms.cap_micros
    assert all(part.wallet_micros % 10 ** (6 - decimals) == 0 for part in (less, most))
    for part in (whole, less, most):
        total = sum((Decimal(line.amount) for line in part.lines), Decimal(0))
        assert total == Decimal(part.wallet_micros).scaleb(-6)


@FEW
@given(tariffs(), st.integers(0, 4_000), st.integers(0, 4_000), ROUNDINGS)
def test_the_price_is_additive_over_billed_seconds_where_each_costs_whole_units(
    terms: Terms, covered: int, rest: int, rounding: Rounding
) -> None:
    """The whole is what grants were worth and what the wallet paid, second by second."""
    by_the_second = terms._replace(
        rate_micros=terms.rate_micros // 60 * 60,
        connect_fee_micros=0,
        first_increment_seconds=1,
        next_increment_seconds=1,
        tiers=tuple(Tier(t.after_seconds, t.rate_micros // 60 * 60) for t in terms.tiers),
        cap_micros=None,
    )
    whole = call(by_the_second, covered + rest, rounding, 6)
    first = call(by_the_second, covered, rounding, 6)
    assert whole.cost_micros == first.cost_micros + rate_remaining(whole, covered).wallet_micros
    flat = by_the_second._replace(tiers=())
    parts = [call(flat, seconds, rounding, 6).cost_micros for seconds in (covered, rest)]
    assert call(flat, covered + rest, rounding, 6).cost_micros == sum(parts)


def post(
    calls: Sequence[Rated], order: Sequence[int], held: Sequence[int]
) -> tuple[tuple[Grant, ...], list[int], int]:
    """What is left of the grants, what each call was granted, and what the wallet paid."""
    start = NOW - timedelta(days=1)
    grants = tuple(Grant(f"lot-{n}", VOICE, s, s, n, start, None) for n, s in enumerate(held))
    granted, wallet = [0] * len(calls), 0
    for place in order:
        burned = burn(grants, VOICE, calls[place].billed_quantity, NOW)
        grants, granted[place] = burned.grants, burned.granted
        wallet += rate_remaining(calls[place], burned.granted).wallet_micros
    return grants, granted, wallet


@settings(max_examples=200, deadline=None)
@given(
    st.lists(tariffs(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 900)), min_size=1, max_size=8),
    st.lists(st.integers(1, 900), max_size=3),
    ROUNDINGS,
    DECIMALS,
    st.randoms(use_true_random=False),
)
def test_in_any_order_the_same_seconds_burn_and_money_stays_within_its_bound(
    prices: list[Terms],
    usage: list[tuple[int, int]],
    held: list[int],
    rounding: Rounding,
    decimals: int,
    source: random.Random,
) -> None:
    """docs/rating.md, "Any order, one balance": mixed prices, tiers and caps."""
    calls = [call(prices[n % len(prices)], s, rounding, decimals) for n, s in usage]
    order = list(range(len(calls)))
    left, granted, wallet = post(calls, order, held)
    source.shuffle(order)
    left_again, granted_again, wallet_again = post(calls, order, held)
    assert left == left_again
    assert (
        sum(granted) == sum(granted_again) == min(sum(held), sum(c.billed_quantity for c in calls))
    )
    moved = [
        (abs(a - b), max(c.rate.rate_micros, *(t.rate_micros for t in c.rate.tiers), 0))
        for a, b, c in zip(granted, granted_again, calls, strict=True)
        if a != b
    ]
    difference = 60 * abs(wallet - wallet_again)
    assert difference == 0 or difference < sum(s * r + 60 * 10 ** (6 - decimals) for s, r in moved)


@FEW
@given(
    tariffs(),
    st.lists(st.integers(0, 900), min_size=1, max_size=8),
    st.booleans(),
    ROUNDINGS,
    DECIMALS,
    st.randoms(use_true_random=False),
)
def test_grants_that_cover_all_or_nothing_leave_one_balance_whatever_the_tariff(
    terms: Terms,
    usage: list[int],
    is_covered: bool,
    rounding: Rounding,
    decimals: int,
    source: random.Random,
) -> None:
    calls = [call(terms, seconds, rounding, decimals) for seconds in usage]
    held = [max(1, sum(c.billed_quantity for c in calls))] if is_covered else []
    order = list(range(len(calls)))
    one = post(calls, order, held)
    source.shuffle(order)
    assert post(calls, order, held) == one


@FEW
@given(tariffs(), tariffs(), SECONDS, st.integers(0, 365 * 24 * 60))
def test_a_window_changes_which_terms_apply_and_nothing_else(
    base: Terms, timed: Terms, seconds: int, minute: int
) -> None:
    timed_deck = "#time_zone,Europe/Berlin\nprefix,destination,rate,window\n44,a,1,\n44,a,2,sun\n"
    ((window, _),) = next(iter(parse_deck(timed_deck)))[3].windows
    table = RateTable(
        {(VOICE, None): {"44": base._replace(windows=((window, timed),))}}, "Europe/Berlin"
    )
    answered_at = NOW + timedelta(minutes=minute)
    is_sunday = answered_at.astimezone(ZoneInfo("Europe/Berlin")).weekday() == 6
    found = rate_usage(deck(table), VOICE, OUTBOUND, NUMBER, seconds, answered_at)
    expected = call(timed if is_sunday else base, seconds, Rounding.UP, 6)
    assert replace(found.rate, window=None) == expected.rate
    assert found.cost_micros == expected.cost_micros


def test_a_rate_says_whether_it_is_blocked() -> None:
    rate = Rate("44", "UK", 1, 0, 60, 60)
    assert not rate.is_blocked
    assert replace(rate, treatment=Treatment.UNPRICED).is_blocked
