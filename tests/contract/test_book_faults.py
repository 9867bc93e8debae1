"""What DynamoDB does to us and no emulator does: injected between the book and botocore."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from pynamodb.exceptions import TransactWriteError

from aws_calls import Params, Proceed, client_error, intercepted
from billing.adapters.dynamodb import book as book_module
from billing.adapters.dynamodb.book import DynamoDBBook
from billing.adapters.dynamodb.table import UNPROCESSED_ATTEMPTS, Table
from billing.domain.account import Account
from billing.domain.errors import BookContendedError, StaleAccountError
from billing.domain.ledger import prove
from billing.ports import AlreadyRecordedError, CallsRecordedError
from builders import ACME, USD, a_credit, a_posting, a_touch, a_usage_event, an_account, an_opening
from contract.beds import Bed

pytestmark = pytest.mark.parametrize("bed", ["moto"], indirect=True)

Fault = Callable[[Params, Proceed], dict[str, Any]]


@dataclass
class Faults:
    """Spoils calls of the operations that have a fault, and counts every call."""

    by_operation: dict[str, Fault] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def intercept(
        self, service: str, operation: str, params: Params, proceed: Proceed
    ) -> dict[str, Any]:
        self.calls[operation] = self.calls.get(operation, 0) + 1
        fault = self.by_operation.get(operation)
        return fault(params, proceed) if fault else proceed()


@pytest.fixture
def faults(bed: Bed) -> Iterator[Faults]:
    faults = Faults()
    with intercepted(faults.intercept):
        yield faults


@pytest.fixture
def account(bed: Bed) -> Account:
    return bed.commit(an_opening(an_account()))


def refusing(operation: str, code: str, reasons: list[dict[str, Any]] | None = None) -> Fault:
    def fault(params: Params, proceed: Proceed) -> dict[str, Any]:
        raise client_error(operation, code, reasons)

    return fault


def losing_the_answer(params: Params, proceed: Proceed) -> dict[str, Any]:
    proceed()
    raise ReadTimeoutError(endpoint_url="https://dynamodb")


CANCELLED = "TransactionCanceledException"
FINE = {"Code": "None"}
CONDITION = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        (CANCELLED, [{"Code": "TransactionConflict"}, FINE]),
        (CANCELLED, [FINE, {"Code": "ThrottlingError"}]),
        (CANCELLED, [FINE, {"Code": "ProvisionedThroughputExceeded"}]),
        ("ThrottlingException", None),
        ("ProvisionedThroughputExceededException", None),
        ("RequestLimitExceeded", None),
        ("InternalServerError", None),
        ("TransactionInProgressException", None),
    ],
)
def test_contention_is_told_as_such(
    bed: Bed, faults: Faults, account: Account, code: str, reasons: list[dict[str, Any]] | None
) -> None:
    faults.by_operation["TransactWriteItems"] = refusing("TransactWriteItems", code, reasons)
    contents = bed.contents()
    with pytest.raises(BookContendedError):
        bed.book.commit(a_touch(account, "pay"))
    assert bed.contents() == contents


def test_a_failed_condition_is_read_before_contention(
    bed: Bed, faults: Faults, account: Account
) -> None:
    reasons = [CONDITION, {"Code": "TransactionConflict"}]
    faults.by_operation["TransactWriteItems"] = refusing("TransactWriteItems", CANCELLED, reasons)
    with pytest.raises(StaleAccountError):
        bed.book.commit(a_touch(account, "pay"))


def test_records_are_read_where_the_old_item_is_not_handed_over(
    bed: Bed, faults: Faults, account: Account
) -> None:
    pay = a_touch(account, "pay")
    posting = a_posting(bed.commit(pay), [a_usage_event(1), a_usage_event(2)])
    bed.book.commit(posting)
    faults.by_operation["TransactWriteItems"] = refusing(
        "TransactWriteItems", CANCELLED, [CONDITION, CONDITION, FINE, FINE]
    )
    with pytest.raises(AlreadyRecordedError) as already:
        bed.book.commit(pay)
    assert already.value.operation == pay.operation
    with pytest.raises(CallsRecordedError) as recorded:
        bed.book.commit(posting)
    assert recorded.value.calls == posting.calls


def test_a_lost_answer_leaves_the_outcome_unknown_and_committing_again_finds_it(
    bed: Bed, faults: Faults, account: Account
) -> None:
    credit = a_credit(account, USD, "credit")
    faults.by_operation["TransactWriteItems"] = losing_the_answer
    with pytest.raises(TransactWriteError):
        bed.book.commit(credit)
    del faults.by_operation["TransactWriteItems"]
    with pytest.raises(AlreadyRecordedError) as already:
        bed.book.commit(credit)
    assert already.value.operation == credit.operation
    assert bed.book.account(ACME) == credit.after


def test_a_lost_answer_to_a_posting_finds_its_calls(
    bed: Bed, faults: Faults, account: Account
) -> None:
    posting = a_posting(account, [a_usage_event(1)])
    faults.by_operation["TransactWriteItems"] = losing_the_answer
    with pytest.raises(TransactWriteError):
        bed.book.commit(posting)
    del faults.by_operation["TransactWriteItems"]
    with pytest.raises(CallsRecordedError) as recorded:
        bed.book.commit(posting)
    assert recorded.value.calls == posting.calls


def test_what_is_wrong_with_the_request_itself_is_not_hidden(
    bed: Bed, faults: Faults, account: Account
) -> None:
    reasons = [{"Code": "ValidationError", "Message": "Item size exceeds 400 KB"}, FINE]
    faults.by_operation["TransactWriteItems"] = refusing("TransactWriteItems", CANCELLED, reasons)
    with pytest.raises(TransactWriteError):
        bed.book.commit(a_touch(account, "pay"))


def test_a_throttled_read_is_contention_too(bed: Bed, faults: Faults, account: Account) -> None:
    for operation in ("GetItem", "Query", "BatchGetItem"):
        faults.by_operation[operation] = refusing(operation, "ThrottlingException")
    with pytest.raises(BookContendedError):
        bed.book.account(ACME)
    with pytest.raises(BookContendedError):
        list(bed.book.entries(account))
    with pytest.raises(BookContendedError):
        bed.book.calls("acme", [a_usage_event(1).key])


def test_a_commit_is_one_call_and_nothing_is_tried_again(
    bed: Bed, faults: Faults, account: Account
) -> None:
    faults.calls.clear()
    bed.book.commit(a_posting(account, [a_usage_event(1)]))
    assert faults.calls == {"TransactWriteItems": 1}
    throttled = refusing("TransactWriteItems", "ThrottlingException")
    faults.by_operation["TransactWriteItems"] = throttled
    with pytest.raises(BookContendedError):
        bed.book.commit(a_touch(account, "pay"))
    assert faults.calls == {"TransactWriteItems": 2}


def test_what_a_decision_or_a_proof_stands_on_is_read_consistently(
    bed: Bed, faults: Faults, account: Account
) -> None:
    reads: list[bool] = []

    def note(params: Params, proceed: Proceed) -> dict[str, Any]:
        asked = params["RequestItems"][bed.table_name] if "RequestItems" in params else params
        reads.append(asked.get("ConsistentRead", False))
        return proceed()

    faults.by_operation |= dict.fromkeys(("GetItem", "BatchGetItem", "Query"), note)
    bed.book.account(ACME)
    bed.book.operation(ACME, "open")
    bed.book.calls("acme", [a_usage_event(1).key])
    list(bed.book.entries(account))
    assert reads == [True] * 4


def answering_in_part(dice: random.Random) -> Fault:
    """Leaves a random part of a batch unprocessed, but never all of it."""

    def fault(params: Params, proceed: Proceed) -> dict[str, Any]:
        ((table, asked),) = params["RequestItems"].items()
        keys = list(asked["Keys"])
        left = dice.sample(keys, dice.randrange(len(keys)))
        asked["Keys"][:] = [key for key in keys if key not in left]
        answer = proceed()
        if left:
            answer["UnprocessedKeys"] = {table: {"Keys": left, "ConsistentRead": True}}
        return answer

    return fault


def test_keys_left_unprocessed_are_asked_for_again(
    bed: Bed, faults: Faults, account: Account
) -> None:
    posting = a_posting(account, [a_usage_event(number) for number in range(8)])
    bed.book.commit(posting)
    faults.by_operation["BatchGetItem"] = answering_in_part(random.Random(1))
    waits: list[float] = []
    book = DynamoDBBook(Table(bed.table_name, waits.append))
    keys = [a_usage_event(number).key for number in range(110)]
    assert book.calls("acme", keys) == {call.event.key: call for call in posting.calls}
    assert waits
    assert all(0 <= wait <= 1 for wait in waits)


def test_keys_left_unprocessed_for_ever_are_contention(bed: Bed, faults: Faults) -> None:
    def nothing(params: Params, proceed: Proceed) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": dict(params["RequestItems"])}

    faults.by_operation["BatchGetItem"] = nothing
    waits: list[float] = []
    with pytest.raises(BookContendedError):
        DynamoDBBook(Table(bed.table_name, waits.append)).calls("acme", [a_usage_event(1).key])
    assert len(waits) == UNPROCESSED_ATTEMPTS


def test_entries_are_fetched_page_by_page_as_they_are_taken(
    bed: Bed, faults: Faults, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_module, "ENTRIES_PAGE", 2)
    for number in range(5):
        account = bed.commit(a_credit(account, USD, str(number)))
    faults.calls.clear()
    entries = bed.book.entries(account)
    assert faults.calls == {}
    assert [next(entries).sequence for _ in range(2)] == [1, 2]
    assert faults.calls == {"Query": 1}
    assert [entry.sequence for entry in entries] == [3, 4, 5]
    assert prove(account, bed.book.entries(account)).is_sound
