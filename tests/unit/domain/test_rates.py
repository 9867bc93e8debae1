"""The packed table finds what a linear scan finds, in two spaces of prefixes, in little memory."""

import gc
import weakref
from array import array
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.destinations import dialled, is_prefix
from billing.domain.rates import (
    DirectionOrAny,
    PrefixIndex,
    RateTable,
    Terms,
    prefix_key,
    prefix_of,
)
from billing.domain.units import Direction, Unit
from billing.domain.windows import parse_window

VOICE = Unit.VOICE_SECONDS
OUTBOUND, INBOUND = Direction.OUTBOUND, Direction.INBOUND
PREFIXES = st.from_regex(r"([1-9][0-9]{0,14})?|short:[0-9]{0,6}", fullmatch=True)
CLOSE_PREFIXES = st.from_regex(r"([12][012]{0,5})?|short:[012]{0,4}", fullmatch=True)
NUMBERS = st.from_regex(r"\+[12][012]{0,9}|[012]{1,9}|sip:[012]{3}", fullmatch=True)


def terms(rate_micros: int) -> Terms:
    return Terms(f"At {rate_micros}", rate_micros, 0, 60, 60)


@pytest.mark.parametrize(
    ("number", "compared"),
    [
        ("+447700900123", "447700900123"),
        ("447700900123", "447700900123"),
        ("4477009", "4477009"),
        ("112", "short:112"),
        ("118500", "short:118500"),
        ("+112", "112"),
        ("sip:112@example.org", ""),
        ("client:alice", ""),
        ("anonymous", ""),
        ("", ""),
        ("+", ""),
        ("\u0661\u0661\u0662", ""),
        ("112\n", "112"),
        ("+44 7700", "44"),
    ],
)
def test_what_was_dialled_is_compared_in_one_of_two_spaces(number: str, compared: str) -> None:
    assert dialled(number) == compared


@pytest.mark.parametrize("text", ["", "*", "044", "+44", "short:1234567", "short:x", "1" * 16])
def test_what_is_no_prefix(text: str) -> None:
    assert not is_prefix(text)


@given(PREFIXES, PREFIXES)
def test_keys_are_prefixes_and_keep_their_order(one: str, other: str) -> None:
    assert prefix_of(prefix_key(one)) == one
    assert (prefix_key(one) < prefix_key(other)) == (one < other)


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.tuples(st.sampled_from([*Direction, None]), CLOSE_PREFIXES), st.integers(0)),
    st.lists(NUMBERS, min_size=1, max_size=20),
    st.sampled_from(Direction),
)
def test_lookup_equals_a_linear_scan_in_both_spaces(
    rows: dict[tuple[DirectionOrAny, str], int], numbers: list[str], direction: Direction
) -> None:
    prices: dict[tuple[Unit, DirectionOrAny], dict[str, Terms]] = {}
    for (way, prefix), price in rows.items():
        prices.setdefault((VOICE, way), {})[prefix] = terms(price)
    table = RateTable(prices)
    for number in numbers:
        digits = dialled(number)
        matching = [
            (len(prefix), way is direction, prefix, price)
            for (way, prefix), price in rows.items()
            if way in (direction, None)
            and digits.startswith(prefix)
            and prefix.startswith("short:") == digits.startswith("short:")
        ]
        found = table.find(VOICE, direction, number)
        expected = max(matching)[2:] if matching else None
        assert (found and (found.prefix, found.rate_micros)) == expected


def test_only_the_digits_that_were_dialled_match() -> None:
    table = RateTable({(VOICE, None): {"440": terms(1), "44": terms(2)}})
    found = table.find(VOICE, OUTBOUND, "+44")
    assert found is not None
    assert found.prefix == "44"


def test_a_number_longer_than_any_prefix_is_matched_by_its_first_digits() -> None:
    table = RateTable({(VOICE, None): {"1" * 15: terms(1)}})
    assert table.find(VOICE, OUTBOUND, "+" + "1" * 40) is not None


def test_a_table_is_what_it_was_made_of() -> None:
    windows = ((parse_window("sun"), terms(1)),)
    prices = {"": terms(3), "44": terms(2)._replace(windows=windows), "short:112": terms(3)}
    table = RateTable({(VOICE, INBOUND): prices, (Unit.MESSAGES, None): {}}, "Europe/Berlin")
    assert {prefix: own for _, _, prefix, own in table} == prices
    assert len(table) == 3
    assert table == RateTable({(VOICE, INBOUND): dict(reversed(prices.items()))}, "Europe/Berlin")
    assert table != RateTable({(VOICE, INBOUND): prices}, "Europe/Paris")
    assert table != RateTable({(VOICE, OUTBOUND): prices}, "Europe/Berlin")


def test_the_rate_names_the_window_it_was_found_in() -> None:
    sunday = parse_window("sun")
    own = terms(2)._replace(windows=((sunday, terms(1)),))
    table = RateTable({(VOICE, None): {"44": own}})
    for day, window, price in ((1, sunday, 1), (2, None, 2)):
        found = table.find(VOICE, OUTBOUND, "+447", datetime(2026, 3, day, tzinfo=UTC))
        assert found is not None
        assert (found.window, found.rate_micros) == (window, price)


class OneRow:
    """Rows that can be watched."""

    def __getitem__(self, row: int) -> Terms:
        return terms(row)

    def __len__(self) -> int:
        return 1


def test_a_table_is_let_go_with_its_last_use() -> None:
    """A worker drops decks of many megabytes; none may wait for the collector of cycles."""
    rows = OneRow()
    index = PrefixIndex(array("Q", [prefix_key("44")]), array("I", [0]))
    table = RateTable.packed({(VOICE, None): index}, rows, "UTC")
    assert table.find(VOICE, OUTBOUND, "+447") is not None
    gone = weakref.ref(rows)
    gc.disable()
    try:
        del table, rows
        assert gone() is None
    finally:
        gc.enable()
