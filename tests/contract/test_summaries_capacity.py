"""What summaries cost, beside the posting itself: exact, from the requests."""

import random
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

import pytest

from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.domain.account import Account, AccountRef
from billing.domain.summaries import Bucket, DaySummary, Figures, Progress, SummaryHead
from billing.domain.units import Direction
from billing.services.project_usage import DAYS_PER_STEP, ProjectUsage
from builders import ACME, NOON, a_posting, a_usage_event, an_account, an_opening
from capacity import Accountant
from contract.beds import Bed
from fakes.countries import country_of

pytestmark = pytest.mark.parametrize("bed", ["moto"], indirect=True)

LONG = AccountRef("t" * 36, "a" * 36)
MAX_ITEM_BYTES = 400_000
MAX_TRANSACTION_BYTES = 4_000_000
COUNTRIES = [first + second for first in "ABCDEFGHIJ" for second in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


@pytest.fixture
def accountant(bed: Bed) -> Iterator[Accountant]:
    with Accountant().watching() as accountant:
        yield accountant


@pytest.fixture
def summaries(bed: Bed) -> DynamoDBSummaries:
    return DynamoDBSummaries(Table(bed.table_name))


def a_day(hours: int, countries: int, seed: int = 1) -> DaySummary:
    """Busy in so many hours, in both directions, to so many countries."""
    dice = random.Random(seed)

    def some() -> Figures:
        seconds = dice.randrange(10**6)
        return Figures(
            calls=dice.randrange(10_000),
            voice_seconds=seconds,
            granted_voice_seconds=seconds // 3,
            messages=dice.randrange(1_000),
            granted_messages=dice.randrange(100),
            wallet_micros=dice.randrange(10**9),
        )

    return {
        Bucket(hour, direction, country): some()
        for hour in range(hours)
        for direction in Direction
        for country in COUNTRIES[:countries]
    }


def opened(bed: Bed) -> Account:
    return bed.commit(an_opening(an_account(LONG)))


@pytest.mark.parametrize("calls", [1, 25])
def test_a_posting_alone_costs_four_units_more_while_its_day_is_small(
    bed: Bed, summaries: DynamoDBSummaries, accountant: Accountant, calls: int
) -> None:
    account = opened(bed)
    projector = ProjectUsage(bed.book, summaries, country_of)
    for number in range(3):
        events = [a_usage_event(number * calls + n) for n in range(calls)]
        account = bed.commit(a_posting(account, events))
        with accountant.counting() as used:
            projector.project(LONG, account.head.sequence)
        assert used.all_write_units == 4
        # Head, account, entry, day, and one for each call.
        assert used.read_units == 4 + calls
    assert used.largest["DAYS"] < 1024


def test_postings_that_are_projected_together_are_one_write(
    bed: Bed, summaries: DynamoDBSummaries, accountant: Accountant
) -> None:
    account = opened(bed)
    for number in range(40):
        account = bed.commit(a_posting(account, [a_usage_event(number)]))
    with accountant.counting() as used:
        ProjectUsage(bed.book, summaries, country_of).project(LONG, 40)
    assert used.all_write_units == 4


def test_what_is_taken_in_already_costs_one_read_unit(
    bed: Bed, summaries: DynamoDBSummaries, accountant: Accountant
) -> None:
    account = opened(bed)
    bed.book.commit(a_posting(account, [a_usage_event(1)]))
    projector = ProjectUsage(bed.book, summaries, country_of)
    projector.project(LONG, 1)
    with accountant.counting() as used:
        projector.project(LONG, 1)
    assert used.write_units == 0
    assert used.read_units == 1


@pytest.mark.parametrize(
    ("hours", "countries", "units"),
    [
        pytest.param(10, 1, 2, id="an office, one country"),
        pytest.param(24, 5, 10, id="round the clock, five countries"),
        pytest.param(24, 40, 74, id="round the clock, forty countries"),
    ],
)
def test_a_day_costs_by_its_size(
    bed: Bed,
    summaries: DynamoDBSummaries,
    accountant: Accountant,
    hours: int,
    countries: int,
    units: int,
) -> None:
    with accountant.counting() as used:
        summaries.write(
            LONG, SummaryHead(1, Progress(1, 9, NOON)), 1, {NOON.date(): a_day(hours, countries)}
        )
    assert used.write_units == 2 + units


@pytest.mark.parametrize(
    ("countries", "most"),
    [
        pytest.param(len(COUNTRIES), MAX_ITEM_BYTES, id="every country fits an item"),
        pytest.param(
            100, MAX_TRANSACTION_BYTES // DAYS_PER_STEP, id="a hundred on every day fit a write"
        ),
    ],
)
def test_the_largest_days_fit(
    bed: Bed, summaries: DynamoDBSummaries, accountant: Accountant, countries: int, most: int
) -> None:
    """25 hours in both directions, with large figures everywhere."""
    day = a_day(25, countries)
    with accountant.counting() as used:
        summaries.write(ACME, SummaryHead(1, Progress(1, 9, NOON)), 1, {NOON.date(): day})
    assert used.largest["DAYS"] < most
    assert summaries.days(ACME, 1, [NOON.date()]) == {NOON.date(): day}


def test_a_month_of_days_is_read_by_the_four_kilobytes(
    bed: Bed, summaries: DynamoDBSummaries, accountant: Accountant
) -> None:
    first = NOON.date()
    days = {first + timedelta(days=number): a_day(10, 1, number) for number in range(30)}
    summaries.write(LONG, SummaryHead(1, Progress(1, 9, NOON)), 1, days)
    with accountant.counting() as used:
        found = dict(summaries.between(LONG, 1, first, first + timedelta(days=30)))
    assert found == days
    assert used.read_units < Fraction(8)
