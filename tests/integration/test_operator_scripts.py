"""What the runbooks tell an operator to run, against AWS in this process."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.keys import account_state, ledger_entry
from billing.adapters.dynamodb.table import Table
from billing.domain.account import Account, AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.rebuilding import LedgerBrokenError
from billing.domain.records import Event, EventType
from builders import (
    ACME,
    NOON,
    USD,
    a_credit,
    a_posting,
    a_tenant,
    a_touch,
    a_usage_event,
    an_account,
    an_opening,
)
from contract import aws
from contract.beds import Bed, in_moto
from scripts import dead_letters, prove_ledgers, rebuild_balance, republish, restore_drill
from scripts.prove_ledgers import Wanted
from scripts.rebuild_balance import Authority

OTHER = AccountRef("globex", "main")
LATER = datetime(2026, 9, 1, tzinfo=UTC)
SIGNED = Authority("zoe", "T-81")


@pytest.fixture
def bed() -> Iterator[Bed]:
    with in_moto() as bed:
        for ref in (ACME, OTHER):
            account = bed.commit(an_opening(an_account(ref), a_tenant(ref.tenant_id)))
            account = bed.commit(a_credit(account, 20 * USD, "recharge"))
            bed.commit(a_posting(account, [a_usage_event(1), a_usage_event(2)]))
        yield bed


@pytest.fixture
def table(bed: Bed) -> Table:
    return Table(bed.table_name)


def spoil(bed: Bed, table: Table, **changed: Any) -> Account:
    """Somebody wrote to the account state behind our back."""
    wrong = replace(bed.book.account(ACME), **changed)
    table.put(items.account_item(wrong))
    return wrong


def test_every_ledger_is_proven_and_one_that_is_not_sound_is_named(bed: Bed, table: Table) -> None:
    sound = prove_ledgers.proven(Wanted(bed.table_name))
    assert prove_ledgers.rendered(sound) == "2 ledgers with 4 entries: all sound"
    spoil(bed, table, wallet_micros=7 * USD)
    found = prove_ledgers.proven(Wanted(bed.table_name))
    assert [one.account.ref for one in found.faulty] == [ACME]
    assert "1 NOT SOUND\n- acme#main: the wallet holds 7000000" in prove_ledgers.rendered(found)
    assert not prove_ledgers.proven(Wanted(bed.table_name, "globex")).faulty
    with pytest.raises(NotFoundError):
        prove_ledgers.proven(Wanted(bed.table_name, "acme", "nobody"))


def test_a_balance_is_compared_and_nothing_written_unless_somebody_signs(
    bed: Bed, table: Table
) -> None:
    right = bed.book.account(ACME)
    wrong = spoil(bed, table, wallet_micros=7 * USD)
    before, after = rebuild_balance.rebuild(table, ACME, None, LATER)
    assert (before, after.wallet_micros) == (wrong, right.wallet_micros)
    assert bed.book.account(ACME) == wrong
    assert "nothing was written" in rebuild_balance.rendered(before, after, written=False)


@pytest.mark.parametrize("is_behind", [False, True], ids=["a wrong sum", "an older state"])
def test_a_balance_is_rebuilt_from_the_ledger_and_the_audit_says_by_whom(
    bed: Bed, table: Table, is_behind: bool
) -> None:
    right = bed.book.account(ACME)
    first = next(bed.book.entries(right))
    older = {"head": replace(right.head, sequence=1, hash=first.hash)} if is_behind else {}
    wrong = spoil(bed, table, wallet_micros=7 * USD, **older)
    rebuild_balance.rebuild(table, ACME, SIGNED, LATER)
    mended = bed.book.account(ACME)
    assert mended == replace(right, version=wrong.version + 1)
    assert not prove_ledgers.proven(Wanted(bed.table_name)).faulty
    (record,) = bed.audit.records(ACME, NOON, LATER + timedelta(days=1))
    assert (record.action, record.actor) == ("balance.rebuilt", "zoe")
    assert record.before["wallet_micros"] == 7 * USD
    assert record.after["reason"] == "T-81"
    # Again: there is nothing left to do, and nothing is written.
    assert rebuild_balance.rebuild(table, ACME, SIGNED, LATER) == (mended, mended)


def test_nothing_is_rebuilt_from_a_ledger_that_lacks_an_entry(bed: Bed, table: Table) -> None:
    right = bed.book.account(ACME)
    first = next(bed.book.entries(right))
    table.delete(ledger_entry(ACME, first.posted_at, 1))
    with pytest.raises(LedgerBrokenError):
        rebuild_balance.rebuild(table, ACME, SIGNED, LATER)
    assert bed.book.account(ACME) == right


def test_a_drill_restores_a_copy_and_proves_it(bed: Bed) -> None:
    client = boto3.client("dynamodb")
    client.update_continuous_backups(
        TableName=bed.table_name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    copy, took = restore_drill.restored(client, bed.table_name, None, sleep=lambda _: None)
    assert copy.startswith("drill-")
    drill = restore_drill.examined(copy, took)
    assert (drill.run.proven, drill.run.faulty, drill.newest) == (2, (), NOON)
    wallets = sum(bed.book.account(ref).wallet_micros for ref in (ACME, OTHER))
    assert drill.totals == {"USD": wallets}
    said = restore_drill.report(drill)
    assert "2 ledgers with 4 entries: all sound" in said
    assert f"delete-table --table-name {copy}" in said


def test_a_copy_that_is_not_sound_fails_the_drill(bed: Bed, table: Table) -> None:
    key = account_state(OTHER)
    table.put(items.account_item(replace(bed.book.account(OTHER), wallet_micros=1)))
    assert table.get(key) is not None
    drill = restore_drill.examined(bed.table_name, timedelta(minutes=4))
    assert [one.account.ref for one in drill.run.faulty] == [OTHER]
    assert "restored in 240 s\n2 ledgers with 4 entries: 1 NOT SOUND" in restore_drill.report(drill)


@pytest.fixture
def queues() -> Iterator[tuple[Any, str, str]]:
    with aws.moto() as one:
        client = one.client("sqs")
        source, letters = one.queue_url(), one.queue_url()
        arn = client.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])
        policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": "2"}
        client.set_queue_attributes(
            QueueUrl=source, Attributes={"RedrivePolicy": json.dumps(policy)}
        )
        yield client, source, letters


def put(client: Any, queue_url: str, body: str) -> None:
    client.send_message(
        QueueUrl=queue_url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=body
    )


def test_dead_letters_are_put_back_where_they_came_from(queues: tuple[Any, str, str]) -> None:
    client, _, letters = queues
    arn = client.get_queue_attributes(QueueUrl=letters, AttributeNames=["QueueArn"])
    # moto has no such task: what is asked of AWS is compared with AWS's own description of it.
    with Stubber(client) as stub:
        stub.add_response(
            "get_queue_attributes", arn, {"QueueUrl": letters, "AttributeNames": ["QueueArn"]}
        )
        stub.add_response(
            "start_message_move_task",
            {"TaskHandle": "t-1"},
            {"SourceArn": arn["Attributes"]["QueueArn"]},
        )
        assert dead_letters.redriven(client, letters) == "redriving: t-1"


def test_dead_letters_are_shown_without_what_was_used_and_stay(
    queues: tuple[Any, str, str],
) -> None:
    client, _, letters = queues
    event = a_usage_event(1).to_json()
    put(client, letters, json.dumps({"tenant": "acme", "account": "main", "events": [event]}))
    put(client, letters, "no JSON")
    for _ in range(2):
        found = dead_letters.letters(client, letters)
        assert [one.about for one in found] == ["tenant=acme account=main events=1", "not JSON"]
    assert str(event["to"]) not in dead_letters.rendered(found)
    assert dead_letters.rendered([]) == "no dead letters"


class Publisher:
    """events.publish, as Lambda answers for it."""

    def __init__(self, *, fails_at: int | None = None, error: str = "") -> None:
        self.records: list[Mapping[str, Any]] = []
        self._fails_at = fails_at
        self._error = error

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: N803  # AWS's
        if self._error:
            body = json.dumps({"errorMessage": self._error}).encode()
            return {"Payload": io.BytesIO(body), "FunctionError": "Unhandled"}
        records = json.loads(Payload)["Records"]
        self.records += records
        failed = [] if self._fails_at is None else [{"itemIdentifier": str(self._fails_at)}]
        return {"Payload": io.BytesIO(json.dumps({"batchItemFailures": failed}).encode())}


def test_what_the_stream_gave_up_on_is_published_from_the_outbox(bed: Bed) -> None:
    low = Event("main/1/balance.low", EventType.BALANCE_LOW, ACME, NOON, {})
    bed.commit(a_touch(bed.book.account(ACME), "low", events=(low,)))
    client = boto3.client("dynamodb")
    young = NOON + republish.LEFT_AFTER - timedelta(seconds=1)
    assert list(republish.left(client, bed.table_name, young)) == []
    images = list(republish.left(client, bed.table_name, NOON + republish.LEFT_AFTER))
    publisher = Publisher()
    assert republish.republished(publisher, "publish", images) == 1
    (record,) = publisher.records
    assert record["dynamodb"]["NewImage"] == items.event_item(4, low).serialize()


def test_what_the_publisher_could_not_publish_is_not_counted() -> None:
    images: list[Mapping[str, Any]] = [{"pk": {"S": "EVENT#a"}, "sk": {"S": str(n)}} for n in "123"]
    assert republish.republished(Publisher(fails_at=2), "publish", images) == 1
    with pytest.raises(republish.RepublishError, match="no bus"):
        republish.republished(Publisher(error="no bus"), "publish", images)
