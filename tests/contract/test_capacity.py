"""What money costs to move: exact, from the requests, because no emulator counts it right."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import boto3
import pytest

from billing.adapters.dynamodb import items, keys
from billing.domain import alerts
from billing.domain.account import Account, AccountRef
from billing.domain.recharging import Collected, DueReason, RechargeMode, RechargePolicy
from billing.domain.records import Timer, TimerKind
from builders import (
    ACME,
    NOON,
    USD,
    a_maximal_account,
    a_posting,
    a_touch,
    a_usage_event,
    an_account,
    an_opening,
)
from capacity import Accountant
from contract.beds import Bed

pytestmark = pytest.mark.parametrize("bed", ["moto"], indirect=True)


@pytest.fixture
def accountant(bed: Bed) -> Iterator[Accountant]:
    with Accountant().watching() as accountant:
        yield accountant


def a_well_used_account(bed: Bed) -> Account:
    """Long ids, four lots and a month's spend; its period runs, and no recharge is wanted."""
    full = a_maximal_account()
    period = an_account().period
    quiet = replace(
        full.recharging,
        policy=replace(full.recharging.policy, mode=RechargeMode.OFF),
        opened=(),
        due_at=None,
        due_reason=None,
        suspended_at=None,
        suspended_reason=None,
    )
    opening = replace(
        full,
        version=0,
        wallet_micros=0,
        head=replace(full.head, sequence=0, posted_at=NOON),
        period=period,
        recharging=quiet,
    )
    return bed.commit(an_opening(opening))


@pytest.mark.parametrize("calls", [1, 10, 25])
def test_a_batch_of_n_calls_costs_two_write_units_for_each_and_four_for_the_rest(
    bed: Bed, accountant: Accountant, calls: int
) -> None:
    account = a_well_used_account(bed)
    posting = a_posting(account, [a_usage_event(number) for number in range(calls)])
    with accountant.counting() as used:
        bed.book.commit(posting)
    assert used.all_write_units == 2 * (calls + 2)
    assert used.calls == {"TransactWriteItems": 1}
    assert {kind: size for kind, size in used.largest.items() if size > 1024} == {}


def test_automatic_recharge_with_its_limits_and_a_backup_costs_a_posting_nothing_more(
    bed: Bed, accountant: Accountant
) -> None:
    account = a_well_used_account(bed)
    policy = RechargePolicy(
        RechargeMode.USAGE,
        minimum_micros=25 * USD,
        maximum_micros=5_000 * USD,
        monthly_cap_micros=90_000 * USD,
    )
    recharging = replace(
        account.recharging,
        policy=policy,
        due_at=NOON,
        due_reason=DueReason.LOW,
        backup_source_ids=("src_0123456789abcdef0123",),
        collected=Collected(NOON.date().replace(day=1), 54_321_000_000),
    )
    set_up = a_touch(account, "set up")
    account = bed.commit(
        replace(set_up, after=replace(set_up.after, recharging=recharging, wallet_micros=0))
    )
    with accountant.counting() as used:
        bed.book.commit(a_posting(account, [a_usage_event(1)]))
    assert used.all_write_units == 2 * (1 + 2)


def test_a_batch_that_is_refused_is_billed_as_well(bed: Bed, accountant: Accountant) -> None:
    account = a_well_used_account(bed)
    posting = a_posting(account, [a_usage_event(1)])
    bed.book.commit(posting)
    with accountant.counting() as used, pytest.raises(Exception, match="recorded"):
        bed.book.commit(posting)
    assert used.all_write_units == 6


def test_reading_an_account_costs_one_read_unit(bed: Bed, accountant: Accountant) -> None:
    account = a_well_used_account(bed)
    with accountant.counting() as used:
        bed.book.account(account.ref)
    assert used.read_units == 1


def test_moving_a_timer_costs_its_write_and_two_index_entries(
    bed: Bed, accountant: Accountant
) -> None:
    account = bed.commit(an_opening(an_account()))
    timers = [Timer(TimerKind.PERIOD_END, ACME, at) for at in (NOON, account.period.end_at)]
    costs = []
    for number, timer in enumerate(timers):
        with accountant.counting() as used:
            account = bed.commit(a_touch(account, str(number), timers_set=(timer,)))
        costs.append((used.write_units, used.index_write_units))
    assert costs == [(6, 2), (6, 2)]


@pytest.mark.parametrize("accounts", [10, 1_000])
def test_an_idle_sweep_costs_the_same_however_many_accounts_there_are(
    bed: Bed, accounts: int
) -> None:
    not_due = an_account().period.end_at
    refs = [AccountRef("acme", f"account-{number}") for number in range(accounts)]
    timers = [items.timer_item(Timer(TimerKind.PERIOD_END, ref, not_due)) for ref in refs]
    client = boto3.client("dynamodb")
    for timer in timers:
        client.put_item(TableName=bed.table_name, Item=timer.serialize())
    with Accountant().watching() as accountant, accountant.counting() as used:
        assert list(bed.timers.due(TimerKind.PERIOD_END, NOON)) == []
    assert used.calls == {"Query": keys.SHARDS}
    assert used.read_units == Fraction(keys.SHARDS, 2)


def test_the_largest_amounts_fit_what_a_posting_pays_for(bed: Bed, accountant: Accountant) -> None:
    account = a_well_used_account(bed)
    events = [a_usage_event(number, quantity=10**7 - number) for number in range(25)]
    posting = alerts.told(a_posting(account, events, rate_micros=10 * USD), NOON)
    with accountant.counting() as used:
        bed.book.commit(posting)
    # Once a period: such a posting uses up every lot of seconds, which one event of two kilobytes
    # tells, and a record of each lot and percentage says since when.
    told = 2 * 2 + 2 * len(posting.records)
    assert len(posting.records) == 3 * 2
    assert used.all_write_units == 2 * (25 + 2) + told
