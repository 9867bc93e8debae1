"""Units: two that are declared, and any that the operator names."""

import copy

import pytest

from billing.domain.account import PeriodTotals
from billing.domain.deck_diff import diff_decks
from billing.domain.deck_form import load_deck, serialise_deck
from billing.domain.decks import parse_deck
from billing.domain.summaries import Figures
from billing.domain.units import Direction, Unit, metered_plus

RECORDINGS = Unit("recordings")
DECK = "unit,direction,prefix,destination,rate\nrecordings,any,*,Anywhere,0.05\n,,44,UK,1\n"


def test_units_of_one_name_are_equal_and_nothing_is_kept() -> None:
    assert RECORDINGS == Unit("recordings") != Unit("lookups")
    assert {RECORDINGS: 1}[Unit("recordings")] == 1
    assert copy.deepcopy(RECORDINGS) == RECORDINGS
    assert (RECORDINGS.value, str(RECORDINGS), RECORDINGS.is_own) == ("recordings",) * 2 + (True,)
    assert list(Unit) == [Unit.VOICE_SECONDS, Unit.MESSAGES]
    assert Unit("messages") is Unit.MESSAGES
    assert not Unit.MESSAGES.is_own


@pytest.mark.parametrize("name", ["", "a", "A1", "1a", "a-b", "a b", "ab\n", "voice", "message"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a valid Unit"):
        Unit(name)


def test_totals_are_undone_by_their_opposite() -> None:
    totals = PeriodTotals().plus(RECORDINGS, 5, 2, 30)
    assert totals == PeriodTotals(metered=((RECORDINGS, 5, 2),), wallet_micros=30)
    assert totals.minus(RECORDINGS, 5, 2, 30) == PeriodTotals()
    figures = Figures(metered=((RECORDINGS, 5, 2),), wallet_micros=30)
    assert figures.plus(figures.negated()) == Figures()


def test_sums_are_sorted_by_name() -> None:
    lookups = Unit("lookups")
    assert metered_plus(((RECORDINGS, 1, 0),), (lookups, 2, 1), (RECORDINGS, 1, 1)) == (
        (lookups, 2, 1),
        (RECORDINGS, 2, 1),
    )


def test_a_deck_keeps_its_units() -> None:
    table = parse_deck(DECK)
    again = load_deck(serialise_deck(table))
    assert again == table
    rate = again.find(RECORDINGS, Direction.INBOUND, "")
    assert rate is not None
    assert rate.rate_micros == 50_000
    assert again.find(Unit("lookups"), Direction.INBOUND, "") is None
    assert (
        diff_decks(table, parse_deck(DECK.replace("0.05", "0.06"))).examples[0].unit == RECORDINGS
    )
