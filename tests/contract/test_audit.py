"""What every book keeps of who changed what: all of it, once, and for good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pynamodb.exceptions import TransactWriteError

from billing.domain.account import Account, AccountRef
from billing.domain.records import AuditRecord, Origin
from billing.ports import AlreadyRecordedError
from builders import ACME, GLOBEX, a_touch, an_audit_record
from contract.beds import BEDS, Bed
from contract.changes import opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)

START = datetime(2024, 12, 30, tzinfo=UTC)
END = START + timedelta(days=800)


def told(name: str, at: datetime, ref: AccountRef = ACME) -> AuditRecord:
    origin = Origin("2001:db8::1", "curl/8.5 “quoted”")
    return replace(an_audit_record(ref, name), at=at, origin=origin, is_machine=True)


def written(bed: Bed, account: Account, *records: AuditRecord) -> Account:
    for record in records:
        account = bed.commit(a_touch(account, record.operation_id, records=(record,)))
    return account


def test_records_come_back_whole_newest_first_across_years(bed: Bed) -> None:
    days = (0, 1, 2, 400, 401)
    records = [told(f"op-{day}", START + timedelta(days=day)) for day in days]
    written(bed, opened(bed), *records)
    written(bed, opened(bed, GLOBEX), told("other", START, GLOBEX))
    newest_first = records[::-1]
    assert list(bed.audit.records(ACME, START, END)) == newest_first
    for place, record in enumerate(newest_first):
        seen = (record.at, record.operation_id)
        assert list(bed.audit.records(ACME, START, END, seen)) == newest_first[place + 1 :]


def test_a_span_has_its_begin_in_it_and_not_its_end(bed: Bed) -> None:
    records = [told(f"op-{day}", START + timedelta(days=day)) for day in range(4)]
    written(bed, opened(bed), *records)
    found = bed.audit.records(ACME, records[1].at, records[3].at)
    assert list(found) == [records[2], records[1]]
    assert list(bed.audit.records(ACME, records[3].at, records[1].at)) == []
    last = (records[1].at, records[1].operation_id)
    assert list(bed.audit.records(ACME, records[2].at, END, last)) == []


def test_records_of_one_instant_are_all_listed_once(bed: Bed) -> None:
    records = [told(f"op-{number}", START) for number in range(5)]
    written(bed, opened(bed), *records)
    found: list[AuditRecord] = []
    before = None
    while one := next(bed.audit.records(ACME, START, END, before), None):
        found.append(one)
        before = (one.at, one.operation_id)
    assert sorted(found, key=lambda record: record.operation_id) == records


def test_a_replayed_operation_writes_no_second_record(bed: Bed) -> None:
    account = opened(bed)
    change = a_touch(account, "op", records=(told("op", START),))
    account = bed.commit(change)
    later = told("op", START + timedelta(days=1))
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(a_touch(account, "op", records=(later,)))
    assert list(bed.audit.records(ACME, START, END)) == [told("op", START)]


def test_no_change_writes_over_a_record(bed: Bed) -> None:
    account = written(bed, opened(bed), told("op", START))
    forged = replace(told("op", START), actor="somebody else")
    before = bed.contents()
    with pytest.raises((TransactWriteError, AssertionError)):
        bed.book.commit(a_touch(account, "another", records=(forged,)))
    assert list(bed.audit.records(ACME, START, END)) == [told("op", START)]
    if bed.table_name:
        assert bed.contents() == before
