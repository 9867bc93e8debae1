"""Corrected calls: every revision is kept, the last one stands, and none is written twice."""

from dataclasses import replace

import pytest

from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.correcting import Correction, correct_usage
from billing.domain.errors import StaleAccountError
from billing.domain.ledger import EntryKind, prove
from billing.domain.posting import MAX_CALLS, RatedUsage
from billing.domain.rating import rate_usage
from billing.domain.usage import Call, CorrectionSource
from billing.ports import AlreadyRecordedError, CallsRecordedError
from builders import (
    ACME,
    NOON,
    a_deck,
    a_posting,
    a_usage_event,
    an_audit_record,
    an_operation,
)
from capacity import Accountant
from contract.beds import BEDS, Bed
from contract.changes import opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)


def posted(bed: Bed, count: int = 2) -> tuple[Account, tuple[Call, ...]]:
    posting = a_posting(opened(bed), [a_usage_event(number) for number in range(1, count + 1)])
    return bed.commit(posting), posting.calls


def a_correction(
    account: Account, calls: tuple[Call, ...], quantity: int = 30, operation_id: str = "correction"
) -> Change:
    corrections = []
    for call in calls:
        event = replace(call.event, quantity=quantity)
        rated = rate_usage(a_deck(), event.unit, event.direction, event.to_number, quantity)
        corrections.append(Correction(call, RatedUsage(event, rated)))
    operation = an_operation(account.ref, operation_id)
    records = (an_audit_record(account.ref, operation_id),)
    source = CorrectionSource.OPERATOR
    return correct_usage(account, corrections, source, operation, NOON, records)


def test_every_revision_is_there_and_the_last_one_stands(bed: Bed) -> None:
    account, (call, other) = posted(bed)
    first = a_correction(account, (call,))
    second = a_correction(bed.commit(first), first.revisions, 20, "again")
    account = bed.commit(second)
    key = call.event.key
    keys = [key, other.event.key]
    assert bed.book.calls("acme", keys) == {key: call, other.event.key: other}
    assert bed.book.current_calls("acme", keys) == {
        key: second.revisions[0],
        other.event.key: other,
    }
    names = [(key, 0), (key, 1), (key, 2), (key, 3), (other.event.key, 0)]
    assert bed.book.call_revisions("acme", names) == {
        (key, 0): call,
        (key, 1): first.revisions[0],
        (key, 2): second.revisions[0],
        (other.event.key, 0): other,
    }
    assert account == second.after


def test_the_entries_come_back_with_their_revisions_and_are_proven(bed: Bed) -> None:
    account, calls = posted(bed)
    correction = a_correction(account, calls)
    account = bed.commit(correction)
    entries = list(bed.book.entries(account))
    assert entries[1:] == list(correction.entries)
    assert [entry.kind for entry in entries] == [
        EntryKind.USAGE,
        EntryKind.REVERSAL,
        EntryKind.USAGE,
    ]
    assert [entry.usage.revisions for entry in entries] == [(), (0, 0), (1, 1)]
    assert prove(account, entries).is_sound


def test_a_correction_that_is_recorded_writes_nothing(bed: Bed) -> None:
    account, (call, _) = posted(bed)
    correction = a_correction(account, (call,))
    after = bed.commit(correction)
    contents = bed.contents()
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(correction)
    anew = a_correction(after, correction.revisions)
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(anew)
    assert bed.contents() == contents


def test_a_correction_of_a_revision_that_no_longer_stands_is_stale(bed: Bed) -> None:
    account, (call, _) = posted(bed)
    bed.commit(a_correction(account, (call,)))
    contents = bed.contents()
    with pytest.raises(StaleAccountError):
        bed.book.commit(a_correction(account, (call,), 20, "other"))
    assert bed.contents() == contents


def test_the_first_report_again_meets_the_call_as_first_posted(bed: Bed) -> None:
    account, (call, _) = posted(bed)
    account = bed.commit(a_correction(account, (call,)))
    with pytest.raises(CallsRecordedError) as raised:
        bed.book.commit(a_posting(account, [call.event]))
    assert raised.value.calls == (call,)


def test_a_whole_batch_is_corrected_in_one_transaction(bed: Bed) -> None:
    account, calls = posted(bed, MAX_CALLS)
    correction = a_correction(account, calls)
    bed.book.commit(correction)
    current = bed.book.current_calls("acme", [call.event.key for call in calls])
    assert set(current.values()) == set(correction.revisions)


def test_another_tenants_names_find_no_revision(bed: Bed) -> None:
    account, (call, _) = posted(bed)
    bed.commit(a_correction(account, (call,)))
    key = call.event.key
    assert bed.book.current_calls("globex", [key]) == {}
    assert bed.book.call_revisions("globex", [(key, 0), (key, 1)]) == {}
    assert bed.book.call_revisions("acme", []) == {}
    assert bed.book.account(ACME).head.sequence == 3


@pytest.mark.parametrize("calls", [1, 10, MAX_CALLS])
def test_correcting_n_calls_costs_four_write_units_for_each_and_eight_for_the_rest(
    bed: Bed, calls: int
) -> None:
    if not bed.table_name:
        pytest.skip("memory costs nothing")
    with Accountant().watching() as accountant:
        account, recorded = posted(bed, calls)
        correction = replace(a_correction(account, recorded), records=())
        with accountant.counting() as used:
            bed.book.commit(correction)
    assert used.all_write_units == 4 * calls + 8
    assert used.calls == {"TransactWriteItems": 1}
    assert {kind: size for kind, size in used.largest.items() if size > 1024} == {}
