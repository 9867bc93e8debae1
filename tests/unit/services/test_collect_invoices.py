"""Open invoices are collected from the sources in order, and dunned where nobody pays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.adapters.gateways.sandbox import DECLINES, SUCCEEDS
from billing.domain.account import Standing
from billing.domain.authorising import CallWanted
from billing.domain.covering import Destination
from billing.domain.declines import NEVER_CHARGED
from billing.domain.documents import InvoiceState
from billing.domain.errors import (
    AccountOnHoldError,
    ConflictError,
    InsufficientBalanceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.selling import DunningRule
from billing.domain.units import Direction, Unit
from billing.ports import Captured
from billing.services.collect_recharge import RechargeRequest
from builders import ACME, USD, an_operation
from catalogs import GROWTH, a_catalog
from unit.billing_world import FIRST, BillingWorld

TAXED = 178_800_000
"""A month of what the world's account holds."""


def past_due(rule: DunningRule | None = None, *, sources: int = 1) -> BillingWorld:
    """An account whose first invoice could not be collected."""
    world = BillingWorld(catalog=a_catalog(dunning=rule) if rule else None)
    world.open_on()
    for number in range(1, sources + 1):
        world.add_source(source_id=f"card-{number}")
    world.bank.pays = False
    world.work()
    return world


def standing(world: BillingWorld) -> Standing:
    return world.account.standing


def test_the_first_failure_makes_the_account_past_due_and_says_so_once() -> None:
    world = past_due()
    assert standing(world) is Standing.PAST_DUE
    assert world.invoiced[0].state is InvoiceState.OPEN
    world.pass_days(2)
    assert world.told.count("invoice.past_due") == 1
    (told,) = [one for one in world.book.outbox() if one.type == "invoice.past_due"]
    assert told.data["reason"] == "insufficient_funds"
    assert told.data["next_try_at"] == "2026-03-02T00:00:00+00:00"
    assert told.data["on_hold_at"] == "2026-03-15T00:00:00+00:00"


def test_it_is_tried_again_on_the_days_that_the_catalogue_names() -> None:
    world = past_due()
    world.pass_days(20)
    tried = [recharge.started_at for recharge in world.book.recharges(ACME, None, 100)]
    assert [(at - FIRST).days for at in reversed(tried)] == [0, 1, 3, 5, 7]
    assert world.subscription.dunning is not None
    assert world.subscription.dunning.failures == 5


def test_a_day_of_dunning_is_a_local_day_though_clocks_change_in_it() -> None:
    # On 29 March 2026 clocks go forward in Berlin: one o'clock comes after 23 hours.
    world = BillingWorld(datetime(2026, 3, 28, 12, tzinfo=UTC))
    world.open_on(time_zone="Europe/Berlin")
    world.work()
    dunning = world.subscription.dunning
    assert dunning is not None
    assert dunning.next_try_at == datetime(2026, 3, 29, 11, tzinfo=UTC)
    assert dunning.suspend_at == datetime(2026, 4, 11, 11, tzinfo=UTC)


def test_outbound_calls_are_suspended_after_the_days_and_the_last_try() -> None:
    world = past_due()
    world.pass_days(13)
    assert standing(world) is Standing.PAST_DUE
    world.pass_days(1)
    assert standing(world) is Standing.SUSPENDED
    assert world.told.count("account.on_hold") == 1
    world.pass_days(3)
    assert world.told.count("account.on_hold") == 1
    assert not world.is_billing_due()


def test_no_suspension_comes_before_the_last_try() -> None:
    world = past_due(DunningRule(retry_days=(5,), suspend_after_days=2))
    world.pass_days(4)
    assert standing(world) is Standing.PAST_DUE
    world.pass_days(1)
    world.sweep()
    assert standing(world) is Standing.SUSPENDED


def test_a_retry_that_pays_ends_dunning() -> None:
    world = past_due()
    world.bank.pays = True
    world.pass_days(1)
    assert world.invoiced[0].state is InvoiceState.PAID
    assert standing(world) is Standing.GOOD
    assert world.subscription.dunning is None
    # Nobody was on hold, so nobody is restored.
    assert "account.restored" not in world.told
    assert not world.is_billing_due()
    assert world.is_proven()


def test_who_pays_after_a_suspension_is_restored_at_once() -> None:
    world = past_due()
    world.pass_days(15)
    world.bank.pays = True
    world.pay(1, source="card-1")
    assert standing(world) is Standing.GOOD
    assert world.told[-1] == "account.restored"


