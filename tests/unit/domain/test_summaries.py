"""What ledger entries add to an account's days, and how far that is."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.ledger import EntryKind, LedgerEntry, UsageSubtotals
from billing.domain.summaries import (
    Bucket,
    Figures,
    Progress,
    SummaryHead,
    begins_at,
    hours_of,
    merged,
    summarised,
)
from billing.domain.units import Direction, Unit
from billing.domain.usage import Call
from builders import NOON, a_call, a_usage_event
from fakes.countries import country_of

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
KOLKATA = "Asia/Kolkata"


def an_entry(*calls: Call, kind: EntryKind = EntryKind.USAGE, sequence: int = 1) -> LedgerEntry:
    named = UsageSubtotals(calls=tuple(call.event.key for call in calls))
    return LedgerEntry(
        sequence, NOON, kind, "cause", "wallet", "revenue:usage", 0, "USD", 0, "", usage=named
    )


def ended(at: datetime, number: int = 1, **event: object) -> Call:
    return a_call(number, event=a_usage_event(number, at, **event))


def test_a_call_counts_in_the_hour_in_which_it_ended_where_the_account_lives() -> None:
    call = ended(datetime(2026, 3, 14, 20, 30, tzinfo=UTC))
    figures = Figures(calls=1, voice_seconds=61, granted_voice_seconds=61)
    for zone, day, hour in [
        ("UTC", date(2026, 3, 14), 20),
        (BERLIN, date(2026, 3, 14), 21),
        (KOLKATA, date(2026, 3, 15), 2),
    ]:
        found = summarised(an_entry(call), [call], zone, country_of)
        assert found == {day: {Bucket(hour, Direction.OUTBOUND, "US"): figures}}


def test_messages_are_counted_apart_from_seconds() -> None:
    message = a_call(
        event=a_usage_event(1, unit=Unit.MESSAGES, quantity=3),
        billed_quantity=3,
        granted=(("texts", 2),),
        wallet_micros=7_000,
    )
    ((figures,),) = (
        day.values() for day in summarised(an_entry(message), [message], "UTC", country_of).values()
    )
    assert figures == Figures(
        messages=3, granted_messages=2, wallet_micros=7_000, other_micros=7_000
    )


def test_an_unanswered_call_counts_as_a_call() -> None:
    call = a_call(event=a_usage_event(quantity=0), billed_quantity=0, granted=())
    ((figures,),) = (
        day.values() for day in summarised(an_entry(call), [call], "UTC", country_of).values()
    )
    assert figures == Figures(calls=1)


def test_a_reversal_takes_away_what_was_added_and_leaves_no_trace() -> None:
    call = a_call()
    added = summarised(an_entry(call), [call], "UTC", country_of)
    taken = summarised(an_entry(call, kind=EntryKind.REVERSAL), [call], "UTC", country_of)
    ((day, summary),) = added.items()
    assert merged(summary, taken[day]) == {}


def test_an_entry_without_calls_adds_nothing() -> None:
    assert summarised(an_entry(kind=EntryKind.RECHARGE), [], "UTC", country_of) == {}


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        pytest.param(date(2026, 3, 14), BERLIN, 24, id="an ordinary day"),
        pytest.param(date(2026, 3, 29), BERLIN, 23, id="clocks go forward"),
        pytest.param(date(2026, 10, 25), BERLIN, 25, id="clocks go back"),
        pytest.param(date(2026, 3, 14), KOLKATA, 24, id="half an hour off"),
        pytest.param(date(2026, 4, 5), "Australia/Lord_Howe", 25, id="half an hour more"),
    ],
)
def test_every_instant_of_a_day_is_in_one_of_its_hours(day: date, zone: str, hours: int) -> None:
    assert hours_of(day, zone) == hours
    first, end = begins_at(day, 0, zone), begins_at(day + timedelta(days=1), 0, zone)
    at = first
    while at < end:
        call = ended(at)
        ((found, summary),) = summarised(an_entry(call), [call], zone, country_of).items()
        (bucket,) = summary
        assert found == day
        assert 0 <= bucket.hour < hours
        assert begins_at(day, bucket.hour, zone) <= at < begins_at(day, bucket.hour + 1, zone)
        at += timedelta(minutes=15)


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """01:30 in New York, before and after clocks go back."""
    before, after = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))
    calls = [ended(before, 1), ended(after, 2)]
    (summary,) = summarised(an_entry(*calls), calls, NEW_YORK, country_of).values()
    assert sorted(bucket.hour for bucket in summary) == [1, 2]


def test_an_entry_is_taken_in_its_turn_alone() -> None:
    progress = Progress(1).after(an_entry(sequence=1))
    with pytest.raises(AssertionError):
        progress.after(an_entry(sequence=1))
    with pytest.raises(AssertionError):
        progress.after(an_entry(sequence=3))


def test_a_rebuild_is_read_once_it_has_caught_up() -> None:
    head = SummaryHead(7, Progress(1, 20)).next_generation()
    assert head == SummaryHead(8, Progress(1, 20), Progress(2))
    head = head.advanced(Progress(2, 19))
    assert head == SummaryHead(9, Progress(1, 20), Progress(2, 19))
    assert head.advanced(Progress(1, 21)) == SummaryHead(10, Progress(1, 21), Progress(2, 19))
    assert head.advanced(Progress(2, 20)) == SummaryHead(10, Progress(2, 20))


def test_a_rebuild_that_begins_gives_up_the_one_before() -> None:
    head = SummaryHead(8, Progress(1, 20), Progress(2, 19)).next_generation()
    assert head == SummaryHead(9, Progress(1, 20), Progress(3))


@pytest.mark.parametrize(
    ("figures", "minutes"),
    [
        pytest.param(Figures(2, 120, 0, wallet_micros=40_000), 500, id="two cents a minute"),
        pytest.param(
            Figures(2, 600, 480, wallet_micros=40_000), 500, id="a grant's minutes have no price"
        ),
        pytest.param(
            Figures(2, 120, messages=9, wallet_micros=90_000, other_micros=50_000),
            500,
            id="messages are no minutes",
        ),
        pytest.param(Figures(1, 60, wallet_micros=30_000), 333, id="rounded down"),
        pytest.param(Figures(1, 60, 60), None, id="grants paid for all"),
        pytest.param(Figures(1, 60), None, id="calls were free"),
        pytest.param(
            Figures(messages=9, wallet_micros=50_000, other_micros=50_000), None, id="no call"
        ),
        pytest.param(Figures(), None, id="nothing was used"),
    ],
)
def test_minutes_are_bought_at_what_the_wallet_paid_for_calls(
    figures: Figures, minutes: int | None
) -> None:
    assert figures.minutes_for(10_000_000) == minutes


def test_a_debt_buys_no_minutes() -> None:
    assert Figures(1, 60, wallet_micros=30_000).minutes_for(-1) == 0


def test_what_is_not_talk_is_told_apart_and_taken_back() -> None:
    text = a_call(1, event=a_usage_event(1, unit=Unit.MESSAGES, quantity=1), wallet_micros=9_000)
    assert Figures.of(text).other_micros == 9_000
    assert Figures.of(a_call(2, wallet_micros=9_000)).other_micros == 0
    figures = Figures.of(text)
    assert figures.plus(figures.negated()) == Figures()
