"""A recharge is collected once, whatever the gateway, the workers and the clock do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    NEEDS_ACTION,
    STOLEN,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
    UPI_SUCCEEDS,
)
from billing.domain import collecting, settling
from billing.domain.collecting import KEY_KEPT
from billing.domain.collecting_steps import CHECK_AFTER
from billing.domain.declines import RETRY_GAPS, SCHEME_DECLINES, DeclineGroup
from billing.domain.errors import (
    IdConflictError,
    InvalidInputError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.payments import PaymentMethod
from billing.domain.recharge_balance import covered_micros
from billing.domain.recharge_shown import recharge_json
from billing.domain.recharging import RechargeMode, RechargePolicy, SuspendedReason
from billing.domain.records import OperationState, Recharge, RechargeState, SourceState
from billing.ports import AlreadyRecordedError, Captured, ChargeRequest, Declined, Gateway, Outcome
from billing.services.collect_recharge import RechargeRequest
from builders import (
    ACME,
    USD,
    a_posting,
    a_touch,
    a_usage_event,
    an_audit_record,
    an_intent,
    an_operation,
)
from unit.world import World

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
FAILURES_BEFORE_SUSPENSION = len(RETRY_GAPS) + 1
KEY = "recharge/acme/main/1/1"
A_CRASH = OSError("the worker's machine went away")


class WatchedGateway:
    """A gateway in front of another: keeps what it was asked, and fails when told to."""

    name = "sandbox"

    def __init__(self, behind: Gateway) -> None:
        self._behind = behind
        self.charged: list[ChargeRequest] = []
        self.looked_up: list[str] = []
        self.cancelled: list[str] = []
        self.before_asking: list[Callable[[], object]] = []
        self.after_asking: list[Callable[[], object]] = []

    def charge(self, request: ChargeRequest) -> Outcome:
        self.charged.append(request)
        self._run(self.before_asking)
        outcome = self._behind.charge(request)
        self._run(self.after_asking)
        return outcome

    def find(self, request: ChargeRequest, payment_id: str | None = None) -> Outcome | None:
        self.looked_up.append(request.idempotency_key)
        self._run(self.before_asking)
        return self._behind.find(request, payment_id)

    def cancel(self, request: ChargeRequest, payment_id: str) -> Outcome:
        self.cancelled.append(payment_id)
        self._run(self.before_asking)
        return self._behind.cancel(request, payment_id)

    @staticmethod
    def _run(hooks: list[Callable[[], object]]) -> None:
        if hooks:
            hooks.pop(0)()


def times_out() -> None:
    raise PaymentUnknownError("no answer")


def crashes() -> None:
    raise A_CRASH


IN_SMALL_PARTS = RechargePolicy(
    RechargeMode.TARGET, 10 * USD, target_micros=50 * USD, maximum_micros=8 * USD
)
"""The first payment leaves an empty account below its threshold."""


def watching(token: str = SUCCEEDS, currency: str = "USD") -> tuple[World, WatchedGateway]:
    """An empty account with a target of 50, and the gateway it asks."""
    world = World()
    world.watch(token, currency=currency)
    return world, watched(world)


def watched(world: World) -> WatchedGateway:
    gateway = WatchedGateway(world.sandbox)
    # Collecting uses no more of a gateway.
    world.use_gateway(cast(Gateway, gateway))
    return gateway


def with_backups(*tokens: str) -> tuple[World, WatchedGateway]:
    """The same with a card for each token, the first of them the default."""
    world, gateway = watching(tokens[0])
    for number, token in enumerate(tokens[1:], 2):
        world.add_source(token, f"card-{number}")
    names = tuple(f"card-{number}" for number in range(2, len(tokens) + 1))
    alter(world, recharging=replace(world.account.recharging, backup_source_ids=names))
    return world, gateway


def alter(world: World, **parts: Any) -> None:
    """What other use cases would have left behind."""
    world.book._accounts[ACME] = replace(world.account, **parts)


def spend(world: World, micros: int) -> None:
    """A call that costs so much."""
    now = world.clock.now()
    event = a_usage_event(world.account.version, now, quantity=1)
    world.book.commit(a_posting(world.account, [event], now, rate_micros=60 * micros))


def fail_until_suspended(world: World) -> None:
    """Every retry, each in its time."""
    for gap in RETRY_GAPS:
        collected(world)
        world.clock.advance(gap)
    collected(world)


def books_agree(world: World, other_micros: int = 0) -> bool:
    """What the gateway has collected is what was credited, payment by payment, and so much else."""
    theirs = {(c.payment_id, c.amount_minor * 10_000) for c in world.sandbox.captured()}
    ours = {(p.payment_id, p.amount_micros) for p in world.book.payments()}
    return theirs == ours and world.account.wallet_micros == sum(m for _, m in ours) + other_micros


def told(world: World) -> list[str]:
    """What was told of recharges."""
    return [type_ for type_ in world.told if type_.startswith("recharge.")]


def on_its_way_micros(world: World) -> int:
    account = world.account
    return covered_micros(account, world.clock.now()) - account.wallet_micros


def collected(world: World) -> Recharge:
    recharge = world.recharges.collect(ACME)
    assert recharge is not None
    return recharge


def asking(
    amount_micros: int = 20 * USD, operation_id: str = "asked", body_hash: str = "b" * 64
) -> RechargeRequest:
    operation = an_operation(
        operation_id=operation_id, body_hash=body_hash, state=OperationState.PENDING, answer=None
    )
    audit = an_audit_record(operation_id=operation_id)
    return RechargeRequest(amount_micros, operation, audit)


# What is due


def test_a_recharge_that_succeeds_fills_the_wallet_to_its_target() -> None:
    world, _ = watching()
    assert world.is_recharge_due()
    recharge = collected(world)
    assert (recharge.state, recharge.amount_micros) == (RechargeState.SUCCEEDED, 50 * USD)
    assert recharge.state.is_final
    assert world.account.wallet_micros == 50 * USD
    assert not world.is_recharge_due()
    assert told(world) == ["recharge.scheduled", "recharge.succeeded"]
    assert books_agree(world)
    assert world.is_proven()


def test_collecting_twice_collects_once() -> None:
    world, gateway = watching()
    collected(world)
    assert world.recharges.collect(ACME) is None
    assert len(gateway.charged) == 1
    assert world.account.recharging.ordinal == 1


def test_where_nothing_is_due_nothing_is_written() -> None:
    world, gateway = watching()
    collected(world)
    before = world.account
    assert world.recharges.collect(ACME) is None
    assert world.recharges.finish_open(ACME) is None
    assert (world.account, len(gateway.charged)) == (before, 1)


def test_a_timer_that_stands_for_nothing_is_cleared_by_the_sweep_that_finds_it() -> None:
    world, gateway = watching()
    # A credit that did not level the timer: as if time alone had made it pointless.
    world.credit(10 * USD)
    assert world.is_recharge_due()
    assert world.recharges.collect(ACME) is None
    assert not world.is_recharge_due()
    assert world.account.recharging.due_at is None
    before = world.account
    assert world.recharges.collect(ACME) is None
    assert (world.account, gateway.charged) == (before, [])


def test_what_a_gateway_is_asked_for() -> None:
    world, gateway = watching()
    collected(world)
    assert gateway.charged == [
        ChargeRequest(
            idempotency_key=KEY,
            amount_minor=5_000,
            currency="USD",
            source_token=SUCCEEDS,
            metadata={"tenant": "acme", "account": "main", "recharge": "1", "attempt": "1"},
            asked_at=world.clock.now(),
        )
    ]


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 50), ("KWD", 50_000)])
def test_a_gateway_is_asked_in_the_currencys_minor_units(currency: str, minor: int) -> None:
    world, gateway = watching(currency=currency)
    collected(world)
    assert [request.amount_minor for request in gateway.charged] == [minor]
    assert world.account.wallet_micros == 50 * USD


def test_a_recharge_within_its_maximum_that_is_not_enough_stays_due() -> None:
    world, _ = watching()
    world.set_policy(IN_SMALL_PARTS)
    collected(world)
    assert world.account.wallet_micros == 8 * USD
    assert world.is_recharge_due()
    collected(world)
    assert world.account.wallet_micros == 16 * USD
    assert not world.is_recharge_due()
    assert books_agree(world)


# Declines


def test_a_decline_moves_nothing_and_is_due_again_after_its_gap() -> None:
    world, gateway = watching(DECLINES)
    recharge = collected(world)
    assert (recharge.state, recharge.attempt.failure_code) == (
        RechargeState.FAILED, "insufficient_funds",
    )  # fmt: skip
    assert world.account.wallet_micros == 0
    assert books_agree(world)
    world.clock.advance(RETRY_GAPS[0] - SECOND)
    assert not world.is_recharge_due()
    assert world.recharges.collect(ACME) is None, "a sweep that comes too soon asks nobody"
    assert len(gateway.charged) == 1
    world.clock.advance(SECOND)
    assert world.is_recharge_due()
    collected(world)
    assert len(gateway.charged) == 2


def test_after_the_fifth_failure_in_a_row_nobody_is_asked_any_more() -> None:
    world, gateway = watching(DECLINES)
    fail_until_suspended(world)
    world.clock.advance(timedelta(days=60))
    assert world.recharges.collect(ACME) is None
    assert len(gateway.charged) == FAILURES_BEFORE_SUSPENSION
    keys = {request.idempotency_key for request in gateway.charged}
    assert len(keys) == FAILURES_BEFORE_SUSPENSION, "each attempt is a payment of its own"
    assert not world.is_recharge_due()
    retried = ["recharge.scheduled"] + ["recharge.failed", "recharge.scheduled"] * len(RETRY_GAPS)
    assert told(world) == [*retried, "recharge.failed", "recharge.suspended"]


def test_setting_the_policy_again_lifts_the_suspension() -> None:
    world, gateway = watching(DECLINES)
    fail_until_suspended(world)
    world.set_policy(world.account.recharging.policy)
    assert world.is_recharge_due()
    collected(world)
    assert len(gateway.charged) == FAILURES_BEFORE_SUSPENSION + 1


def test_a_card_that_may_not_be_asked_again_suspends_at_once() -> None:
    world, gateway = watching(STOLEN)
    assert collected(world).state is RechargeState.FAILED
    assert world.account.recharging.suspended_at == world.clock.now()
    assert world.book.funding_source(ACME, "card-1").blocked_group is DeclineGroup.NEVER
    world.clock.advance(timedelta(days=60))
    assert world.recharges.collect(ACME) is None
    assert len(gateway.charged) == 1


def test_a_card_that_was_taken_away_meanwhile_suspends_and_asks_nobody() -> None:
    world, gateway = watching()
    removed = replace(world.book.funding_source(ACME, "card-1"), state=SourceState.REMOVED)
    world.book.commit(a_touch(world.account, "removed", world.clock.now(), records=(removed,)))
    assert world.recharges.collect(ACME) is None
    assert gateway.charged == []
    assert not world.is_recharge_due()
    assert told(world)[-1] == "recharge.suspended"


def tire(world: World, source_id: str = "card-1") -> None:
    """The card is declined as often as its scheme allows."""
    card = world.book.funding_source(ACME, source_id)
    tired = replace(card, declined_at=(world.clock.now(),) * SCHEME_DECLINES)
    world.book.commit(a_touch(world.account, "tired", world.clock.now(), records=(tired,)))


def test_a_card_at_the_schemes_limit_leaves_the_payment_to_its_backup() -> None:
    world, gateway = with_backups(SUCCEEDS, SUCCEEDS)
    tire(world)
    assert collected(world).attempt.source_id == "card-2"
    assert len(gateway.charged) == 1


def test_where_every_card_is_at_its_schemes_limit_nobody_is_asked_and_that_is_told() -> None:
    world, gateway = watching()
    tire(world)
    assert world.recharges.collect(ACME) is None
    assert gateway.charged == []
    assert told(world)[-1] == "recharge.suspended"


# Backups


def test_backups_are_asked_in_their_order_at_once_and_the_first_that_pays_is_the_last() -> None:
    world, gateway = with_backups(DECLINES, STOLEN, SUCCEEDS, TIMES_OUT_AFTER_CHARGING)
    recharge = collected(world)
    assert recharge.state is RechargeState.SUCCEEDED
    assert [(one.source_id, one.state) for one in recharge.attempts] == [
        ("card-1", RechargeState.FAILED),
        ("card-2", RechargeState.FAILED),
        ("card-3", RechargeState.SUCCEEDED),
    ]
    assert [request.idempotency_key[-4:] for request in gateway.charged] == ["/1/1", "/1/2", "/1/3"]
    assert [request.metadata["attempt"] for request in gateway.charged] == ["1", "2", "3"]
    assert world.account.recharging.declines == 0
    assert "recharge.failed" not in told(world)
    assert books_agree(world)


def test_only_a_definite_decline_lets_a_backup_be_asked() -> None:
    world, gateway = with_backups(TIMES_OUT_AFTER_CHARGING, SUCCEEDS)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert [request.source_token for request in gateway.charged] == [TIMES_OUT_AFTER_CHARGING]
    assert collected(world).attempt.source_id == "card-1"
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)


@pytest.mark.parametrize("step", ["before_asking", "after_asking"])
def test_a_worker_that_crashes_around_a_backups_charge_charges_once(step: str) -> None:
    world, gateway = with_backups(DECLINES, SUCCEEDS)
    setattr(gateway, step, [lambda: None, crashes])
    with pytest.raises(OSError, match="went away"):
        world.recharges.collect(ACME)
    recharge = collected(world)
    assert (recharge.ordinal, len(recharge.attempts)) == (1, 2)
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)


def test_every_card_declined_is_one_failure() -> None:
    world, gateway = with_backups(DECLINES, DECLINES, DECLINES)
    assert collected(world).state is RechargeState.FAILED
    assert len(gateway.charged) == 3
    assert world.account.recharging.declines == 1


# Slow payments, and those that need their customer


def with_a_mandate() -> tuple[World, WatchedGateway]:
    """A mandate by default and a card to fall back on, with 100 of 300 in the wallet."""
    world = World()
    world.open(currency="INR")
    world.add_source(UPI_SUCCEEDS, "upi-1")
    world.add_source(SUCCEEDS, "card-1")
    mandate = replace(world.book.funding_source(ACME, "upi-1"), method=PaymentMethod.UPI)
    world.book.commit(a_touch(world.account, "mandate", world.clock.now(), records=(mandate,)))
    alter(world, recharging=replace(world.account.recharging, backup_source_ids=("card-1",)))
    world.credit(100 * USD)
    world.set_policy(RechargePolicy(RechargeMode.FIXED, 300 * USD, amount_micros=200 * USD))
    return world, watched(world)


def test_a_debit_that_is_under_way_is_waited_for_and_credited_when_it_comes() -> None:
    world, gateway = with_a_mandate()
    recharge = collected(world)
    assert (recharge.state, recharge.attempt.source_id) == (RechargeState.PROCESSING, "upi-1")
    assert not world.is_recharge_due()
    assert world.recharges.collect(ACME) is not None, "it is looked at, and nobody else is asked"
    assert len(gateway.charged) == 1

    world.clock.advance(timedelta(hours=24))
    assert world.is_payment_due()
    settled = world.recharges.finish_open(ACME)
    assert settled is not None
    assert settled.state is RechargeState.SUCCEEDED
    assert world.account.wallet_micros == 300 * USD
    assert not world.is_payment_due()
    assert books_agree(world, 100 * USD)


def test_a_card_helps_where_the_balance_would_not_last_until_the_debit_comes() -> None:
    world, _ = with_a_mandate()
    collected(world)
    spend(world, 100 * USD)
    assert world.is_recharge_due()
    world.recharges.collect(ACME)
    assert [one.source_id for one in world.account.recharging.opened] == ["upi-1"]
    assert world.book.recharge(ACME, 2).attempt.source_id == "card-1"
    assert world.account.wallet_micros == 400 * USD
    world.clock.advance(timedelta(hours=24))
    world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == 600 * USD
    assert not world.is_recharge_due()


def test_a_payment_that_needs_its_customer_is_called_off_when_its_time_is_over() -> None:
    world = World()
    world.open(currency="INR")
    gateway = watched(world)
    recharge = world.recharges.request(ACME, replace(asking(), one_off="sandbox"))
    assert recharge.state is RechargeState.ACTION_NEEDED
    assert recharge.attempt.next_action is not None
    expires_at = recharge.attempt.expected_at
    assert expires_at is not None

    world.clock.advance(expires_at - SECOND - world.clock.now())
    waiting = world.recharges.finish_open(ACME)
    assert waiting is not None
    assert (waiting.state, gateway.cancelled) == (RechargeState.ACTION_NEEDED, [])
    world.clock.advance(expires_at - world.clock.now())
    assert world.is_payment_due()
    over = world.recharges.finish_open(ACME)
    assert over is not None
    assert (over.state, gateway.cancelled) == (RechargeState.FAILED, [over.attempt.payment_id])
    assert world.operation("asked").state is OperationState.FAILED
    assert books_agree(world)


def test_a_one_off_that_its_customer_approves_is_delivered_on_the_gateways_word() -> None:
    world = World()
    world.open(currency="INR")
    recharge = world.recharges.request(ACME, replace(asking(), one_off="sandbox"))
    assert world.account.wallet_micros == 0
    assert recharge.attempt.payment_id is not None
    world.sandbox.approve(recharge.attempt.payment_id)
    settled = world.recharges.finish_open(ACME)
    assert settled is not None
    assert settled.state is RechargeState.SUCCEEDED
    assert world.account.wallet_micros == 20 * USD
    assert world.book.funding_sources(ACME) == [], "nothing is saved"
    assert books_agree(world)


def test_one_payment_waits_for_its_customer_at_a_time() -> None:
    world = World()
    world.open(currency="INR")
    world.recharges.request(ACME, replace(asking(), one_off="sandbox"))
    with pytest.raises(RechargeInProgressError):
        world.recharges.request(ACME, replace(asking(operation_id="other"), one_off="sandbox"))


def test_a_one_off_is_paid_in_rupees() -> None:
    world, gateway = watching()
    with pytest.raises(InvalidInputError) as refused:
        world.recharges.request(ACME, replace(asking(), one_off="sandbox"))
    assert (refused.value.field, gateway.charged) == ("pay_with", [])


def test_a_card_whose_holder_has_to_approve_suspends_and_says_so() -> None:
    world, _ = watching(NEEDS_ACTION)
    assert collected(world).state is RechargeState.FAILED
    reason = world.account.recharging.suspended_reason
    assert reason is SuspendedReason.CUSTOMER_ACTION_NEEDED


# No answer


@pytest.mark.parametrize("token", [TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING])
def test_an_unanswered_charge_stays_open_and_is_resolved_by_the_next_collect(token: str) -> None:
    world, gateway = watching(token)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert world.book.recharge(ACME, 1).state is RechargeState.UNKNOWN
    assert world.account.wallet_micros == 0
    assert on_its_way_micros(world) == 50 * USD
    assert not world.is_payment_due()
    world.clock.advance(CHECK_AFTER)
    assert world.is_payment_due()

    world.clock.advance(4 * HOUR)
    recharge = collected(world)
    assert (recharge.ordinal, recharge.state) == (1, RechargeState.SUCCEEDED)
    assert world.account.wallet_micros == 50 * USD
    first, second = gateway.charged
    assert first == second, "the same key, the same payment"
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)
    assert not world.is_payment_due()
    assert told(world) == ["recharge.scheduled", "recharge.unknown", "recharge.succeeded"]


def test_a_gateway_that_never_answers_is_asked_under_one_key_and_told_of_once() -> None:
    world, gateway = watching()
    gateway.before_asking = [times_out] * 3
    for _ in range(3):
        with pytest.raises(PaymentUnknownError):
            world.recharges.collect(ACME)
        world.clock.advance(4 * HOUR)
    assert {request.idempotency_key for request in gateway.charged} == {KEY}
    assert world.account.recharging.ordinal == 1
    assert world.is_payment_due(), "it is looked after until it is known"
    assert told(world) == ["recharge.scheduled", "recharge.unknown"]
    assert collected(world).state is RechargeState.SUCCEEDED
    assert books_agree(world)


def test_usage_meanwhile_does_not_change_the_payment_that_is_open() -> None:
    world, gateway = watching()
    gateway.after_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.set_policy(RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=90 * USD))
    assert collected(world).amount_micros == 50 * USD
    assert len(world.sandbox.captured()) == 1


def test_while_a_payment_is_open_no_other_is_begun_even_where_it_is_not_enough() -> None:
    world, gateway = watching()
    world.set_policy(IN_SMALL_PARTS)
    gateway.before_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert collected(world).ordinal == 1
    assert world.account.recharging.ordinal == 1
    assert books_agree(world)


@pytest.mark.parametrize("step", ["before_asking", "after_asking"])
def test_a_worker_that_crashes_around_the_charge_charges_once(step: str) -> None:
    world, gateway = watching()
    setattr(gateway, step, [crashes])
    with pytest.raises(OSError, match="went away"):
        world.recharges.collect(ACME)
    assert world.account.wallet_micros == 0
    world.clock.advance(CHECK_AFTER)
    assert world.is_payment_due()
    finished = world.recharges.finish_open(ACME)
    assert finished is not None
    assert finished.state is RechargeState.SUCCEEDED
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)


# When the gateway may have forgotten the key


@pytest.mark.parametrize(
    ("after", "is_asked_again"),
    [
        pytest.param(KEY_KEPT - SECOND, True, id="a second before 23 hours the key is repeated"),
        pytest.param(KEY_KEPT, False, id="from 23 hours on it is only looked up"),
        pytest.param(timedelta(days=9), False, id="and ever after"),
    ],
)
def test_a_key_is_repeated_only_while_the_gateway_surely_keeps_it(
    after: timedelta, is_asked_again: bool
) -> None:
    world, gateway = watching(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(after)
    assert collected(world).state is RechargeState.SUCCEEDED
    assert len(gateway.charged) == (2 if is_asked_again else 1)
    assert gateway.looked_up == ([] if is_asked_again else [KEY])
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)


def test_a_payment_that_was_never_charged_fails_and_the_next_has_a_key_of_its_own() -> None:
    world, gateway = watching(TIMES_OUT_WITHOUT_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(KEY_KEPT)
    failed = collected(world)
    assert (failed.state, failed.attempt.failure_code) == (RechargeState.FAILED, "never_charged")
    assert len(gateway.charged) == 1
    assert world.sandbox.captured() == []

    world.clock.advance(RETRY_GAPS[0])
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert gateway.charged[-1].idempotency_key == "recharge/acme/main/2/1"
    assert collected(world).state is RechargeState.SUCCEEDED
    assert books_agree(world)


def test_a_look_up_without_an_answer_leaves_it_open() -> None:
    world, gateway = watching(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(KEY_KEPT)
    gateway.before_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert on_its_way_micros(world) == 50 * USD
    assert collected(world).state is RechargeState.SUCCEEDED
    assert books_agree(world)


# Races


def test_two_workers_that_collect_at_once_charge_and_credit_once() -> None:
    world, gateway = watching()
    gateway.after_asking = [lambda: world.recharges.collect(ACME)]
    assert collected(world).state is RechargeState.SUCCEEDED
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)
    assert world.account.head.sequence == 1


def test_two_workers_that_intend_at_once_make_one_payment() -> None:
    world, _ = watching()

    def other_worker() -> None:
        source = world.book.funding_source(ACME, "card-1")
        intent = an_intent(50 * USD, source)
        world.book.commit(collecting.intend(world.account, intent, world.clock.now()))

    world.book.races = [other_worker]
    assert collected(world).state is RechargeState.SUCCEEDED
    assert len(world.sandbox.captured()) == 1
    assert world.account.recharging.ordinal == 1
    assert books_agree(world)


def test_two_workers_that_settle_at_once_credit_once() -> None:
    world, gateway = watching()

    def other_worker_settles() -> None:
        (charge,) = world.sandbox.captured()
        recharge = world.book.recharge(ACME, 1)
        change = settling.settle_captured(
            world.account, recharge, 1, charge.payment_id, world.clock.now()
        )
        assert change is not None
        world.book.commit(change)

    gateway.after_asking = [lambda: world.book.races.append(other_worker_settles)]
    assert collected(world).state is RechargeState.SUCCEEDED
    assert books_agree(world)
    assert world.account.head.sequence == 1


def test_a_slow_worker_does_not_settle_the_payment_after_its_own() -> None:
    world, gateway = watching()
    world.set_policy(IN_SMALL_PARTS)

    def others_finish_this_one_and_begin_the_next() -> None:
        world.recharges.collect(ACME)
        gateway.before_asking = [crashes]
        with pytest.raises(OSError, match="went away"):
            world.recharges.collect(ACME)

    gateway.after_asking = [others_finish_this_one_and_begin_the_next]
    assert (collected(world).ordinal, world.account.recharging.ordinal) == (1, 2)
    assert on_its_way_micros(world) == 8 * USD
    assert (collected(world).ordinal, world.account.wallet_micros) == (2, 16 * USD)
    assert books_agree(world)


def test_a_capture_that_another_worker_gave_up_is_credited_once_all_the_same() -> None:
    world, gateway = watching()
    given_up = Declined("never_charged")

    def others_look_in_vain_and_give_up() -> None:
        account = world.account
        recharge = world.book.recharge(ACME, 1)
        sources = {source.source_id: source for source in world.book.funding_sources(ACME)}
        change = settling.settle_declined(
            account, recharge, given_up.code, given_up.group, sources, world.clock.now()
        )
        world.book.commit(change)

    # A real gateway may capture a charge that was on its way while somebody looked it up.
    gateway.after_asking = [others_look_in_vain_and_give_up]
    settled = collected(world)
    assert (settled.state, settled.attempt.failure_code) == (RechargeState.SUCCEEDED, None)
    assert books_agree(world)
    world.recharges.collect(ACME)
    assert books_agree(world)


def test_a_month_that_turns_while_a_payment_is_open_loses_nothing() -> None:
    world, _ = watching(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(timedelta(days=40))
    assert collected(world).state is RechargeState.SUCCEEDED
    assert world.clock.now() in world.account.period
    assert books_agree(world)
    assert world.is_proven()


# One immediate recharge, on request


def test_a_requested_recharge_is_collected_at_once_and_answered() -> None:
    world, _ = watching()
    recharge = world.recharges.request(ACME, asking())
    assert (recharge.state, recharge.reason) == (RechargeState.SUCCEEDED, "requested")
    assert world.account.wallet_micros == 20 * USD
    operation = world.operation("asked")
    assert operation.state is OperationState.SUCCEEDED
    assert operation.answer == recharge_json(recharge)
    assert "asked" in {record.operation_id for record in world.book.audit_records(ACME)}
    assert books_agree(world)


def test_a_replayed_request_is_answered_and_moves_no_money() -> None:
    world, gateway = watching()
    recharge = world.recharges.request(ACME, asking())
    with pytest.raises(AlreadyRecordedError) as answered:
        world.recharges.request(ACME, asking())
    assert answered.value.operation.answer == recharge_json(recharge)
    assert len(gateway.charged) == 1
    assert world.account.wallet_micros == 20 * USD


def test_a_replay_is_answered_even_where_deciding_now_would_refuse() -> None:
    world, gateway = watching()
    world.recharges.request(ACME, asking())
    gateway.before_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.request(ACME, asking(operation_id="other"))
    with pytest.raises(RechargeInProgressError):
        world.recharges.request(ACME, asking(operation_id="third"))
    with pytest.raises(AlreadyRecordedError) as answered:
        world.recharges.request(ACME, asking())
    assert answered.value.operation.state is OperationState.SUCCEEDED


def test_a_declined_request_fails_and_its_replay_fails_alike() -> None:
    world, _ = watching(DECLINES)
    recharge = world.recharges.request(ACME, asking())
    assert recharge.state is RechargeState.FAILED
    with pytest.raises(AlreadyRecordedError) as answered:
        world.recharges.request(ACME, asking())
    assert answered.value.operation.state is OperationState.FAILED
    assert answered.value.operation.answer == recharge_json(recharge)


def test_an_unanswered_request_is_answered_by_whoever_finishes_it() -> None:
    world, _ = watching(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.request(ACME, asking())
    assert world.operation("asked").state is OperationState.UNKNOWN
    with pytest.raises(AlreadyRecordedError):
        world.recharges.request(ACME, asking())

    recharge = collected(world)
    assert recharge.reason == "requested"
    assert world.operation("asked").state is OperationState.SUCCEEDED
    assert world.operation("asked").body_hash == asking().operation.body_hash
    assert world.operation("asked").answer == recharge_json(recharge)
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)


def test_the_same_key_for_another_amount_is_a_conflict() -> None:
    world, gateway = watching()
    world.recharges.request(ACME, asking())
    with pytest.raises(IdConflictError):
        world.recharges.request(ACME, asking(30 * USD, body_hash="c" * 64))
    assert len(gateway.charged) == 1


def test_while_a_recharge_is_open_another_is_refused() -> None:
    world, gateway = watching()
    gateway.before_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    before = world.account
    with pytest.raises(RechargeInProgressError, match="still open"):
        world.recharges.request(ACME, asking())
    assert world.account == before


def test_without_a_source_nobody_can_be_asked() -> None:
    world = World()
    world.open()
    with pytest.raises(NoFundingSourceError):
        world.recharges.request(ACME, asking())
    assert world.book.operation(ACME, "asked") is None


@pytest.mark.parametrize(
    "amount_micros",
    [
        pytest.param(0, id="nothing"),
        pytest.param(-20 * USD, id="less than nothing"),
        pytest.param(20 * USD + 1, id="part of a cent"),
    ],
)
def test_no_gateway_is_asked_for(amount_micros: int) -> None:
    world, gateway = watching()
    before = world.account
    with pytest.raises(InvalidInputError) as refused:
        world.recharges.request(ACME, asking(amount_micros))
    assert refused.value.field == "amount"
    assert (world.account, gateway.charged) == (before, [])


def test_a_recharge_somebody_asked_for_is_collected_under_a_suspension_too_and_lifts_it() -> None:
    world, _ = watching(DECLINES)
    fail_until_suspended(world)
    source = world.book.funding_source(ACME, "card-1")
    # The card works again: the same source, the gateway's token of a card with money.
    world.book._sources[ACME, "card-1"] = replace(source, token=SUCCEEDS)
    world.recharges.request(ACME, asking(5 * USD))
    assert world.account.recharging.suspended_at is None
    assert world.is_recharge_due()


def test_a_person_may_name_who_pays() -> None:
    world, gateway = with_backups(SUCCEEDS, TIMES_OUT_AFTER_CHARGING)
    world.recharges.request(ACME, replace(asking(), source_id="card-1"))
    assert [request.source_token for request in gateway.charged] == [SUCCEEDS]
    named = replace(asking(operation_id="other"), source_id="card-2")
    with pytest.raises(PaymentUnknownError):
        world.recharges.request(ACME, named)
    assert gateway.charged[-1].source_token == TIMES_OUT_AFTER_CHARGING


def test_a_payment_that_is_open_from_another_card_keeps_nobody_from_paying() -> None:
    world, _ = with_backups(TIMES_OUT_AFTER_CHARGING, SUCCEEDS)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    paid = world.recharges.request(ACME, asking())
    assert (paid.state, paid.attempt.source_id) == (RechargeState.SUCCEEDED, "card-2")
    assert collected(world).ordinal == 1
    assert world.account.wallet_micros == 70 * USD
    assert books_agree(world)


def test_a_person_may_try_a_blocked_card_again_and_frees_it_if_it_pays() -> None:
    world, _ = watching()
    blocked = replace(
        world.book.funding_source(ACME, "card-1"),
        blocked_code="authentication_required",
        blocked_group=DeclineGroup.CUSTOMER_ACTION,
    )
    world.book.commit(a_touch(world.account, "blocked", world.clock.now(), records=(blocked,)))
    assert world.recharges.collect(ACME) is None
    assert world.account.recharging.suspended_at is not None
    world.recharges.request(ACME, asking(5 * USD))
    assert world.book.funding_source(ACME, "card-1").blocked_code is None
    assert world.account.recharging.suspended_at is None
    assert world.is_recharge_due()


def test_nobody_pays_with_a_card_that_was_removed() -> None:
    world, gateway = watching()
    removed = replace(world.book.funding_source(ACME, "card-1"), state=SourceState.REMOVED)
    world.book.commit(a_touch(world.account, "removed", world.clock.now(), records=(removed,)))
    with pytest.raises(NoFundingSourceError):
        world.recharges.request(ACME, replace(asking(), source_id="card-1"))
    assert gateway.charged == []


def test_a_decline_somebody_asked_for_leaves_automatic_recharge_as_it_was() -> None:
    world, _ = watching(DECLINES)
    world.recharges.request(ACME, asking())
    recharging = world.account.recharging
    assert (recharging.declines, recharging.retry_at, recharging.suspended_at) == (0, None, None)
    assert world.is_recharge_due()


# The month


def test_the_monthly_cap_bounds_what_is_collected_and_the_next_month_goes_on() -> None:
    world, gateway = watching()
    capped = replace(world.account.recharging.policy, monthly_cap_micros=50 * USD)
    world.set_policy(capped)
    collected(world)
    spend(world, 50 * USD)
    assert world.recharges.collect(ACME) is None
    assert len(gateway.charged) == 1
    assert told(world)[-1] == "recharge.limited"
    assert not world.is_recharge_due()
    world.clock.advance(datetime(2026, 4, 1, tzinfo=UTC) - world.clock.now())
    assert world.is_recharge_due()
    collected(world)
    assert len(gateway.charged) == 2


# What comes from elsewhere


def test_a_capture_told_by_somebody_else_before_the_answer_is_credited_once() -> None:
    world, gateway = watching()

    def webhook() -> None:
        (charge,) = world.sandbox.captured()
        recharge = world.book.recharge(ACME, 1)
        world.recharges.settle(ACME, recharge, 1, Captured(charge.payment_id))

    gateway.after_asking = [webhook]
    assert collected(world).state is RechargeState.SUCCEEDED
    assert world.account.head.sequence == 1
    assert books_agree(world)


def test_a_decline_of_an_attempt_that_is_over_is_nobodys() -> None:
    world, _ = with_backups(DECLINES, TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    before = world.account
    recharge = world.book.recharge(ACME, 1)
    world.recharges.settle(ACME, recharge, 1, Declined("do_not_honor", DeclineGroup.NEVER))
    assert (world.account, world.book.recharge(ACME, 1)) == (before, recharge)


def test_an_answer_without_news_writes_nothing_again() -> None:
    world, _ = with_a_mandate()
    collected(world)
    before = world.account
    assert world.recharges.finish_open(ACME) is not None
    assert world.account == before


def test_one_gateway_that_does_not_answer_keeps_no_other_payment_waiting() -> None:
    world, gateway = with_backups(TIMES_OUT_AFTER_CHARGING, TIMES_OUT_AFTER_CHARGING)
    for number in (1, 2):
        named = replace(asking(operation_id=f"{number}"), source_id=f"card-{number}")
        with pytest.raises(PaymentUnknownError):
            world.recharges.request(ACME, named)
    gateway.before_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.finish_open(ACME)
    states = [world.book.recharge(ACME, ordinal).state for ordinal in (1, 2)]
    assert states == [RechargeState.UNKNOWN, RechargeState.SUCCEEDED]
    world.recharges.finish_open(ACME)
    assert books_agree(world)
