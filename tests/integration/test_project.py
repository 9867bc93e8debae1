"""The stream nudges, and by hand summaries are rebuilt: the handler as Lambda calls it."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.ledger_stream import new_entry
from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.errors import BookContendedError
from billing.domain.summaries import Figures
from billing.services.project_usage import ProjectUsage, Rebuilt
from builders import (
    ACME,
    GLOBEX,
    NOON,
    USD,
    a_credit,
    a_posting,
    a_usage_event,
    an_account,
    an_opening,
)
from contract.beds import Bed, in_moto
from events import bootstrap
from events.project import handle, lambda_handler, rebuild

SECOND = AccountRef("acme", "second")


@pytest.fixture
def bed() -> Iterator[Bed]:
    with in_moto() as bed:
        yield bed


class Recording(ProjectUsage):
    """Remembers what it was asked; fails for Globex."""

    def __init__(self) -> None:
        self.asked: list[tuple[AccountRef, int]] = []

    def project(self, ref: AccountRef, sequence: int) -> int:
        self.asked.append((ref, sequence))
        if ref == GLOBEX:
            raise BookContendedError("busy")
        return max(sequence, 7)

    def rebuild(self, ref: AccountRef, generation: int | None = None) -> Rebuilt:
        return Rebuilt(generation or 2, 40, generation is not None)


def a_record(number: int, pk: str, sk: str) -> dict[str, Any]:
    return {
        "eventID": str(number),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
            "SequenceNumber": f"{number}00",
            "StreamViewType": "NEW_IMAGE",
        },
    }


def an_entry(number: int, ref: AccountRef, sequence: int) -> dict[str, Any]:
    before = an_account(ref).next_version()
    for step in range(sequence):
        change = a_credit(before, USD, str(step))
        before = change.after
    item = items.entry_item(ref, change.entries[0])
    return a_record(number, item.pk, item.sk)


def an_event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


@pytest.mark.parametrize("ref", [ACME, SECOND], ids=str)
def test_a_record_names_its_account_and_entry(ref: AccountRef) -> None:
    found = new_entry(an_entry(1, ref, 3)["dynamodb"]["Keys"])
    assert found is not None
    assert (found.account, found.sequence) == (ref, 3)


def test_what_is_no_ledger_entry_nudges_nobody() -> None:
    projector = Recording()
    records = (a_record(1, "ACCT#acme#main", "STATE"), a_record(2, "LEDGERS#acme#main", "1"))
    assert handle(an_event(*records), projector) == {"batchItemFailures": []}
    assert projector.asked == []


def test_an_account_is_asked_for_once_while_it_is_ahead_of_its_records() -> None:
    projector = Recording()
    records = [an_entry(number, ACME, number) for number in (1, 2, 7, 3, 8)]
    handle(an_event(*records), projector)
    assert projector.asked == [(ACME, 1), (ACME, 8)]


def test_the_first_record_that_failed_is_named_and_others_are_done() -> None:
    projector = Recording()
    records = [an_entry(1, ACME, 1), an_entry(2, GLOBEX, 1), an_entry(3, SECOND, 1)]
    answer = handle(an_event(*records), projector)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "200"}]}
    assert projector.asked == [(ACME, 1), (GLOBEX, 1), (SECOND, 1)]


def test_a_rebuild_answers_what_to_ask_next() -> None:
    asked = {"tenant": "acme", "account": "main"}
    first = rebuild(asked, Recording())
    assert first == {**asked, "generation": 2, "sequence": 40, "is_done": False}
    assert rebuild(first, Recording())["is_done"] is True


def test_from_the_stream_to_the_table(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real table's items, the real country tables, and the real composition."""
    monkeypatch.setenv("TABLE_NAME", bed.table_name)
    bootstrap.project_usage.cache_clear()
    context: Any = type(
        "Context",
        (),
        {
            "function_name": "project",
            "memory_limit_in_mb": 512,
            "invoked_function_arn": "arn",
            "aws_request_id": "id",
        },
    )
    account = bed.commit(an_opening(an_account()))
    for first in (1, 11):
        events = [
            a_usage_event(first + n, to_number=number)
            for n, number in enumerate(("+14155550100", "+16045551234", "88788"))
            if number.startswith("+")
        ]
        account = bed.commit(a_posting(account, events))
    records = [
        a_record(number, item["pk"]["S"], item["sk"]["S"])
        for number, item in enumerate(bed.contents())
        if item["pk"]["S"].startswith("LEDGER#")
    ]
    try:
        for event in (an_event(*records[::-1]), an_event(*records, *records)):
            assert lambda_handler(event, context) == {"batchItemFailures": []}
        summaries = DynamoDBSummaries(Table(bed.table_name))
        (summary,) = summaries.days(ACME, 1, [NOON.date()]).values()
        figures = Figures(2, 122, 122)
        assert {bucket.country: found for bucket, found in summary.items()} == {
            "US": figures,
            "CA": figures,
        }
        asked = {"rebuild": {"tenant": "acme", "account": "main"}}
        assert lambda_handler(asked, context)["is_done"] is True
        assert list(summaries.days(ACME, 2, [NOON.date()]).values()) == [summary]
        assert summaries.days(ACME, 1, [NOON.date()]) == {}
    finally:
        bootstrap.project_usage.cache_clear()


def test_only_the_months_since_the_last_entry_are_read(bed: Bed) -> None:
    """A ledger of years is not walked again for every posting."""
    account = bed.commit(an_opening(an_account()))
    bed.commit(a_posting(account, [a_usage_event(1)]))
    book = DynamoDBBook(Table(bed.table_name))
    account = book.account(ACME)
    (entry,) = book.entries(account)
    assert list(book.entries(account, 0, None, entry.posted_at)) == [entry]
    assert list(book.entries(account, 1, None, entry.posted_at)) == []
