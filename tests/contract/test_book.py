"""What every book keeps to: outcomes, their precedence, and that nothing is half written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.account import AccountRef
from billing.domain.change import MAX_ITEMS, Change
from billing.domain.errors import (
    ChangeTooLargeError,
    ConflictError,
    IdConflictError,
    NotFoundError,
    StaleAccountError,
)
from billing.domain.records import (
    OperationState,
    Recharge,
    TimerKind,
)
from billing.ports import AlreadyRecordedError, CallsRecordedError
from builders import (
    ACME,
    GLOBEX,
    NOON,
    USD,
    a_credit,
    a_posting,
    a_recharge_change,
    a_settlement,
    a_source,
    a_tenant,
    a_touch,
    a_usage_event,
    an_account,
    an_opening,
    an_operation,
)
from contract.beds import BEDS, Bed
from contract.changes import full_change, opened, payment_for

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)


def test_everything_in_a_change_is_there_afterwards(bed: Bed) -> None:
    before = opened(bed)
    change = full_change(before)
    bed.book.commit(change)

    assert bed.book.account(ACME) == change.after
    assert bed.book.operation(ACME, "everything") == change.operation
    assert bed.book.operation(ACME, "earlier") == change.finished
    assert tuple(bed.book.entries(change.after)) == change.entries
    keys = [call.event.key for call in change.calls]
    assert bed.book.calls("acme", keys) == dict(zip(keys, change.calls, strict=True))
    recharge, source, closed, _, tenant, listing, _ = change.records
    assert bed.book.recharge(ACME, 1) == recharge
    assert bed.book.funding_source(ACME, "card-1") == source
    assert bed.book.funding_sources(ACME) == [source]
    assert bed.book.closed_periods(ACME, 2026) == [closed]
    assert bed.directory.tenant("initech") == tenant
    assert listing in bed.directory.accounts("acme", None, 10)
    assert list(bed.timers.due(TimerKind.RECHARGE, NOON)) == list(change.timers_set)
    assert list(bed.timers.due(TimerKind.PERIOD_END, before.period.end_at)) == []


def move_on(bed: Bed, change: Change) -> None:
    assert change.before is not None
    bed.book.commit(a_touch(change.before, "elsewhere"))


def open_its_tenant(bed: Bed, change: Change) -> None:
    initech = AccountRef("initech", "main")
    bed.book.commit(an_opening(an_account(initech), a_tenant("initech")))


def post_its_call(bed: Bed, change: Change) -> None:
    bed.book.commit(a_posting(opened(bed, AccountRef("acme", "other")), [a_usage_event(2)]))


def credit_its_payment(bed: Bed, change: Change) -> None:
    other = opened(bed, AccountRef("acme", "other"))
    payment = replace(payment_for(other), account=other.ref)
    bed.book.commit(a_credit(other, payment.amount_micros, "other", records=(payment,)))


def record_its_operation(bed: Bed, change: Change) -> None:
    assert change.before is not None
    bed.book.commit(a_touch(change.before, "everything"))


@pytest.mark.parametrize(
    ("meanwhile", "error"),
    [
        pytest.param(move_on, StaleAccountError, id="the account moved on"),
        pytest.param(open_its_tenant, ConflictError, id="the tenant exists"),
        pytest.param(post_its_call, CallsRecordedError, id="another account has its call"),
        pytest.param(credit_its_payment, IdConflictError, id="another account has its payment"),
        pytest.param(record_its_operation, AlreadyRecordedError, id="its operation is recorded"),
    ],
)
def test_a_change_that_is_refused_writes_nothing_at_all(
    bed: Bed, meanwhile: Callable[[Bed, Change], None], error: type[Exception]
) -> None:
    change = full_change(opened(bed))
    meanwhile(bed, change)
    contents = bed.contents()
    with pytest.raises(error):
        bed.book.commit(change)
    assert bed.contents() == contents


def test_a_repetition_with_the_same_body_gives_what_is_recorded(bed: Bed) -> None:
    change = a_touch(opened(bed), "pay")
    bed.book.commit(change)
    again = replace(change, operation=an_operation(ACME, "pay", answer={"answered": "anew"}))
    contents = bed.contents()
    with pytest.raises(AlreadyRecordedError) as raised:
        bed.book.commit(again)
    assert raised.value.operation == change.operation
    assert bed.contents() == contents


def test_a_repetition_with_another_body_is_refused_and_writes_nothing(bed: Bed) -> None:
    account = bed.commit(a_touch(opened(bed), "pay"))
    again = replace(
        a_touch(account, "pay"), operation=an_operation(ACME, "pay", body_hash="c" * 64)
    )
    contents = bed.contents()
    with pytest.raises(IdConflictError, match="pay"):
        bed.book.commit(again)
    assert bed.contents() == contents


def test_a_repetition_fails_both_conditions_and_the_records_reason_wins(bed: Bed) -> None:
    before = opened(bed)
    pay = a_touch(before, "pay")
    bed.book.commit(pay)
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(pay)

    account = bed.book.account(ACME)
    posting = a_posting(account, [a_usage_event(1)])
    bed.book.commit(posting)
    with pytest.raises(CallsRecordedError) as raised:
        bed.book.commit(posting)
    assert raised.value.calls == posting.calls


def test_two_accounts_of_a_tenant_may_use_the_same_operation_id(bed: Bed) -> None:
    other = AccountRef("acme", "other")
    bed.commit(a_touch(opened(bed), "pay"))
    bed.commit(a_touch(opened(bed, other), "pay"))
    recorded = bed.book.operation(other, "pay")
    assert recorded is not None
    assert recorded.account == other


def test_an_account_that_moved_on_is_stale(bed: Bed) -> None:
    seen = opened(bed)
    bed.commit(a_touch(seen, "first"))
    with pytest.raises(StaleAccountError):
        bed.book.commit(a_touch(seen, "second"))
    assert bed.book.operation(ACME, "second") is None


def test_an_account_is_opened_once(bed: Bed) -> None:
    opened(bed)
    with pytest.raises(StaleAccountError):
        bed.book.commit(an_opening(an_account(billing_day=9), operation_id="open again"))


def test_an_opening_of_a_tenant_that_exists_is_a_conflict_and_opens_no_account(bed: Bed) -> None:
    bed.commit(an_opening(an_account(), a_tenant()))
    second = AccountRef("acme", "second")
    with pytest.raises(ConflictError):
        bed.book.commit(an_opening(an_account(second), a_tenant(name="Acme Ltd.")))
    with pytest.raises(NotFoundError):
        bed.book.account(second)
    assert bed.directory.tenant("acme") == a_tenant()


def test_a_change_of_an_account_that_does_not_exist_is_stale(bed: Bed) -> None:
    with pytest.raises(StaleAccountError):
        bed.book.commit(a_touch(an_account().next_version(), "pay"))


def test_calls_recorded_are_told_with_their_records_in_the_batchs_order(bed: Bed) -> None:
    before = opened(bed)
    first = a_posting(before, [a_usage_event(number) for number in (3, 1, 2)])
    account = bed.commit(first)
    batch = a_posting(account, [a_usage_event(number) for number in (1, 4, 3, 5)])
    contents = bed.contents()
    with pytest.raises(CallsRecordedError) as raised:
        bed.book.commit(batch)
    assert [call.event.key for call in raised.value.calls] == [
        a_usage_event(1).key,
        a_usage_event(3).key,
    ]
    assert set(raised.value.calls) <= set(first.calls)
    assert bed.contents() == contents


def test_a_call_is_recorded_once_whichever_account_it_goes_to(bed: Bed) -> None:
    other = AccountRef("acme", "other")
    bed.commit(a_posting(opened(bed), [a_usage_event(1)]))
    with pytest.raises(CallsRecordedError) as raised:
        bed.book.commit(a_posting(opened(bed, other), [a_usage_event(1)]))
    assert raised.value.calls[0].account == ACME


def test_a_batch_that_names_a_call_twice_is_our_own_mistake_and_writes_nothing(bed: Bed) -> None:
    twice = a_posting(opened(bed), [a_usage_event(1), a_usage_event(1)])
    contents = bed.contents()
    with pytest.raises(AssertionError, match="once"):
        bed.book.commit(twice)
    assert bed.contents() == contents


def test_a_change_of_one_hundred_items_is_written(bed: Bed) -> None:
    before = opened(bed)
    sources = tuple(a_source(ACME, f"card-{number:03d}") for number in range(MAX_ITEMS - 2))
    change = a_touch(before, "many", records=sources)
    assert change.item_count == MAX_ITEMS
    bed.book.commit(change)
    assert bed.book.funding_sources(ACME) == list(sources)


def test_a_change_of_more_items_is_too_large_and_writes_nothing(bed: Bed) -> None:
    before = opened(bed)
    sources = tuple(a_source(ACME, f"card-{number:03d}") for number in range(MAX_ITEMS - 1))
    contents = bed.contents()
    with pytest.raises(ChangeTooLargeError):
        bed.book.commit(a_touch(before, "many", records=sources))
    assert bed.contents() == contents


def test_a_recorded_operation_that_is_too_large_is_too_large_first(bed: Bed) -> None:
    account = bed.commit(a_touch(opened(bed), "many"))
    sources = tuple(a_source(ACME, f"card-{number:03d}") for number in range(MAX_ITEMS))
    with pytest.raises(ChangeTooLargeError):
        bed.book.commit(a_touch(account, "many", records=sources))


def test_a_payment_and_a_tenant_count_as_the_two_items_they_are(bed: Bed) -> None:
    before = opened(bed)
    sources = tuple(a_source(ACME, f"card-{number:03d}") for number in range(MAX_ITEMS - 4))
    fits = a_touch(before, "many", records=(*sources, a_tenant("initech")))
    assert fits.item_count == MAX_ITEMS
    bed.book.commit(fits)


def test_a_saga_finishes_the_operation_it_began_with(bed: Bed) -> None:
    before = opened(bed)
    pending = an_operation(ACME, "request", state=OperationState.PENDING, answer=None)
    account = bed.commit(replace(a_touch(before, "request"), operation=pending))
    done = an_operation(ACME, "request", answer={"state": "succeeded"})
    bed.commit(a_touch(account, "settle", finished=done))
    assert bed.book.operation(ACME, "request") == done


def test_a_capture_is_credited_once_and_tells_what_credited_it(bed: Bed) -> None:
    before = opened(bed)
    intent = a_recharge_change(before)
    account = bed.commit(intent)
    (recharge,) = intent.records
    assert isinstance(recharge, Recharge)
    settlement = a_settlement(account, recharge)
    settled = bed.commit(settlement)
    later = replace(payment_for(before), captured_at=NOON + timedelta(hours=1))
    by_webhook = a_credit(settled, recharge.amount_micros, "webhook", records=(later,))
    contents = bed.contents()
    with pytest.raises(AlreadyRecordedError) as raised:
        bed.book.commit(by_webhook)
    assert raised.value.operation == settlement.operation
    assert bed.contents() == contents


def test_the_same_payment_for_another_amount_is_refused(bed: Bed) -> None:
    before = opened(bed)
    payment = payment_for(before)
    account = bed.commit(a_credit(before, 20 * USD, "first", records=(payment,)))
    more = replace(payment, amount_micros=21 * USD)
    with pytest.raises(IdConflictError):
        bed.book.commit(a_credit(account, 21 * USD, "second", records=(more,)))


def test_a_payment_credited_to_another_tenant_is_refused(bed: Bed) -> None:
    payment = payment_for(opened(bed))
    bed.commit(a_credit(bed.book.account(ACME), 20 * USD, "first", records=(payment,)))
    other = opened(bed, GLOBEX)
    theirs = replace(payment, account=GLOBEX)
    contents = bed.contents()
    with pytest.raises(IdConflictError):
        bed.book.commit(a_credit(other, 20 * USD, "second", records=(theirs,)))
    assert bed.contents() == contents
