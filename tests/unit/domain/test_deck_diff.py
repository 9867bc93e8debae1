"""A diff counts every prefix once; a dry run prices calls by both decks."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.deck_diff import Difference, PastCall, diff_decks, dry_run
from billing.domain.decks import load_deck, parse_deck, serialise_deck
from billing.domain.errors import CurrencyMismatchError
from billing.domain.rating import RateDeck, RateTable, Rounding, Terms
from billing.domain.units import Direction, Unit

VOICE, OUTBOUND = Unit.VOICE_SECONDS, Direction.OUTBOUND
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEADER = "prefix,destination,rate,treatment\n"

Prices = dict[str, int]
prices = st.dictionaries(st.from_regex(r"[12][012]{0,2}", fullmatch=True), st.integers(0, 5))


def table(rows: Prices) -> RateTable:
    return RateTable({(VOICE, None): {p: Terms("UK", r * 60, 0, 1, 1) for p, r in rows.items()}})


def deck(rates: RateTable) -> RateDeck:
    return RateDeck("retail", 1, "USD", NOW, Rounding.UP, 6, rates)


@settings(deadline=None)
@given(prices, prices)
def test_every_prefix_is_counted_once(before: Prices, after: Prices) -> None:
    stored, target = (
        load_deck(serialise_deck(table(rows))) if rows else table(rows) for rows in (before, after)
    )
    diff = diff_decks(stored, target)
    both = before.keys() & after.keys()
    assert diff.counts == {
        Difference.ADDED: len(after.keys() - before.keys()),
        Difference.REMOVED: len(before.keys() - after.keys()),
        Difference.DEARER: sum(after[p] > before[p] for p in both),
        Difference.CHEAPER: sum(after[p] < before[p] for p in both),
        Difference.OTHERWISE: 0,
    }
    assert diff.unchanged == sum(after[p] == before[p] for p in both)
    assert diff.is_empty == (before == after)
    shown = {
        (c.prefix, c.before and c.before.rate_micros, c.after and c.after.rate_micros)
        for c in diff.examples
    }
    assert shown == {
        (p, before[p] * 60 if p in before else None, after[p] * 60 if p in after else None)
        for p in before.keys() | after.keys()
        if before.get(p) != after.get(p)
    }


def test_the_heaviest_changes_are_shown_and_all_are_counted() -> None:
    before = table({str(n): 100 for n in range(100, 200)})
    after = table({str(n): 100 + (n - 150) for n in range(100, 200)})
    diff = diff_decks(before, after, limit=3)
    assert [c.prefix for c in diff.examples] == ["100", "101", "199"]
    assert (diff.counts[Difference.DEARER], diff.counts[Difference.CHEAPER]) == (49, 50)


def test_other_terms_at_the_same_price_and_other_clocks_are_told() -> None:
    timed = "#time_zone,{}\nprefix,destination,rate,window\n44,UK,1,\n44,UK,2,{}\n"
    berlin, paris, sunday = (
        parse_deck(timed.format(*values))
        for values in (("Europe/Berlin", "sat"), ("Europe/Paris", "sat"), ("Europe/Berlin", "sun"))
    )
    assert diff_decks(berlin, sunday).counts[Difference.OTHERWISE] == 1
    moved = diff_decks(berlin, paris)
    assert (moved.zone_changed, moved.is_empty, moved.unchanged) == (True, False, 1)


def past(number: str, seconds: int = 60) -> PastCall:
    return PastCall(VOICE, OUTBOUND, number, seconds, NOW)


def test_a_dry_run_prices_calls_by_both_decks() -> None:
    before = deck(parse_deck(HEADER + "44,UK,1,\n4420,London,3,\n33,France,2,\n7,Russia,1,\n"))
    after = deck(parse_deck(HEADER + "44,UK,2,\n33,France,1,\n7,Russia,,blocked\n1,US,1,\n"))
    numbers = ["+4479", "+4420", "+331", "+71", "+15", "+81", "+442"]
    run = dry_run(before, after, map(past, numbers))
    assert (run.calls, run.before_micros, run.after_micros) == (7, 7_000_000, 7_000_000)
    assert run.counts == {
        Difference.ADDED: 1,
        Difference.REMOVED: 1,
        Difference.DEARER: 2,
        Difference.CHEAPER: 2,
        Difference.OTHERWISE: 0,
    }
    assert {(c.place, c.before_micros, c.after_micros) for c in run.examples} == {
        (0, 1_000_000, 2_000_000),
        (1, 3_000_000, 2_000_000),
        (2, 2_000_000, 1_000_000),
        (3, 1_000_000, None),
        (4, None, 1_000_000),
        (6, 1_000_000, 2_000_000),
    }


def test_a_dry_run_of_many_calls_shows_few() -> None:
    before, after = deck(table({"1": 60})), deck(table({"1": 120}))
    run = dry_run(before, after, (past("+15", seconds) for seconds in range(1, 500)), limit=2)
    assert [change.place for change in run.examples] == [498, 497]
    assert run.counts[Difference.DEARER] == 499
    assert dry_run(before, after, [past("+15")], limit=0).examples == ()


def test_two_currencies_cannot_be_compared() -> None:
    one = deck(table({"1": 1}))
    with pytest.raises(CurrencyMismatchError):
        dry_run(one, replace(one, currency="EUR"), [])
