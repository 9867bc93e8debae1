"""Series for charts, added up from days."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.summaries import Bucket, DaySummary, Figures, Progress, SummaryHead
from billing.domain.units import Direction
from billing.services.summarise_usage import SummariseUsage, SummaryBy, SummaryRequest, UsageSummary
from builders import ACME, GLOBEX, USD, a_credit, an_account, an_opening
from fakes.book import InMemoryBook
from fakes.summaries import InMemorySummaries
from fakes.world import FixedClock

NEW_YORK = "America/New_York"
FIRST, SECOND = date(2026, 3, 12), date(2026, 3, 13)
IN, OUT = Direction.INBOUND, Direction.OUTBOUND
DAYS: Mapping[date, DaySummary] = {
    FIRST: {
        Bucket(9, OUT, "US"): Figures(3, 180, 60, 0, 0, 120),
        Bucket(9, IN, "US"): Figures(1, 30, 30),
        Bucket(23, OUT, "GB"): Figures(1, 60, 0, 0, 0, 70),
    },
    SECOND: {
        Bucket(0, OUT, "US"): Figures(0, 0, 0, 5, 2, 9),
        Bucket(9, OUT, "GB"): Figures(1, 240, 0, 0, 0, 280),
    },
}


def summarise(request: SummaryRequest, now: datetime | None = None) -> UsageSummary:
    book, summaries = InMemoryBook(), InMemorySummaries()
    book.commit(an_opening(an_account(time_zone=NEW_YORK)))
    book.commit(a_credit(book.account(ACME), USD, "one"))
    summaries.write(ACME, SummaryHead(1, Progress(3), Progress(4)), 3, DAYS)
    summaries.write(ACME, SummaryHead(2, Progress(3), Progress(4)), 4, {FIRST: {}})
    clock = FixedClock(now or datetime(2026, 3, 14, 2, tzinfo=UTC))
    return SummariseUsage(book, summaries, clock).summarise(ACME, request)


def test_by_day_every_day_is_there() -> None:
    end = SECOND + timedelta(days=2)
    found = summarise(SummaryRequest(SummaryBy.DAY, FIRST - timedelta(days=1), end))
    assert found.rows == (
        ("2026-03-11", Figures()),
        ("2026-03-12", Figures(5, 270, 90, 0, 0, 190)),
        ("2026-03-13", Figures(1, 240, 0, 5, 2, 289)),
        ("2026-03-14", Figures()),
    )
    assert (found.time_zone, found.currency, found.pending_entries) == (NEW_YORK, "USD", 1)


def test_by_hour_rows_are_instants() -> None:
    found = summarise(SummaryRequest(SummaryBy.HOUR, FIRST, SECOND))
    assert len(found.rows) == 24
    assert found.rows[0] == ("2026-03-12T04:00:00Z", Figures())
    assert found.rows[9] == ("2026-03-12T13:00:00Z", Figures(4, 210, 90, 0, 0, 120))
    assert found.rows[23] == ("2026-03-13T03:00:00Z", Figures(1, 60, 0, 0, 0, 70))


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param(date(2026, 3, 8), 23, id="clocks go forward"),
        pytest.param(date(2026, 11, 1), 25, id="clocks go back"),
    ],
)
def test_a_day_has_the_hours_it_has(day: date, hours: int) -> None:
    found = summarise(SummaryRequest(SummaryBy.HOUR, day, day + timedelta(days=2)))
    instants = [datetime.fromisoformat(key.replace("Z", "+00:00")) for key, _ in found.rows]
    steps = {later - earlier for earlier, later in pairwise(instants)}
    assert (len(instants), steps) == (hours + 24, {timedelta(hours=1)})


def test_by_direction_both_are_there() -> None:
    found = summarise(SummaryRequest(SummaryBy.DIRECTION, SECOND, SECOND + timedelta(days=1)))
    assert found.rows == (
        ("inbound", Figures()),
        ("outbound", Figures(1, 240, 0, 5, 2, 289)),
    )


def test_by_destination_the_most_used_comes_first() -> None:
    found = summarise(SummaryRequest(SummaryBy.DESTINATION, FIRST, SECOND + timedelta(days=1)))
    assert found.rows == (
        ("GB", Figures(2, 300, 0, 0, 0, 350)),
        ("US", Figures(4, 210, 90, 5, 2, 129)),
    )


def test_a_direction_or_country_can_be_looked_at_alone() -> None:
    found = summarise(SummaryRequest(SummaryBy.DAY, FIRST, SECOND, OUT, "US"))
    assert found.rows == (("2026-03-12", Figures(3, 180, 60, 0, 0, 120)),)


def test_the_last_thirty_days_of_the_account_are_what_is_meant() -> None:
    """At 02:00 UTC it is still the 13th in New York."""
    found = summarise(SummaryRequest(SummaryBy.DAY))
    assert (found.begin, found.end) == (date(2026, 2, 12), date(2026, 3, 14))
    assert len(found.rows) == 30


@pytest.mark.parametrize(
    ("by", "days"), [(by, 31 if by is SummaryBy.HOUR else 366) for by in SummaryBy]
)
def test_an_answer_has_a_bound(by: SummaryBy, days: int) -> None:
    end = FIRST + timedelta(days=days)
    summarise(SummaryRequest(by, FIRST, end))
    with pytest.raises(InvalidInputError, match=f"at most {days} days"):
        summarise(SummaryRequest(by, FIRST - timedelta(days=1), end))
    for empty in (FIRST, FIRST - timedelta(days=1)):
        with pytest.raises(InvalidInputError, match="later than from"):
            summarise(SummaryRequest(by, FIRST, empty))


def test_nobodys_account_has_none() -> None:
    with pytest.raises(NotFoundError):
        SummariseUsage(
            InMemoryBook(), InMemorySummaries(), FixedClock(datetime(2026, 3, 14, tzinfo=UTC))
        ).summarise(GLOBEX, SummaryRequest(SummaryBy.DAY))
