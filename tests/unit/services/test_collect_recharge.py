"""A recharge is collected once, whatever the gateway, the workers and the clock do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
)
from billing.domain import collecting
from billing.domain.account import RechargePolicy
from billing.domain.errors import (
    IdConflictError,
    InvalidInputError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.recharge import DECLINES_BEFORE_SUSPENSION, KEY_KEPT
from billing.domain.records import OperationState, Recharge, RechargeState
from billing.ports import AlreadyRecordedError, Captured, ChargeRequest, Declined, Gateway
from billing.services.collect_recharge import RechargeRequest, is_final
from builders import ACME, USD, an_audit_record, an_operation
from unit.world import World

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
A_CRASH = OSError("the worker's machine went away")


class WatchedGateway:
    """A gateway in front of another: keeps what it was asked, and fails when told to."""

    name = "sandbox"

    def __init__(self, behind: Gateway) -> None:
        self._behind = behind
        self.charged: list[ChargeRequest] = []
        self.looked_up: list[str] = []
        self.before_asking: list[Callable[[], object]] = []
        self.after_asking: list[Callable[[], object]] = []

    def charge(self, request: ChargeRequest) -> Captured | Declined:
        self.charged.append(request)
        self._run(self.before_asking)
        outcome = self._behind.charge(request)
        self._run(self.after_asking)
        return outcome

    def find(self, idempotency_key: str) -> Captured | Declined | None:
        self.looked_up.append(idempotency_key)
        self._run(self.before_asking)
        return self._behind.find(idempotency_key)

    @staticmethod
    def _run(hooks: list[Callable[[], object]]) -> None:
        if hooks:
            hooks.pop(0)()


def times_out() -> None:
    raise PaymentUnknownError("no answer")


def crashes() -> None:
    raise A_CRASH


IN_SMALL_PARTS = RechargePolicy("target", 10 * USD, target_micros=50 * USD, maximum_micros=8 * USD)
"""The first payment leaves an empty account below its threshold."""


def watching(token: str = SUCCEEDS, currency: str = "USD") -> tuple[World, WatchedGateway]:
    """An empty account with a target of 50, and the gateway it asks."""
    world = World()
    world.watch(token, currency=currency)
    gateway = WatchedGateway(world.sandbox)
    world.use_gateway(gateway)
    return world, gateway


def books_agree(world: World) -> bool:
    """What the gateway has collected is what was credited, payment by payment."""
    theirs = {(c.payment_id, c.amount_minor * 10_000) for c in world.sandbox.captured()}
    ours = {(p.payment_id, p.amount_micros) for p in world.book.payments()}
    return theirs == ours and world.account.wallet_micros == sum(m for _, m in ours)


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
    assert is_final(recharge)
    assert world.account.wallet_micros == 50 * USD
    assert not world.is_recharge_due()
    assert world.told == ["recharge.succeeded"]
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
    world.credit(10 * USD)
    before = world.account
    assert world.recharges.collect(ACME) is None
    assert (world.account, gateway.charged) == (before, [])


def test_what_a_gateway_is_asked_for() -> None:
    world, gateway = watching()
    collected(world)
    assert gateway.charged == [
        ChargeRequest(
            idempotency_key="recharge/acme/main/1",
            amount_minor=5_000,
            currency="USD",
            source_token=SUCCEEDS,
            metadata={"tenant": "acme", "account": "main", "recharge": "1"},
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


def test_a_decline_moves_nothing_and_stays_due() -> None:
    world, _ = watching(DECLINES)
    recharge = collected(world)
    assert (recharge.state, recharge.failure_code) == (RechargeState.FAILED, "insufficient_funds")
    assert world.account.wallet_micros == 0
    assert world.is_recharge_due()
    assert books_agree(world)


def test_after_the_third_decline_in_a_row_nobody_is_asked_any_more() -> None:
    world, gateway = watching(DECLINES)
    for _ in range(DECLINES_BEFORE_SUSPENSION):
        collected(world)
    assert world.recharges.collect(ACME) is None
    assert len(gateway.charged) == DECLINES_BEFORE_SUSPENSION
    keys = {request.idempotency_key for request in gateway.charged}
    assert len(keys) == DECLINES_BEFORE_SUSPENSION, "each attempt is a payment of its own"
    assert not world.is_recharge_due()
    assert world.told == ["recharge.failed"] * 3 + ["recharge.suspended"]


def test_setting_the_policy_again_lifts_the_suspension() -> None:
    world, gateway = watching(DECLINES)
    for _ in range(DECLINES_BEFORE_SUSPENSION):
        collected(world)
    world.set_policy(world.account.recharging.policy)
    assert world.is_recharge_due()
    collected(world)
    assert len(gateway.charged) == DECLINES_BEFORE_SUSPENSION + 1


# No answer


@pytest.mark.parametrize("token", [TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING])
def test_an_unanswered_charge_stays_open_and_is_resolved_by_the_next_collect(token: str) -> None:
    world, gateway = watching(token)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert world.book.recharge(ACME, 1).state is RechargeState.UNKNOWN
    assert not is_final(world.book.recharge(ACME, 1))
    assert world.account.wallet_micros == 0
    assert world.account.in_flight_micros == 50 * USD
    assert world.is_recharge_due()

    world.clock.advance(4 * HOUR)
    recharge = collected(world)
    assert (recharge.ordinal, recharge.state) == (1, RechargeState.SUCCEEDED)
    assert world.account.wallet_micros == 50 * USD
    first, second = gateway.charged
    assert first == second, "the same key, the same payment"
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)
    assert world.told == ["recharge.unknown", "recharge.succeeded"]


def test_a_gateway_that_never_answers_is_asked_under_one_key_and_told_of_once() -> None:
    world, gateway = watching()
    gateway.before_asking = [times_out] * 3
    for _ in range(3):
        with pytest.raises(PaymentUnknownError):
            world.recharges.collect(ACME)
        world.clock.advance(4 * HOUR)
    assert {request.idempotency_key for request in gateway.charged} == {"recharge/acme/main/1"}
    assert world.account.recharging.ordinal == 1
    assert world.told == ["recharge.unknown"]
    assert collected(world).state is RechargeState.SUCCEEDED
    assert books_agree(world)


def test_usage_meanwhile_does_not_change_the_payment_that_is_open() -> None:
    world, gateway = watching()
    gateway.after_asking = [times_out]
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.set_policy(RechargePolicy("target", 10 * USD, target_micros=90 * USD))
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
    assert world.is_recharge_due()
    assert collected(world).state is RechargeState.SUCCEEDED
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
    assert gateway.looked_up == ([] if is_asked_again else ["recharge/acme/main/1"])
    assert len(world.sandbox.captured()) == 1
    assert books_agree(world)


def test_a_payment_that_was_never_charged_fails_and_the_next_has_a_key_of_its_own() -> None:
    world, gateway = watching(TIMES_OUT_WITHOUT_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(KEY_KEPT)
    failed = collected(world)
    assert (failed.state, failed.failure_code) == (RechargeState.FAILED, "never_charged")
    assert len(gateway.charged) == 1
    assert world.sandbox.captured() == []

    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    assert gateway.charged[-1].idempotency_key == "recharge/acme/main/2"
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
    assert world.account.in_flight_micros == 50 * USD
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
        change = collecting.intend(
            world.account,
            amount_micros=50 * USD,
            source=world.book.funding_source(ACME, "card-1"),
            now=world.clock.now(),
        )
        world.book.commit(change)

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
        world.book.commit(
            collecting.settle_captured(
                world.account, recharge, charge.payment_id, world.clock.now()
            )
        )

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
    assert world.account.in_flight_micros == 8 * USD
    assert (collected(world).ordinal, world.account.wallet_micros) == (2, 16 * USD)
    assert books_agree(world)


def test_a_capture_that_another_worker_gave_up_is_credited_once_all_the_same() -> None:
    world, gateway = watching()
    given_up = Declined("never_charged")

    def others_look_in_vain_and_give_up() -> None:
        account = world.account
        recharge = world.book.recharge(ACME, 1)
        change = collecting.settle_declined(account, recharge, given_up.code, world.clock.now())
        world.book.commit(change)

    # A real gateway may capture a charge that was on its way while somebody looked it up.
    gateway.after_asking = [others_look_in_vain_and_give_up]
    settled = collected(world)
    assert (settled.state, settled.failure_code) == (RechargeState.SUCCEEDED, None)
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
    assert operation.answer == collecting.recharge_json(recharge)
    assert "asked" in {record.operation_id for record in world.book.audit_records(ACME)}
    assert books_agree(world)


def test_a_replayed_request_is_answered_and_moves_no_money() -> None:
    world, gateway = watching()
    recharge = world.recharges.request(ACME, asking())
    with pytest.raises(AlreadyRecordedError) as answered:
        world.recharges.request(ACME, asking())
    assert answered.value.operation.answer == collecting.recharge_json(recharge)
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
    assert answered.value.operation.answer == collecting.recharge_json(recharge)


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
    assert world.operation("asked").answer == collecting.recharge_json(recharge)
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
    with pytest.raises(RechargeInProgressError, match="recharge 1"):
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
    for _ in range(DECLINES_BEFORE_SUSPENSION):
        collected(world)
    source = world.book.funding_source(ACME, "card-1")
    # The card works again: the same source, the gateway's token of a card with money.
    world.book._sources[ACME, "card-1"] = replace(source, token=SUCCEEDS)
    world.recharges.request(ACME, asking(5 * USD))
    assert world.account.recharging.suspended_at is None
    assert world.is_recharge_due()
