"""Rating as docs/rating.md has it: increments, one rounding, longest prefix, grants first."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from math import gcd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import (
    DestinationNotRatedError,
    InvalidInputError,
    InvalidUsageError,
    NoRateDeckError,
)
from billing.domain.grants import Grant, burn
from billing.domain.rating import (
    DirectionOrAny,
    LineKind,
    Rate,
    Rated,
    RateDeck,
    RateTable,
    Rounding,
    Terms,
    billed_quantity,
    choose_deck,
    price_quantity,
    rate_remaining,
    rate_usage,
)
from billing.domain.units import Direction, Unit

VOICE, MESSAGES = Unit.VOICE_SECONDS, Unit.MESSAGES
OUTBOUND, INBOUND = Direction.OUTBOUND, Direction.INBOUND
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEW = settings(max_examples=60, deadline=None)


def deck(
    *rows: tuple[Unit, DirectionOrAny, Rate],
    rounding: Rounding = Rounding.UP,
    decimals: int = 6,
) -> RateDeck:
    prices: dict[tuple[Unit, DirectionOrAny], dict[str, Terms]] = {}
    for unit, direction, r in rows:
        prices.setdefault((unit, direction), {})[r.prefix] = Terms(
            r.destination,
            r.rate_micros,
            r.connect_fee_micros,
            r.first_increment_seconds,
            r.next_increment_seconds,
        )
    return RateDeck("retail", 3, "USD", NOW, rounding, decimals, RateTable(prices))


def rate(
    per_minute: int, fee: int = 0, first: int = 60, step: int = 60, prefix: str = "44"
) -> Rate:
    return Rate(prefix, f"To {prefix}", per_minute, fee, first, step)


def voice(r: Rate, seconds: int, rounding: Rounding = Rounding.UP, decimals: int = 6) -> Rated:
    d = deck((VOICE, OUTBOUND, r), rounding=rounding, decimals=decimals)
    return rate_usage(d, VOICE, OUTBOUND, "+" + (r.prefix or "1") + "5550100", seconds)


RATES = st.builds(
    rate,
    st.integers(0, 2_000_000),
    st.integers(0, 100_000),
    st.integers(1, 120),
    st.integers(1, 120),
)
SECONDS = st.integers(0, 8_000)
ROUNDINGS = st.sampled_from(Rounding)
DECIMALS = st.integers(0, 6)


@pytest.mark.parametrize(
    ("seconds", "first", "step", "billed"),
    [
        pytest.param(0, 60, 60, 0, id="an unanswered call is billed nothing"),
        pytest.param(1, 60, 60, 60, id="one second bills the whole first increment"),
        pytest.param(30, 30, 6, 30, id="exactly the first increment bills no more"),
        pytest.param(31, 30, 6, 36, id="one second over bills one step"),
        pytest.param(36, 30, 6, 36, id="exactly one step over bills one step"),
        pytest.param(37, 30, 6, 42, id="one second more bills the next step"),
        pytest.param(5, 1, 1, 5, id="by the second bills the seconds"),
        pytest.param(70, 1, 60, 121, id="a short first increment does not shorten the next"),
    ],
)
def test_increments(seconds: int, first: int, step: int, billed: int) -> None:
    assert billed_quantity(rate(6_000, first=first, step=step), VOICE, seconds) == billed


@pytest.mark.parametrize(
    ("rounding", "decimals", "cost"),
    [
        pytest.param(Rounding.UP, 6, 1_667, id="up to the micro"),
        pytest.param(Rounding.MIDDLE, 6, 1_667, id="to the nearer micro"),
        pytest.param(Rounding.DOWN, 6, 1_666, id="down to the micro"),
        pytest.param(Rounding.UP, 2, 10_000, id="up to the cent"),
        pytest.param(Rounding.MIDDLE, 2, 0, id="to the nearer cent"),
        pytest.param(Rounding.MIDDLE, 3, 2_000, id="to the nearer mill"),
        pytest.param(Rounding.UP, 0, 1_000_000, id="up to the whole unit"),
    ],
)
def test_the_whole_call_is_rounded_once(rounding: Rounding, decimals: int, cost: int) -> None:
    one_second_at_ten_cents = voice(rate(100_000, first=1, step=1), 1, rounding, decimals)
    assert one_second_at_ten_cents.cost_micros == cost


def test_middle_rounds_an_exact_half_away_from_zero() -> None:
    half_a_cent = rate(5_000)
    assert price_quantity(half_a_cent, VOICE, 60, Rounding.MIDDLE, 2) == 10_000


def test_fee_and_seconds_are_summed_before_the_rounding() -> None:
    assert voice(rate(4_000, fee=4_000), 60, Rounding.UP, 2).cost_micros == 10_000


@FEW
@given(RATES, ROUNDINGS, DECIMALS)
def test_an_unanswered_call_is_free(r: Rate, rounding: Rounding, decimals: int) -> None:
    rated = voice(r, 0, rounding, decimals)
    assert (rated.cost_micros, rated.wallet_micros, rated.lines) == (0, 0, ())


@FEW
@given(RATES, SECONDS, SECONDS, ROUNDINGS, DECIMALS)
def test_a_longer_call_never_costs_less(
    r: Rate, one: int, other: int, rounding: Rounding, decimals: int
) -> None:
    short, long = sorted((one, other))
    assert (
        voice(r, short, rounding, decimals).cost_micros
        <= voice(r, long, rounding, decimals).cost_micros
    )


def test_messages_have_no_increments() -> None:
    d = deck((MESSAGES, OUTBOUND, Rate("44", "UK", 7_900, 0, 1, 1)))
    rated = rate_usage(d, MESSAGES, OUTBOUND, "+447700900123", 3)
    assert (rated.billed_quantity, rated.cost_micros) == (3, 23_700)
    assert rate_remaining(rated, 2).wallet_micros == 7_900


def model_price(
    r: Rate, unit: Unit, quantity: int, granted: int, rounding: Rounding, decimals: int
) -> Decimal:
    """The price of docs/rating.md in decimals, as one would work it out by hand."""
    billed = quantity
    if unit is VOICE and quantity:
        billed = r.first_increment_seconds
        while billed < quantity:
            billed += r.next_increment_seconds
    if billed == 0:
        return Decimal(0)
    per_piece = Decimal(60 if unit is VOICE else 1)
    with localcontext() as context:
        context.prec = 80
        exact = Decimal(r.connect_fee_micros).scaleb(-6)
        exact += Decimal(r.rate_micros).scaleb(-6) * (billed - granted) / per_piece
        methods = {"up": ROUND_CEILING, "middle": ROUND_HALF_UP, "down": ROUND_FLOOR}
        return exact.quantize(Decimal(1).scaleb(-decimals), methods[rounding.value])


def random_rate(source: random.Random, prefix: str) -> Rate:
    per_minute = source.choice((source.randrange(0, 3_000_000), source.randrange(0, 300) * 1_000))
    fee = source.choice((0, source.randrange(0, 200_000)))
    first, step = source.choice(((60, 60), (30, 6), (1, 1), (6, 6), (60, 1), (7, 13)))
    return Rate(prefix, "Somewhere", per_minute, fee, first, step)


def test_prices_equal_an_independent_decimal_model_on_5000_random_calls() -> None:
    source = random.Random(20260301)
    for _ in range(250):
        prefixes = {"".join(source.choices("123", k=source.randrange(4))) for _ in range(9)}
        table = {p: random_rate(source, p) for p in prefixes | {""}}
        rounding, decimals = source.choice(list(Rounding)), source.randrange(7)
        unit = source.choice((VOICE, VOICE, VOICE, MESSAGES))
        d = deck(*((unit, None, r) for r in table.values()), rounding=rounding, decimals=decimals)
        for _ in range(20):
            digits = "".join(source.choices("1234", k=9))
            expected = max(
                (r for r in table.values() if digits.startswith(r.prefix)),
                key=lambda r: len(r.prefix),
            )
            quantity = source.choice((0, 1, source.randrange(600), source.randrange(8_000)))
            rated = rate_usage(d, unit, source.choice(list(Direction)), "+" + digits, quantity)
            granted = source.randrange(rated.billed_quantity + 1)
            split = rate_remaining(rated, granted)
            assert rated.rate == expected
            for micros, burned in ((rated.cost_micros, 0), (split.wallet_micros, granted)):
                model = model_price(expected, unit, quantity, burned, rounding, decimals)
                assert Decimal(micros).scaleb(-6) == model, (expected, quantity, burned)


@FEW
@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(Unit),
            st.sampled_from([*Direction, None]),
            st.text("123", max_size=5),
        ),
        st.integers(0, 10**6),
        max_size=25,
    ),
    st.sampled_from(Unit),
    st.sampled_from(Direction),
    st.text("123", min_size=1, max_size=7),
)
def test_lookup_equals_a_linear_scan(
    rows: dict[tuple[Unit, DirectionOrAny, str], int],
    unit: Unit,
    direction: Direction,
    digits: str,
) -> None:
    matching = [
        (len(prefix), way is direction, prefix, price)
        for (row_unit, way, prefix), price in rows.items()
        if row_unit is unit and way in (direction, None) and digits.startswith(prefix)
    ]
    d = deck(*((u, w, rate(price, prefix=prefix)) for (u, w, prefix), price in rows.items()))
    if not matching:
        with pytest.raises(DestinationNotRatedError):
            d.find(unit, direction, "+" + digits)
        return
    *_, prefix, price = max(matching)
    found = d.find(unit, direction, "+" + digits)
    assert (found.prefix, found.rate_micros) == (prefix, price)


def test_a_longer_prefix_for_any_direction_beats_a_shorter_one_for_this_direction() -> None:
    d = deck((VOICE, OUTBOUND, rate(1, prefix="44")), (VOICE, None, rate(2, prefix="447")))
    assert d.find(VOICE, OUTBOUND, "+447700900123").rate_micros == 2


def test_a_named_direction_beats_any_at_the_same_length() -> None:
    d = deck((VOICE, None, rate(1)), (VOICE, INBOUND, rate(2)))
    assert d.find(VOICE, INBOUND, "+447700900123").rate_micros == 2
    assert d.find(VOICE, OUTBOUND, "+447700900123").rate_micros == 1


def test_an_unrated_destination_says_which_deck_lacks_it_and_not_whom_was_called() -> None:
    with pytest.raises(DestinationNotRatedError, match="retail version 3") as refusal:
        deck((VOICE, OUTBOUND, rate(1))).find(VOICE, OUTBOUND, "+33123456789")
    assert "33123456789" not in str(refusal.value)


def test_negative_usage_is_refused() -> None:
    with pytest.raises(InvalidUsageError):
        voice(rate(1), -1)


def test_a_deck_with_too_many_decimals_or_a_naive_date_is_refused() -> None:
    good = deck((VOICE, OUTBOUND, rate(1)))
    with pytest.raises(InvalidInputError, match="decimals") as refused:
        replace(good, decimals=7)
    assert refused.value.field == "decimals"
    with pytest.raises(InvalidInputError, match=r"^effective_at needs a time zone") as refused:
        replace(good, effective_at=NOW.replace(tzinfo=None))
    assert refused.value.field == "effective_at"


def test_what_is_rated_names_the_deck_and_the_version_that_priced_it() -> None:
    rated = voice(rate(1), 60)
    assert (rated.deck_id, rated.deck_version) == ("retail", 3)


def test_more_paid_by_grants_than_was_billed_is_refused_with_both_figures() -> None:
    with pytest.raises(InvalidUsageError, match="granted_quantity=61, billed_quantity=60"):
        rate_remaining(voice(rate(1), 60), 61)


def test_a_call_before_every_deck_is_refused_with_its_time() -> None:
    with pytest.raises(NoRateDeckError, match="2026-03-01T12:00:00"):
        choose_deck([], NOW)


# Explaining


def test_the_lines_of_a_quote_are_its_arithmetic() -> None:
    rated = rate_remaining(voice(rate(10_000, fee=5_000, first=30, step=6), 50, decimals=4), 24)
    assert [(line.kind, line.quantity, line.amount) for line in rated.lines] == [
        (LineKind.CONNECT_FEE, 1, "0.005"),
        (LineKind.FIRST_INCREMENT, 30, "0.005"),
        (LineKind.NEXT_INCREMENTS, 24, "0.004"),
        (LineKind.GRANTED, -24, "-0.004"),
    ]
    assert (rated.cost_micros, rated.wallet_micros) == (14_000, 10_000)


def test_rounding_is_a_line_of_its_own() -> None:
    *_, last = voice(rate(100_000, first=1, step=1), 1, Rounding.DOWN, 3).lines
    assert (last.kind, last.amount) == (LineKind.ROUNDING, "-0.00066666")
    assert last.label == "Rounded down to 3 decimals"


@FEW
@given(RATES, SECONDS, st.integers(0, 8_000), ROUNDINGS, DECIMALS)
def test_lines_sum_to_what_the_wallet_pays(
    r: Rate, seconds: int, granted: int, rounding: Rounding, decimals: int
) -> None:
    whole = voice(r, seconds, rounding, decimals)
    split = rate_remaining(whole, min(granted, whole.billed_quantity))
    for rated in (whole, split):
        total = sum((Decimal(line.amount) for line in rated.lines), Decimal(0))
        assert total == Decimal(rated.wallet_micros).scaleb(-6)


# Grants first, wallet after


@FEW
@given(RATES, SECONDS, st.integers(0, 8_000), st.integers(0, 8_000), ROUNDINGS, DECIMALS)
def test_the_wallet_part_falls_from_the_whole_price_to_the_connect_fee(
    r: Rate, seconds: int, one: int, other: int, rounding: Rounding, decimals: int
) -> None:
    whole = voice(r, seconds, rounding, decimals)
    fewer, more = sorted(min(g, whole.billed_quantity) for g in (one, other))
    fee = price_quantity(replace(r, rate_micros=0), VOICE, seconds, rounding, decimals)
    everything = rate_remaining(whole, whole.billed_quantity)
    assert rate_remaining(whole, 0) == whole
    assert rate_remaining(whole, more).wallet_micros <= rate_remaining(whole, fewer).wallet_micros
    assert everything.wallet_micros == fee <= whole.wallet_micros
    assert everything.cost_micros == whole.cost_micros


@FEW
@given(RATES, SECONDS, SECONDS, st.integers(0, 8_000), ROUNDINGS, DECIMALS)
def test_with_the_same_grant_a_longer_call_never_costs_the_wallet_less(
    r: Rate, one: int, other: int, held: int, rounding: Rounding, decimals: int
) -> None:
    parts = []
    for seconds in sorted((one, other)):
        whole = voice(r, seconds, rounding, decimals)
        parts.append(rate_remaining(whole, min(held, whole.billed_quantity)).wallet_micros)
    assert parts == sorted(parts)


@FEW
@given(SECONDS)
def test_without_a_connect_fee_a_call_that_grants_cover_costs_the_wallet_nothing(
    seconds: int,
) -> None:
    whole = voice(rate(14_000), seconds)
    assert rate_remaining(whole, whole.billed_quantity).wallet_micros == 0


@pytest.mark.parametrize("granted", [-1, 61])
def test_grants_cannot_pay_for_more_than_was_billed(granted: int) -> None:
    with pytest.raises(InvalidUsageError):
        rate_remaining(voice(rate(14_000), 5), granted)


def lots(*seconds: int) -> tuple[Grant, ...]:
    start = NOW - timedelta(days=1)
    return tuple(
        Grant(f"lot-{n}", VOICE, held, held, n, start, NOW + timedelta(days=30))
        for n, held in enumerate(seconds)
    )


@dataclass(frozen=True)
class Posted:
    grants: tuple[Grant, ...]
    wallet_micros: int
    granted: tuple[int, ...]  # By call, in the order of the calls' own list.


def post(
    calls: Sequence[int],
    order: Sequence[int],
    grants: tuple[Grant, ...],
    r: Rate,
    rounding: Rounding,
    decimals: int,
) -> Posted:
    wallet, granted = 0, dict.fromkeys(order, 0)
    for index in order:
        whole = voice(r, calls[index], rounding, decimals)
        burned = burn(grants, VOICE, whole.billed_quantity, NOW)
        grants, granted[index] = burned.grants, burned.granted
        wallet += rate_remaining(whole, burned.granted).wallet_micros
    return Posted(grants, wallet, tuple(granted[index] for index in sorted(order)))


@st.composite
def even_rates(draw: st.DrawFn) -> tuple[Rate, int]:
    """A rate whose increments each cost whole deck units, any connect fee, and the decimals."""
    decimals = draw(DECIMALS)
    first, step = draw(st.integers(1, 120)), draw(st.integers(1, 120))
    unit_micros = 10 ** (6 - decimals)
    # rate * increment / 60 is a multiple of the unit for both increments, hence for their gcd.
    smallest = 60 * unit_micros // gcd(60 * unit_micros, gcd(first, step))
    return rate(smallest * draw(st.integers(0, 50)), draw(st.integers(0, 99_999)), first, step), (
        decimals
    )


CALLS = st.lists(st.integers(0, 400), min_size=1, max_size=8)
GRANTS = st.lists(st.integers(1, 900), max_size=3)


def in_any_order(
    r: Rate, calls: list[int], held: list[int], rounding: Rounding, decimals: int
) -> int:
    """The closed formula of docs/rating.md, which names no order."""
    answered = [billed_quantity(r, VOICE, seconds) for seconds in calls if seconds]
    if not answered:
        return 0
    fee_only = replace(r, rate_micros=0, first_increment_seconds=1)
    uncovered = max(0, sum(answered) - sum(held))
    one_long_call = replace(r, first_increment_seconds=1, next_increment_seconds=1)
    fee = price_quantity(fee_only, VOICE, 1, rounding, decimals)
    rest = price_quantity(one_long_call, VOICE, uncovered, rounding, decimals) if uncovered else fee
    return (len(answered) - 1) * fee + rest


@settings(max_examples=120, deadline=None)
@given(even_rates(), ROUNDINGS, CALLS, GRANTS, st.randoms(use_true_random=False))
def test_calls_of_one_even_rate_leave_the_same_balance_in_any_order(
    priced: tuple[Rate, int],
    rounding: Rounding,
    calls: list[int],
    held: list[int],
    source: random.Random,
) -> None:
    """Exact for every connect fee, grant and rounding: docs/rating.md, "Any order, one balance"."""
    r, decimals = priced
    order = list(range(len(calls)))
    one = post(calls, order, lots(*held), r, rounding, decimals)
    source.shuffle(order)
    other = post(calls, order, lots(*held), r, rounding, decimals)
    assert one.grants == other.grants
    assert (
        one.wallet_micros == other.wallet_micros == in_any_order(r, calls, held, rounding, decimals)
    )


@settings(max_examples=120, deadline=None)
@given(RATES, ROUNDINGS, DECIMALS, CALLS, GRANTS, st.randoms(use_true_random=False))
def test_calls_of_any_one_rate_burn_the_same_and_differ_by_less_than_a_unit_per_moved_call(
    r: Rate,
    rounding: Rounding,
    decimals: int,
    calls: list[int],
    held: list[int],
    source: random.Random,
) -> None:
    order = list(range(len(calls)))
    one = post(calls, order, lots(*held), r, rounding, decimals)
    source.shuffle(order)
    other = post(calls, order, lots(*held), r, rounding, decimals)
    moved = sum(a != b for a, b in zip(one.granted, other.granted, strict=True))
    difference = abs(one.wallet_micros - other.wallet_micros)
    assert one.grants == other.grants
    assert difference == 0 or difference < moved * 10 ** (6 - decimals)


@pytest.mark.parametrize(
    ("order", "wallet_micros"),
    [
        pytest.param([0, 1, 2, 3], 6, id="the long call finds the grant"),
        pytest.param([1, 2, 3, 0], 5, id="the short calls find it"),
    ],
)
def test_an_uneven_rate_can_cost_a_micro_more_or_less_by_order(
    order: list[int], wallet_micros: int
) -> None:
    """The counterexample of docs/rating.md: no rule without a memory can avoid it."""
    by_the_second = rate(100, first=1, step=1)
    posted = post([3, 1, 1, 1], order, lots(3), by_the_second, Rounding.UP, 6)
    assert posted.wallet_micros == wallet_micros


# Versions


@dataclass(frozen=True)
class Version:
    version: int
    effective_at: datetime


def test_the_latest_version_in_force_at_the_answer_is_chosen() -> None:
    versions = [Version(1, NOW), Version(2, NOW + timedelta(days=2)), Version(3, NOW)]
    assert choose_deck(versions, NOW).version == 3
    assert choose_deck(versions, NOW + timedelta(days=2)).version == 2
    assert choose_deck(versions, NOW + timedelta(days=2, microseconds=-1)).version == 3


def test_before_the_first_version_there_is_no_deck() -> None:
    for versions in ([], [Version(1, NOW)]):
        with pytest.raises(NoRateDeckError):
            choose_deck(versions, NOW - timedelta(seconds=1))