def test_the_account_stays_on_hold_until_nothing_is_open() -> None:
    world = past_due()
    world.pass_days(31)
    assert [one.state for one in world.invoiced] == [InvoiceState.OPEN] * 2
    world.bank.pays = True
    world.pay(2, source="card-1")
    assert standing(world) is Standing.SUSPENDED
    world.sweep()
    assert standing(world) is Standing.GOOD
    assert [one.state for one in world.invoiced] == [InvoiceState.PAID] * 2


def test_several_open_invoices_are_collected_the_oldest_first() -> None:
    world = past_due()
    world.pass_days(61)
    world.bank.pays = True
    world.add_source(source_id="card-2")
    world.sweep()
    paid = [one.paid_at for one in world.invoiced]
    assert all(paid)
    orders = [recharge.purpose for recharge in world.book.recharges(ACME, None, 3)]
    assert [one.name for one in reversed(orders) if one] == ["1", "2", "3"]


def test_nobody_to_ask_is_a_failure_and_people_are_told() -> None:
    world = BillingWorld()
    world.open_on()
    world.work()
    assert standing(world) is Standing.PAST_DUE
    (told,) = [one for one in world.book.outbox() if one.type == "invoice.past_due"]
    assert told.data["reason"] == "no_funding_source"
    assert world.book.recharges(ACME, None, 10) == []


def test_a_source_that_is_added_is_asked_at_once() -> None:
    world = BillingWorld()
    world.open_on()
    world.work()
    assert not world.is_billing_due()
    world.add_source()
    assert world.is_billing_due()
    world.sweep()
    assert standing(world) is Standing.GOOD


def test_a_source_that_was_added_is_asked_once_before_the_next_day_of_dunning() -> None:
    world = past_due()
    world.add_source(source_id="card-2")
    world.work()
    world.work()
    assert len(world.book.recharges(ACME, None, 10)) == 2


def test_a_source_that_is_busy_is_no_failure() -> None:
    world = BillingWorld()
    world.open_on()
    world.add_source()
    world.bank.is_silent = True
    request = RechargeRequest(25 * USD, an_operation(operation_id="ask"), None)
    with pytest.raises(PaymentUnknownError):
        world.recharges.request(ACME, request)
    world.work()
    assert standing(world) is Standing.GOOD
    assert world.subscription.dunning is None
    assert world.subscription.collect_at == FIRST + timedelta(minutes=15)
    world.bank.is_silent = False
    world.recharges.finish_open(ACME)
    world.clock.advance(timedelta(minutes=15))
    world.sweep()
    assert world.invoiced[0].state is InvoiceState.PAID
    assert world.account.wallet_micros == 25 * USD


def test_a_gateway_that_was_out_of_reach_for_a_day_is_nobodys_failure() -> None:
    world = BillingWorld()
    world.open_on()
    world.add_source()
    world.bank.is_silent = True
    with pytest.raises(PaymentUnknownError):
        world.work()
    world.clock.advance(timedelta(days=1))
    world.recharges.finish_open(ACME)
    (recharge,) = world.book.recharges(ACME, None, 10)
    assert recharge.attempt.failure_code == NEVER_CHARGED
    assert standing(world) is Standing.GOOD
    world.bank.is_silent = False
    world.sweep()
    assert world.invoiced[0].state is InvoiceState.PAID


def test_backups_are_asked_in_their_order() -> None:
    world = BillingWorld()
    world.open_on()
    world.add_source(DECLINES, "card-1")
    world.add_source(SUCCEEDS, "card-2")
    world.work()
    assert world.invoiced[0].state is InvoiceState.PAID
    (recharge,) = world.book.recharges(ACME, None, 10)
    assert [one.source_id for one in recharge.attempts] == ["card-1", "card-2"]
    assert standing(world) is Standing.GOOD


def test_money_that_comes_for_an_invoice_that_is_paid_stays_in_the_wallet() -> None:
    world = past_due()
    (tried,) = world.book.recharges(ACME, None, 1)
    world.bank.pays = True
    world.pay(1, source="card-1")
    # The gateway had charged after all, and its webhook comes late.
    world.recharges.settle(ACME, tried, 1, Captured("late"))
    assert world.account.wallet_micros == TAXED
    assert [(one.invoice, one.payment_id == "late") for one in world.receipts] == [
        (1, False),
        (None, True),
    ]
    assert world.is_proven()


