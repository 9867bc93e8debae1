"""A Change that would move money without an entry, or skip a step, cannot be made."""

from dataclasses import replace

import pytest

from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.ledger import USAGE_REVENUE, WALLET, EntryKind, LedgerEntry, post
from billing.domain.posting import RatedUsage, post_usage
from billing.domain.records import Event, EventType, Payment, Timer, TimerKind
from builders import (
    ACME,
    NOON,
    USD,
    a_closed_period,
    a_source,
    a_tenant,
    a_usage_event,
    an_account,
    an_audit_record,
    an_operation,
)

BEFORE = an_account(wallet_micros=100).next_version()


def credited(account: Account, micros: int = 5) -> tuple[Account, LedgerEntry]:
    return post(
        account,
        kind=EntryKind.RECHARGE,
        cause="recharge",
        debit="gateway:sandbox",
        credit=WALLET,
        amount_micros=micros,
        now=NOON,
    )


def change(after: Account, *entries: LedgerEntry, before: Account | None = BEFORE) -> Change:
    return Change(before=before, after=after, operation=an_operation(), entries=entries)


def test_entries_that_follow_on_and_sum_to_the_wallet_make_a_change() -> None:
    once, first = credited(BEFORE)
    twice, second = credited(once, 7)
    made = change(twice.next_version(), first, second)
    assert made.after.wallet_micros == 112


def test_money_does_not_move_without_an_entry() -> None:
    with pytest.raises(AssertionError, match="money moves by ledger entry only"):
        change(replace(BEFORE, wallet_micros=101).next_version())


def test_money_moves_by_exactly_what_its_entries_say() -> None:
    after, entry = credited(BEFORE)
    with pytest.raises(AssertionError, match="money moves by ledger entry only"):
        change(replace(after, wallet_micros=106).next_version(), entry)


def test_an_entry_between_other_accounts_does_not_move_the_wallet() -> None:
    after, entry = post(
        BEFORE,
        kind=EntryKind.USAGE,
        cause="elsewhere",
        debit="gateway:sandbox",
        credit=USAGE_REVENUE,
        amount_micros=5,
        now=NOON,
    )
    assert change(after.next_version(), entry).after.wallet_micros == 100


def test_a_new_account_holds_no_money_without_an_entry() -> None:
    with pytest.raises(AssertionError, match="money moves by ledger entry only"):
        change(an_account(wallet_micros=1).next_version(), before=None)


@pytest.mark.parametrize("versions", [0, 2])
def test_the_version_rises_by_one(versions: int) -> None:
    after = replace(BEFORE, version=BEFORE.version + versions)
    with pytest.raises(AssertionError, match="bumps the version by one"):
        change(after)


def test_an_account_opens_at_its_first_version() -> None:
    change(an_account().next_version(), before=None)
    with pytest.raises(AssertionError, match="bumps the version by one"):
        change(an_account().next_version().next_version(), before=None)


def test_a_sequence_is_not_skipped() -> None:
    after, entry = credited(BEFORE)
    ahead = replace(after, head=replace(after.head, sequence=2)).next_version()
    with pytest.raises(AssertionError, match="entries follow on"):
        change(ahead, replace(entry, sequence=2))


def test_entries_come_in_sequence() -> None:
    once, first = credited(BEFORE)
    twice, second = credited(once)
    with pytest.raises(AssertionError, match="entries follow on"):
        change(twice.next_version(), second, first)


def test_the_head_is_the_last_entry() -> None:
    after, entry = credited(BEFORE)
    with pytest.raises(AssertionError, match="the head is the last entry"):
        change(replace(after, head=BEFORE.head).next_version(), entry)
    with pytest.raises(AssertionError, match="the head is the last entry"):
        change(replace(BEFORE, head=after.head).next_version())


def test_a_change_has_a_cause() -> None:
    with pytest.raises(AssertionError, match="has a cause"):
        Change(before=BEFORE, after=BEFORE.next_version())


def test_a_usage_batch_is_its_own_cause() -> None:
    posted = post_usage(BEFORE, [RatedUsage(a_usage_event(1, quantity=0), None)], NOON)
    assert posted.operation is None


def test_the_smallest_change_is_the_account_and_its_operation() -> None:
    assert change(BEFORE.next_version()).item_count == 2


def test_everything_written_is_counted() -> None:
    after, entry = credited(BEFORE)
    posted = post_usage(BEFORE, [RatedUsage(a_usage_event(1, quantity=0), None)], NOON)
    event = Event("id", EventType.BALANCE_LOW, ACME, NOON, {})
    payment = Payment(ACME, "sandbox", "pay-1", 5, "USD", 1, NOON)
    full = Change(
        before=BEFORE,
        after=after.next_version(),
        operation=an_operation(),
        finished=an_operation(operation_id="asked"),
        entries=(entry,),
        calls=posted.calls * 3,
        records=(
            a_source(),
            an_audit_record(),
            a_closed_period(BEFORE),
            payment,
            a_tenant(),
        ),
        timers_set=(Timer(TimerKind.RECHARGE, ACME, NOON),),
        timers_cleared=(TimerKind.PERIOD_END,),
        events=(event, event),
    )
    # The payment's pointer and the tenant's line in the directory are items of their own.
    assert full.item_count == 1 + 2 + 1 + 3 + 5 + 2 + 1 + 1 + 2


def test_a_posting_of_calls_without_a_crossing_counts_them_the_entry_and_the_account() -> None:
    usage = [RatedUsage(a_usage_event(number, quantity=0), None) for number in range(10)]
    quiet = an_account(wallet_micros=USD).next_version()
    assert post_usage(quiet, usage, NOON).item_count == 12
