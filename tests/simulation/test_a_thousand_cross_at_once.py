"""A thousand accounts fall below their thresholds at once, and the schedule behaves badly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain import opening
from billing.domain.account import AccountRef, PlanTerms
from billing.domain.change import Change
from billing.domain.collecting import relevel
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.records import FundingSource, Operation, OperationState, TimerKind
from billing.services.change_account import ChangeAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.sweep_timers import SweepTimers
from builders import USD
from fakes.book import InMemoryBook
from fakes.world import FixedClock, InMemorySandbox, RecordingWorkQueue

ACCOUNTS = 1_000
BEGUN = datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
POLICY = RechargePolicy(RechargeMode.FIXED, 20 * USD, 50 * USD)


class Crowd:
    """All of them, below their threshold, with a card each."""

    def __init__(self) -> None:
        self.book = InMemoryBook()
        self.clock = FixedClock(BEGUN)
        self.sandbox = InMemorySandbox(self.clock)
        self.queue = RecordingWorkQueue()
        self.refs = [AccountRef(f"tenant-{number}", "main") for number in range(ACCOUNTS)]
        change_account = ChangeAccount(self.book, self.clock, lambda _: None)
        self.sweep = SweepTimers(self.book, self.queue, self.clock)
        self.collect = CollectRecharge(
            book=self.book,
            gateways={"sandbox": self.sandbox},
            clock=self.clock,
            change_account=change_account,
        )
        for ref in self.refs:
            self._open(ref)
            change_account(ref, relevel)

    def _open(self, ref: AccountRef) -> None:
        account = opening.new_account(
            ref,
            currency="USD",
            time_zone="UTC",
            billing_day=1,
            plan=PlanTerms("starter", 1),
            rate_deck="standard",
            now=BEGUN,
        )
        self.book.commit(opening.open_account(account, "Main", self._done(ref, "o"), None, BEGUN))
        card = FundingSource(ref, "card", "sandbox", SUCCEEDS, "Visa", BEGUN)
        before = self.book.account(ref)
        after = replace(before, recharging=Recharging(policy=POLICY, default_source_id="card"))
        operation = self._done(ref, "card")
        self.book.commit(Change(before, after.next_version(), operation=operation, records=(card,)))

    @staticmethod
    def _done(ref: AccountRef, name: str) -> Operation:
        return Operation(name, "b" * 64, ref, OperationState.SUCCEEDED, None, BEGUN)

    def cycle(self) -> None:
        self.sweep.sweep(TimerKind.RECHARGE)

    def work(self, refs: list[AccountRef]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.collect.collect, refs))

    def assert_paid_once(self) -> None:
        charges = self.sandbox.captured()
        assert len(charges) == ACCOUNTS
        assert {charge.metadata["tenant"] for charge in charges} == {r.tenant_id for r in self.refs}
        assert {self.book.account(ref).wallet_micros for ref in self.refs} == {50 * USD}
        assert not list(self.book.due(TimerKind.RECHARGE, self.clock.now() + timedelta(days=9)))
        assert not list(self.book.due(TimerKind.PAYMENT, self.clock.now() + timedelta(days=9)))


@pytest.fixture
def crowd() -> Crowd:
    return Crowd()


def test_a_thousand_accounts_that_cross_at_once_pay_once_each(crowd: Crowd) -> None:
    crowd.cycle()
    crowd.work(crowd.queue.take())
    crowd.assert_paid_once()


def test_a_schedule_that_fires_twice_collects_once(crowd: Crowd) -> None:
    crowd.cycle()
    first = crowd.queue.take()
    crowd.clock.advance(timedelta(minutes=1))
    crowd.cycle()
    second = crowd.queue.take()
    assert len(first) == len(second) == ACCOUNTS
    crowd.work(first)
    crowd.work(second)
    crowd.assert_paid_once()


def test_schedules_that_overlap_collect_once(crowd: Crowd) -> None:
    """Both messages of every account are worked on at the same time, each delivered twice."""
    crowd.cycle()
    refs = crowd.queue.take()
    crowd.work([ref for ref in refs for _ in range(4)])
    crowd.assert_paid_once()


def test_a_schedule_three_days_late_collects_once(crowd: Crowd) -> None:
    crowd.clock.advance(timedelta(days=3))
    for _ in range(3):
        crowd.cycle()
        crowd.work(crowd.queue.take())
        crowd.clock.advance(timedelta(hours=4))
    crowd.assert_paid_once()
