"""What collecting does around a payment that was in the way, a gateway that is gone, a silence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.adapters.gateways.registry import gateways
from billing.adapters.gateways.sandbox import (
    DECLINES,
    STOLEN,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
)
from billing.domain.declines import NEVER_CHARGED, SCHEME_DECLINES
from billing.domain.errors import (
    GatewayKeyReusedError,
    IdConflictError,
    NoFundingSourceError,
    PaymentUnknownError,
)
from billing.domain.recharging import DueReason, RechargeMode, RechargePolicy, SuspendedReason
from billing.domain.records import Payment, RechargeState
from billing.ports import Captured
from billing.services.collect_recharge import CollectRecharge, RechargeRequest
from builders import ACME, USD, a_posting, a_touch, a_usage_event, an_operation
from unit.world import World

DAY = timedelta(days=1)
FAST = RechargePolicy(RechargeMode.FIXED, 1 * USD, 5 * USD, maximum_micros=5 * USD, is_early=True)


def burn(world: World, micros: int, number: int) -> None:
    """A minute that cost so much ends now."""
    now = world.clock.now()
    event = a_usage_event(number, now, quantity=60, answered_at=now, ended_at=now)
    world.book.commit(a_posting(world.account, [event], now, rate_micros=micros))


def at_once(world: World) -> list[str]:
    """The events that call a worker at once."""
    return [event.event_id for event in world.book.outbox() if event.data.get("at_once") is True]


def asking(number: int, micros: int = 20 * USD) -> RechargeRequest:
    return RechargeRequest(micros, an_operation(operation_id=f"key-{number}"), None)


def test_what_is_still_urgent_when_a_payment_settles_is_called_for_again() -> None:
    """The worker that was called found the only card busy, and the call is gone."""
    world = World()
    world.open()
    world.credit(30 * USD)
    world.add_source(TIMES_OUT_AFTER_CHARGING)
    world.set_policy(FAST)
    with pytest.raises(PaymentUnknownError):
        world.recharges.request(ACME, asking(1, 1 * USD))
    burn(world, 29 * USD, 1)
    called = at_once(world)
    assert world.account.recharging.due_reason is DueReason.EARLY
    assert len(called) == 1
    world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == 2 * USD
    assert world.account.recharging.due_reason is DueReason.EARLY
    assert len(at_once(world)) == 2


def test_what_is_not_urgent_any_more_goes_back_to_the_cycle_and_says_so() -> None:
    world = World()
    world.open()
    world.credit(30 * USD)
    world.add_source()
    world.set_policy(replace(FAST, threshold_micros=10 * USD))
    burn(world, 29 * USD, 1)
    reasons = [world.account.recharging.due_reason]
    world.clock.advance(timedelta(hours=5))
    burn(world, 1, 2)
    reasons.append(world.account.recharging.due_reason)
    assert reasons == [DueReason.EARLY, DueReason.LOW]
    assert world.is_recharge_due()


def test_a_payment_that_never_reached_the_gateway_is_nobodys_decline() -> None:
    world = World()
    world.watch(TIMES_OUT_WITHOUT_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(DAY)
    found = world.recharges.collect(ACME)
    assert found is not None
    failed = world.book.recharge(ACME, 1)
    assert failed.state is RechargeState.FAILED
    assert failed.attempt.failure_code == NEVER_CHARGED
    recharging = world.account.recharging
    assert (recharging.declines, recharging.retry_at) == (0, None)
    assert world.book.funding_source(ACME, "card-1").declined_at == ()
    assert world.is_recharge_due()


def test_a_stolen_card_is_never_tried_again_whoever_asks() -> None:
    world = World()
    world.watch(STOLEN)
    world.recharges.collect(ACME)
    with pytest.raises(NoFundingSourceError):
        world.recharges.request(ACME, asking(1))
    with pytest.raises(NoFundingSourceError):
        world.recharges.request(ACME, replace(asking(2), source_id="card-1"))


def test_a_card_at_its_schemes_limit_is_refused_with_the_reason() -> None:
    world = World()
    world.watch(DECLINES)
    card = world.book.funding_source(ACME, "card-1")
    tired = replace(card, declined_at=(world.clock.now(),) * SCHEME_DECLINES)
    world.book.commit(a_touch(world.account, "tired", world.clock.now(), records=(tired,)))
    with pytest.raises(NoFundingSourceError, match="no further attempt"):
        world.recharges.request(ACME, asking(1))


def test_a_source_of_a_gateway_that_is_not_in_use_is_never_asked() -> None:
    world = World()
    world.watch()
    elsewhere = CollectRecharge(
        book=world.book, gateways={}, clock=world.clock, change_account=world.change_account
    )
    elsewhere.collect(ACME)
    assert world.sandbox.captured() == []
    assert world.account.recharging.suspended_reason is SuspendedReason.NEW_SOURCE_NEEDED
    with pytest.raises(NoFundingSourceError):
        elsewhere.request(ACME, asking(1))


def test_a_payment_open_at_a_gateway_that_is_not_in_use_stays_unknown() -> None:
    world = World()
    world.watch(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    elsewhere = CollectRecharge(
        book=world.book, gateways={}, clock=world.clock, change_account=world.change_account
    )
    with pytest.raises(PaymentUnknownError):
        elsewhere.finish_open(ACME)
    world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == 50 * USD


def test_beside_a_gateway_that_moves_money_there_is_no_sandbox() -> None:
    world = World()
    parts = {"sandbox_table": "sandbox", "stripe_key": lambda: "", "clock": world.clock}
    assert set(gateways(in_use="stripe", **parts)) == {"stripe"}  # type: ignore[arg-type]
    assert set(gateways(in_use="sandbox", **parts)) == {"sandbox", "stripe"}  # type: ignore[arg-type]


def test_a_capture_that_is_credited_otherwise_is_not_passed_over() -> None:
    world = World()
    world.watch(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    recharge = world.book.recharge(ACME, 1)
    taken = Payment(ACME, "sandbox", "pay-1", 7 * USD, "USD", 9, world.clock.now())
    world.book.commit(a_touch(world.account, "other", world.clock.now(), records=(taken,)))
    with pytest.raises(IdConflictError):
        world.recharges.settle(ACME, recharge, 1, Captured("pay-1"))


def test_a_gateway_that_refuses_a_key_keeps_no_other_payment_waiting() -> None:
    class Refusing:
        name = "sandbox"

        def __init__(self, world: World) -> None:
            self._sandbox = world.sandbox

        def __getattr__(self, name: str) -> object:
            return getattr(self._sandbox, name)

        def charge(self, request: object) -> object:
            if getattr(request, "metadata", {})["recharge"] == "1":
                raise GatewayKeyReusedError("this key came with other parameters")
            return self._sandbox.charge(request)  # type: ignore[arg-type]

    world = World()
    world.open()
    world.add_source(TIMES_OUT_AFTER_CHARGING, "card-1")
    world.add_source(TIMES_OUT_AFTER_CHARGING, "card-2")
    for number, card in enumerate(("card-1", "card-2"), 1):
        with pytest.raises(PaymentUnknownError):
            world.recharges.request(ACME, replace(asking(number), source_id=card))
    world.use_gateway(Refusing(world))  # type: ignore[arg-type]
    with pytest.raises(GatewayKeyReusedError):
        world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == 20 * USD


def test_what_a_calendars_day_missed_because_nobody_answered_is_collected_all_the_same() -> None:
    world = World()
    world.open()
    world.add_source(TIMES_OUT_WITHOUT_CHARGING)
    day = (world.clock.now() + DAY).isoweekday()
    world.set_policy(RechargePolicy(RechargeMode.CALENDAR, amount_micros=30 * USD, day=day))
    world.clock.advance(DAY)
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.clock.advance(DAY)
    world.use_gateway(world.sandbox)
    # The look-up finds nothing; the payment that follows is lost once as well, and then made.
    world.recharges.collect(ACME)
    assert world.is_recharge_due()
    with pytest.raises(PaymentUnknownError):
        world.recharges.collect(ACME)
    world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == 30 * USD
    assert not world.is_recharge_due()
