"""Several projectors of one account at once, while it is posted to and rebuilt."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest

from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.domain.errors import BookBusyError, ConflictError
from billing.domain.summaries import Figures
from billing.services.project_usage import ProjectUsage
from builders import ACME, NOON, a_posting, a_usage_event, an_account, an_opening
from contract.beds import Bed
from fakes.countries import country_of

POSTINGS = 40


@pytest.mark.parametrize("bed", [pytest.param("cloud", marks=pytest.mark.cloud)], indirect=True)
def test_projectors_and_rebuilds_at_once_count_every_call_once(bed: Bed) -> None:
    summaries = DynamoDBSummaries(Table(bed.table_name))
    bed.commit(an_opening(an_account()))

    def post() -> None:
        for number in range(POSTINGS):
            ended = NOON - timedelta(hours=7 * (number % 5))
            events = [a_usage_event(3 * number + n, ended) for n in range(3)]
            bed.commit(a_posting(bed.book.account(ACME), events))

    def project(_: int) -> None:
        projector = ProjectUsage(bed.book, summaries, country_of)
        while summaries.head(ACME).live.sequence < POSTINGS:
            try:
                projector.project(ACME, bed.book.account(ACME).head.sequence)
            except BookBusyError:
                continue

    def rebuild() -> None:
        for _ in range(5):
            try:
                ProjectUsage(bed.book, summaries, country_of).rebuild(ACME)
            except (BookBusyError, ConflictError):
                continue

    with ThreadPoolExecutor(6) as pool:
        working = [pool.submit(project, number) for number in range(3)]
        working += [pool.submit(post), pool.submit(rebuild)]
        for done in working:
            done.result()

    generation = summaries.head(ACME).live.generation
    found = dict(summaries.between(ACME, generation, date.min, date.max))
    total = Figures.total(cell for day in found.values() for cell in day.values())
    assert (total.calls, total.voice_seconds) == (3 * POSTINGS, 3 * POSTINGS * 61)
    rebuilt = ProjectUsage(bed.book, summaries, country_of).rebuild(ACME)
    assert rebuilt.is_done
    assert dict(summaries.between(ACME, rebuilt.generation, date.min, date.max)) == found