def test_the_wallet_pays_what_calls_in_progress_leave() -> None:
    world = past_due()
    world.credit(TAXED - 1)
    with pytest.raises(InsufficientBalanceError, match=r"178\.80"):
        world.pay(1)
    world.credit(1, "one more")
    world.pay(1, key="again")
    assert world.account.wallet_micros == 0
    assert world.invoiced[0].payment is None
    assert standing(world) is Standing.GOOD
    assert world.receipts[0].gateway == ""
    assert world.operation("again").answer == {
        "invoice": 1,
        "amount": {"amount": "178.80", "currency": "USD"},
    }


def test_paying_from_the_wallet_and_authorising_cannot_spend_the_same_money() -> None:
    world = past_due()
    world.credit(TAXED)
    seen = world.reservations.holds(ACME)
    world.pay(1)
    assert world.reservations.holds(ACME).version == seen.version + 1


def test_what_is_paid_is_not_paid_again() -> None:
    world = past_due()
    world.credit(2 * TAXED)
    world.pay(1)
    with pytest.raises(ConflictError):
        world.pay(1, key="again")


def test_an_invoice_whose_payment_is_on_its_way_waits_for_it() -> None:
    world = BillingWorld()
    world.open_on()
    world.add_source()
    world.bank.is_silent = True
    with pytest.raises(PaymentUnknownError):
        world.work()
    world.credit(TAXED)
    with pytest.raises(RechargeInProgressError):
        world.pay(1)


def test_a_persons_try_that_fails_is_no_failure_of_dunning() -> None:
    world = past_due()
    before = world.subscription
    world.pay(1, source="card-1")
    assert world.subscription == before
    assert world.operation("pay").state == "failed"


def destination(direction: Direction) -> Destination:
    return Destination(Unit.VOICE_SECONDS, direction, "+14155550100")


def test_only_outbound_calls_are_refused_on_hold() -> None:
    world = past_due()
    world.upload(
        "prefix,destination,direction,treatment,rate,first_increment_seconds,"
        "next_increment_seconds\n"
        "1,North America,any,charged,0.60,1,1\n"
        "1911,Emergency,any,free,,,\n"
    )
    world.credit(50 * USD)
    outbound = CallWanted("out", destination(Direction.OUTBOUND))
    world.pass_days(15)
    assert standing(world) is Standing.SUSPENDED
    with pytest.raises(AccountOnHoldError):
        world.authorise_call.authorise(ACME, replace(outbound, call_id="new"))
    inbound = CallWanted("in", destination(Direction.INBOUND))
    assert world.authorise_call.authorise(ACME, inbound).reservation.cover.seconds
    emergency = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+1911")
    assert world.authorise_call.authorise(ACME, CallWanted("help", emergency))


def test_a_running_call_goes_on_when_the_account_is_put_on_hold() -> None:
    world = past_due(DunningRule(retry_days=(), suspend_after_days=0))
    world.upload()
    world.credit(50 * USD)
    outbound = CallWanted("out", destination(Direction.OUTBOUND))
    made = world.authorise_call.authorise(ACME, outbound).reservation
    world.sweep()
    assert standing(world) is Standing.SUSPENDED
    longer = world.authorise_call.extend(ACME.tenant_id, made.reservation_id, 1_200)
    assert longer.reservation.cover.seconds == 1_200


def test_what_was_not_refilled_while_past_due_comes_with_the_payment() -> None:
    rule = DunningRule(refills_while_past_due=False)
    world = past_due(rule)
    world.pass_days(31)
    april = datetime(2026, 4, 1, tzinfo=UTC)
    assert [lot for lot in world.account.grants if lot.granted_at == april] == []
    world.bank.pays = True
    world.add_source(source_id="card-2")
    world.sweep()
    (lot,) = [lot for lot in world.account.grants if lot.granted_at == april]
    assert lot.total == GROWTH.recurring_grants[0].quantity
    world.work()
    assert len([lot for lot in world.account.grants if lot.granted_at == april]) == 1


class DiedError(Exception):
    """The process is gone."""


def die() -> None:
    raise DiedError


@pytest.mark.parametrize("committed", range(3))
def test_a_crash_between_any_two_changes_is_caught_up(committed: int) -> None:
    """Bill, intend and settle: whichever was the last, the next sweeps go on from there."""
    world = BillingWorld()
    world.open_on()
    world.add_source()
    world.book.races += [lambda: None] * committed + [die]
    with pytest.raises(DiedError):
        world.work()
    # The payment timer has the recharge worker look after what is open.
    world.recharges.finish_open(ACME)
    world.clock.advance(timedelta(hours=1))
    world.sweep()
    assert world.numbers.invoices == 1
    assert world.invoiced[0].state is InvoiceState.PAID
    assert world.account.wallet_micros == 0
    assert len(world.book.payments()) == 1
    assert world.is_proven()
