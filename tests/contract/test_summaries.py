"""Summaries as they are kept: memory, moto and the local cloud alike."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import boto3
import pytest

from billing.adapters.dynamodb.summaries import DynamoDBSummaries
from billing.domain.errors import ConflictError
from billing.domain.summaries import Bucket, DaySummary, Figures, Progress, SummaryHead
from billing.domain.units import Direction
from billing.ports import Summaries
from builders import ACME, GLOBEX, NOON
from contract.aws import EVERYWHERE, opened
from fakes.summaries import InMemorySummaries
from local.cloud import REGION

everywhere = pytest.mark.parametrize("summaries", EVERYWHERE, indirect=True)

DAY = date(2026, 3, 14)
SUMMARY: DaySummary = {
    Bucket(0, Direction.OUTBOUND, "US"): Figures(3, 180, 60, 0, 0, 120_000),
    Bucket(0, Direction.INBOUND, "US"): Figures(1),
    Bucket(24, Direction.OUTBOUND, "ZZ"): Figures(0, 0, 0, 2, 1, -5),
}
FIRST = SummaryHead(1, Progress(1, 12, NOON))


@pytest.fixture
def summaries(request: pytest.FixtureRequest) -> Iterator[Summaries]:
    if request.param == "memory":
        yield InMemorySummaries()
        return
    with opened(request) as aws:
        yield DynamoDBSummaries(aws.main_table())


@everywhere
def test_what_is_written_is_read(summaries: Summaries) -> None:
    assert summaries.head(ACME) == SummaryHead()
    summaries.write(ACME, FIRST, 1, {DAY: SUMMARY})
    assert summaries.head(ACME) == FIRST
    assert summaries.days(ACME, 1, [DAY, DAY + timedelta(days=1)]) == {DAY: SUMMARY}
    assert summaries.head(GLOBEX) == SummaryHead()
    assert summaries.days(GLOBEX, 1, [DAY]) == {}


@everywhere
def test_a_head_that_has_moved_on_writes_nothing(summaries: Summaries) -> None:
    summaries.write(ACME, FIRST, 1, {DAY: SUMMARY})
    for head in (FIRST, SummaryHead(3, Progress(1, 14, NOON))):
        attempts: list[dict[date, DaySummary]] = [
            {},
            {DAY: {}},
            {DAY: SUMMARY, DAY + timedelta(days=1): SUMMARY},
        ]
        for days in attempts:
            with pytest.raises(ConflictError):
                summaries.write(ACME, head, 1, days)
    assert summaries.head(ACME) == FIRST
    assert dict(summaries.between(ACME, 1, date.min, date.max)) == {DAY: SUMMARY}
    summaries.write(ACME, SummaryHead(2, Progress(1, 13, NOON)), 1, {})
    assert summaries.head(ACME).live.sequence == 13


@everywhere
def test_a_day_is_replaced(summaries: Summaries) -> None:
    summaries.write(ACME, FIRST, 1, {DAY: SUMMARY})
    summaries.write(ACME, SummaryHead(2, Progress(1, 13, NOON)), 1, {DAY: {}})
    assert summaries.days(ACME, 1, [DAY]) == {DAY: {}}


@everywhere
def test_days_are_read_in_order_and_half_open(summaries: Summaries) -> None:
    days = [DAY + timedelta(days=number) for number in range(-20, 20)]
    for start in (20, 0):
        some = dict.fromkeys(days[start : start + 20], SUMMARY)
        version = summaries.head(ACME).version + 1
        summaries.write(ACME, SummaryHead(version, Progress(1, version)), 1, some)
    found = [day for day, _ in summaries.between(ACME, 1, days[3], days[30])]
    assert found == days[3:30]


@everywhere
def test_generations_do_not_mix_and_earlier_ones_are_forgotten(summaries: Summaries) -> None:
    live, rebuilding = Progress(2, 12, NOON), Progress(3, 4, NOON)
    for version, generation in enumerate((1, 2, 3), 1):
        head = SummaryHead(version, live, rebuilding)
        summaries.write(ACME, head, generation, {DAY: {}} if generation == 2 else {DAY: SUMMARY})
    assert summaries.days(ACME, 2, [DAY]) == {DAY: {}}
    assert summaries.days(ACME, 3, [DAY]) == {DAY: SUMMARY}
    summaries.forget(ACME, 3)
    assert [dict(summaries.between(ACME, g, date.min, date.max)) for g in (1, 2, 3)] == [
        {},
        {},
        {DAY: SUMMARY},
    ]
    assert summaries.head(ACME) == SummaryHead(3, live, rebuilding)


STORED_DAY = (
    "78f9c4881928ab86d7e8400b438341358b818e612c2866e1151f928cb18ea185818e99810e081a1a81d226a8e68"
    "98a02491b99e840248c740c75744d8186d402002da319a7"
)
STORED_HEAD = (
    '{"live":{"generation":1,"posted_at":"2026-03-14T12:00:00.000000Z","sequence":12},'
    '"rebuilding":{"generation":2,"posted_at":null,"sequence":0},"version":7}'
)


@pytest.mark.parametrize("summaries", ["moto"], indirect=True)
def test_what_schema_1_has_stored_is_read_by_every_release(summaries: DynamoDBSummaries) -> None:
    client: Any = boto3.client("dynamodb", region_name=REGION)
    key = {"pk": {"S": "DAYS#acme#main"}, "schema": {"N": "1"}}
    day = {**key, "sk": {"S": "000001#2026-03-14"}, "packed": {"B": bytes.fromhex(STORED_DAY)}}
    head = {**key, "sk": {"S": "HEAD"}, "version": {"N": "7"}, "body": {"S": STORED_HEAD}}
    for item in (day, head):
        client.put_item(TableName=summaries._table.name, Item=item)
    assert summaries.days(ACME, 1, [DAY]) == {DAY: SUMMARY}
    assert summaries.head(ACME) == SummaryHead(7, Progress(1, 12, NOON), Progress(2))
