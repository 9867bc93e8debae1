"""A simulation that finds nothing proves nothing, unless it finds what was put there."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

import usage_ingest.post
from billing.adapters.queues import SqsUsageQueue
from billing.domain import collecting_steps, posting, settling
from billing.domain.account import Account, AccountRef
from billing.domain.change import Change
from billing.domain.effects import Spend
from billing.domain.errors import PaymentUnknownError
from billing.domain.grants import Burn, Grant, UsageKey, burn
from billing.domain.recharge import TimerChange, level
from billing.domain.records import FundingSource, Recharge, RechargeState, TimerKind
from billing.domain.units import Unit
from billing.domain.usage import UsageEvent
from billing.ports import ChargeRequest, Connection, Declined, Outcome
from billing.services import collect_recharge
from billing.services.collect_recharge import CollectRecharge
from billing.services.post_usage import PostUsage
from fakes.book import InMemoryBook
from simulation.errors import InvariantError
from simulation.faults_of_paying import FAULTS_OF_PAYING
from simulation.faults_of_use import FAULTS_OF_USE
from simulation.operations import Simulation
from simulation.tenants import SITES

SEEDS = (1, 2, 3, 4, 5, 6)
OPERATIONS = 800

Patch = Callable[[pytest.MonkeyPatch], None]


def _entry_dropped(patch: pytest.MonkeyPatch) -> None:
    apply = InMemoryBook._apply
    commits = count(1)

    def broken(self: InMemoryBook, change: Change) -> None:
        apply(self, change)
        if change.entries and next(commits) == 50:
            self._entries[change.after.ref].pop()

    patch.setattr(InMemoryBook, "_apply", broken)


def _settled_twice(patch: pytest.MonkeyPatch) -> None:
    settle = settling.settle_captured

    def broken(
        account: Account,
        recharge: Recharge,
        number: int,
        payment_id: str,
        now: datetime,
        source: FundingSource | None = None,
        spend: Spend | None = None,
    ) -> Change | None:
        anew = tuple(replace(one, state=RechargeState.PENDING) for one in recharge.attempts)
        again = replace(recharge, attempts=anew)
        return settle(account, again, number, payment_id, now, source, spend)

    patch.setattr(settling, "settle_captured", broken)
    patch.setattr(InMemoryBook, "_refuse_recorded_operation", _nothing)
    patch.setattr(InMemoryBook, "_refuse_credited_payments", _nothing)


def _new_key_for_every_try(patch: pytest.MonkeyPatch) -> None:
    derived = CollectRecharge._charge_request
    tries = count(1)

    def broken(self: CollectRecharge, ref: AccountRef, recharge: Recharge) -> ChargeRequest:
        request = derived(self, ref, recharge)
        return replace(request, idempotency_key=f"{request.idempotency_key}/{next(tries)}")

    patch.setattr(CollectRecharge, "_charge_request", broken)


def _key_used_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(collect_recharge, "KEY_KEPT", timedelta(days=365))


def _silence_taken_for_a_decline(patch: pytest.MonkeyPatch) -> None:
    ask = CollectRecharge._ask

    def broken(self: CollectRecharge, ref: AccountRef, asked: Recharge) -> Outcome:
        try:
            return ask(self, ref, asked)
        except PaymentUnknownError:
            return Declined("timeout")

    patch.setattr(CollectRecharge, "_ask", broken)


def _crash_survived(patch: pytest.MonkeyPatch) -> None:
    settle = CollectRecharge.settle

    def broken(self: CollectRecharge, *arguments: Any) -> None:
        try:
            settle(self, *arguments)
        except BaseException:  # noqa: BLE001  # the fault to be found
            return

    patch.setattr(CollectRecharge, "settle", broken)


def _call_billed_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(InMemoryBook, "_refuse_recorded_calls", _nothing)
    patch.setattr(PostUsage, "_recorded", lambda *_arguments: ())


def _update_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(InMemoryBook, "_refuse_stale", _nothing)


def _failure_not_named(patch: pytest.MonkeyPatch) -> None:
    handle = usage_ingest.post.handle

    def broken(event: dict[str, Any], post_usage: PostUsage) -> dict[str, Any]:
        handle(event, post_usage)
        return {"batchItemFailures": []}

    patch.setattr(usage_ingest.post, "handle", broken)


def _answered_before_durable(patch: pytest.MonkeyPatch) -> None:
    send = SqsUsageQueue.send

    def broken(self: SqsUsageQueue, ref: AccountRef, events: Sequence[UsageEvent]) -> None:
        try:
            send(self, ref, events)
        except ConnectionError:
            return

    patch.setattr(SqsUsageQueue, "send", broken)


def _minutes_not_taken(patch: pytest.MonkeyPatch) -> None:
    def broken(
        grants: tuple[Grant, ...],
        unit: Unit,
        quantity: int,
        at: datetime,
        usage: UsageKey | None = None,
    ) -> Burn:
        return replace(burn(grants, unit, quantity, at, usage), grants=grants)

    patch.setattr(posting, "burn", broken)


def _other_tenant_billed(patch: pytest.MonkeyPatch) -> None:
    def broken(self: Connection, provider_account: str) -> AccountRef | None:
        return SITES[0].ref if provider_account == "AC-east" else self.account

    patch.setattr(Connection, "account_for", broken)


def _timer_forgotten(patch: pytest.MonkeyPatch) -> None:
    def broken(account: Account, now: datetime) -> TimerChange:
        return replace(level(account, now), timers_set=())

    patch.setattr(posting, "level", broken)


def _payment_forgotten(patch: pytest.MonkeyPatch) -> None:
    both = collecting_steps.leveled

    def broken(before: Account, after: Account, now: datetime) -> TimerChange:
        change = both(before, after, now)
        kept = tuple(timer for timer in change.timers_set if timer.kind is not TimerKind.PAYMENT)
        return replace(change, timers_set=kept)

    patch.setattr(collecting_steps, "leveled", broken)


def _nothing(*_arguments: object) -> None:
    return


@pytest.mark.parametrize(
    ("put_in", "found_as"),
    [
        pytest.param(_entry_dropped, "the ledger ends at", id="a ledger entry is dropped"),
        # Which of them it is found by depends on the history: the one it is put into first.
        pytest.param(
            _settled_twice,
            "credited twice|no rest|without a decline",
            id="a settlement is applied twice",
        ),
        pytest.param(_new_key_for_every_try, "charged twice", id="every try has a new key"),
        pytest.param(_key_used_for_ever, "charged twice", id="a forgotten key is used again"),
        pytest.param(
            _silence_taken_for_a_decline,
            "charged twice|should be|never credited",
            id="a gateway that does not answer has declined",
        ),
        pytest.param(_crash_survived, "outlived its own crash", id="a worker survives its crash"),
        pytest.param(
            _call_billed_again, "billed twice|another entry", id="a repeated call is billed again"
        ),
        pytest.param(_update_lost, ".", id="the version is not checked"),
        pytest.param(_failure_not_named, "neither recorded", id="a failed message is not named"),
        pytest.param(
            _answered_before_durable, "neither recorded", id="a callback is answered too early"
        ),
        pytest.param(_minutes_not_taken, "holds", id="burned minutes are not taken"),
        pytest.param(_other_tenant_billed, "is billed to", id="another tenant is billed"),
        pytest.param(_timer_forgotten, "needed: True", id="a recharge timer is forgotten"),
        pytest.param(_payment_forgotten, "needed at", id="a payment's timer is forgotten"),
        *FAULTS_OF_PAYING,
        *FAULTS_OF_USE,
    ],
)
def test_what_is_put_in_is_found(
    put_in: Patch, found_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch)
    with pytest.raises(InvariantError, match=found_as):
        _run_every_seed()


def _run_every_seed() -> None:
    for seed in SEEDS:
        Simulation(seed).run(OPERATIONS)
