"""The stream nudges, and by hand summaries are rebuilt: the handler as Lambda calls it."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.ledger_stream import new_entry
from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.adapters.dynamodb.table import Table
from billing.adapters.money_metrics import MoneyMetrics
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
MONEY = MoneyMetrics({"stage": "test"})


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Talktime")


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


def a_record(number: int, image: Mapping[str, Any]) -> dict[str, Any]:
    """As Lambda hands it over: bytes in base64."""
    return {
        "eventID": str(number),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"pk": image["pk"], "sk": image["sk"]},
            "NewImage": {
                name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value
                for name, value in image.items()
            },
            "SequenceNumber": f"{number}00",
            "StreamViewType": "NEW_IMAGE",
        },
    }


def an_entry(number: int, ref: AccountRef, sequence: int) -> dict[str, Any]:
    before = an_account(ref).next_version()
    for step in range(sequence):
        change = a_credit(before, USD, str(step))
        before = change.after
    return a_record(number, items.entry_item(ref, change.entries[0]).serialize())


def an_event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


@pytest.mark.parametrize("ref", [ACME, SECOND], ids=str)
def test_a_record_names_its_account_and_entry(ref: AccountRef) -> None:
    found = new_entry(an_entry(1, ref, 3)["dynamodb"]["Keys"])
    assert found is not None
    assert (found.account, found.sequence) == (ref, 3)


def test_what_is_no_ledger_entry_nudges_nobody() -> None:
    projector = Recording()
    others = (("ACCT#acme#main", "STATE"), ("LEDGERS#acme#main", "1"))
    records = [
        a_record(number, {"pk": {"S": pk}, "sk": {"S": sk}})
        for number, (pk, sk) in enumerate(others, 1)
    ]
    assert handle(an_event(*records), projector, MONEY) == {"batchItemFailures": []}
    assert projector.asked == []


def test_an_account_is_asked_for_once_while_it_is_ahead_of_its_records() -> None:
    projector = Recording()
    records = [an_entry(number, ACME, number) for number in (1, 2, 7, 3, 8)]
    handle(an_event(*records), projector, MONEY)
    assert projector.asked == [(ACME, 1), (ACME, 8)]


def test_the_first_record_that_failed_is_named_and_others_are_done() -> None:
    projector = Recording()
    records = [an_entry(1, ACME, 1), an_entry(2, GLOBEX, 1), an_entry(3, SECOND, 1)]
    answer = handle(an_event(*records), projector, MONEY)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "200"}]}
    assert projector.asked == [(ACME, 1), (GLOBEX, 1), (SECOND, 1)]


def test_what_came_through_is_counted_by_currency_and_names_no_tenant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "events.project")
    posting = a_posting(an_account(SECOND, grants=()).next_version(), [a_usage_event(1)])
    usage = a_record(4, items.entry_item(SECOND, posting.entries[0]).serialize())
    records = [an_entry(1, ACME, 1), an_entry(2, ACME, 2), usage, an_entry(3, GLOBEX, 1)]
    handle(an_event(*records), Recording(), MONEY)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    emitted = [line for line in lines if "_aws" in line]
    assert [line.get("MoneyIn") for line in emitted] == [[2 * USD], None]
    assert [line.get("MoneyEarned") for line in emitted] == [None, [61_000]]
    for line in emitted:
        (declared,) = line["_aws"]["CloudWatchMetrics"]
        assert declared["Namespace"] == "Talktime"
        assert {tuple(sorted(names)) for names in declared["Dimensions"]} == {
            ("currency", "service", "stage")
        }
        assert line["currency"] == "USD"
        assert "acme" not in json.dumps(line)


def test_a_rebuild_answers_what_to_ask_next() -> None:
    asked = {"tenant": "acme", "account": "main"}
    first = rebuild(asked, Recording())
    assert first == {**asked, "generation": 2, "sequence": 40, "is_done": False}
    assert rebuild(first, Recording())["is_done"] is True


def test_from_the_stream_to_the_table(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real table's items, the real country tables, and the real composition."""
    monkeypatch.setenv("TABLE_NAME", bed.table_name)
    monkeypatch.setenv("STAGE", "test")
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
        a_record(number, item)
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
