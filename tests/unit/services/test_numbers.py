"""Numbers: provided, renewed, held back, released, and never billed for nothing."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    TIMES_OUT_WITHOUT_CHARGING,
)
from billing.domain.catalog import Catalog
from billing.domain.errors import (
    ConflictError,
    InsufficientBalanceError,
    NotFoundError,
    PaymentUnknownError,
)
from billing.domain.number_changes import Amend
from billing.domain.numbers import HoldReason, NumberState
from billing.domain.numbers import provisioned as provided
from billing.domain.selling import Price
from billing.services.change_account import ChangeAccount
from billing.services.renew_numbers import RenewNumbers
from builders import ACME, USD
from fakes.world import FixedClock
from unit.number_world import (
    CATALOG,
    FEE,
    FIRST,
    LOCAL,
    OPERATOR,
    RULE,
    STARTER,
    NumberWorld,
)

SECOND = "+14155550101"


@pytest.fixture
def world() -> NumberWorld:
    world = NumberWorld()
    world.open()
    world.work()
    return world


def held(world: NumberWorld, e164: str = FIRST, *, auto_pay: bool = True) -> None:
    """An active number that is paid until the period's end."""
    world.holds(e164, is_auto_pay=auto_pay)
    world.numbers.provisioned(ACME, e164, OPERATOR)


def on_hold(world: NumberWorld) -> None:
    held(world, auto_pay=False)
    world.turn()
    assert world.number().state is NumberState.ON_HOLD


def test_a_provided_number_is_active_to_the_end_of_the_period_in_which_it_is(
    world: NumberWorld,
) -> None:
    world.holds()
    world.turn()
    assert world.number().state is NumberState.PENDING, "nobody pays for what he has not"
    assert not world.billed
    world.numbers.provisioned(ACME, FIRST, OPERATOR)
    assert world.number().state is NumberState.ACTIVE
    assert world.number().paid_until == world.account.period.end_at


def test_a_worker_whose_clock_is_behind_releases_what_the_turned_period_has_ended(
    world: NumberWorld,
) -> None:
    held(world)
    world.numbers.release(ACME, FIRST, OPERATOR)
    turns_at = world.account.period.end_at
    world.clock.advance(turns_at - world.clock.now())
    world.bills.bill(ACME)
    behind = ChangeAccount(world.book, FixedClock(turns_at - timedelta(seconds=3)))
    RenewNumbers(
        book=world.book,
        catalogs=world.catalogs,
        reservations=world.reservations,
        change_account=behind,
    ).renew(ACME)
    assert (world.number().state, world.number().ended_at) == (NumberState.RELEASED, turns_at)


def test_being_provided_twice_changes_nothing(world: NumberWorld) -> None:
    held(world)
    version = world.account.version
    world.numbers.provisioned(ACME, FIRST, OPERATOR)
    assert world.account.version == version


def test_a_number_that_has_failed_is_free_for_anybody(world: NumberWorld) -> None:
    world.holds()
    world.numbers.failed(ACME, FIRST, OPERATOR)
    assert world.number().state is NumberState.FAILED
    assert FIRST not in world.book.number_owners()
    version = world.account.version
    world.numbers.failed(ACME, FIRST, OPERATOR)
    assert world.account.version == version


def test_an_active_number_cannot_fail(world: NumberWorld) -> None:
    held(world)
    with pytest.raises(ConflictError):
        world.numbers.failed(ACME, FIRST, OPERATOR)


def test_the_wallet_pays_first(world: NumberWorld) -> None:
    held(world)
    world.add_source()
    world.credit(10 * USD)
    world.turn()
    assert world.account.wallet_micros == 10 * USD - FEE
    assert world.number().paid_until == world.account.period.end_at
    assert not world.sandbox.captured()
    assert world.is_proven()


def test_what_is_set_aside_for_calls_is_not_spent_on_numbers(world: NumberWorld) -> None:
    held(world)
    world.credit(FEE)
    world.upload()
    world.clock.advance(world.account.period.end_at - world.clock.now() - timedelta(minutes=1))
    world.authorise_for(1)
    world.turn()
    assert world.number().state is NumberState.ON_HOLD


def test_the_sources_pay_what_the_wallet_does_not_hold(world: NumberWorld) -> None:
    held(world)
    held(world, SECOND)
    world.add_source()
    world.credit(FEE)
    world.turn()
    assert [charge.amount_minor for charge in world.sandbox.captured()] == [300]
    assert world.account.wallet_micros == 0
    assert {world.number(one).paid_until for one in (FIRST, SECOND)} == {
        world.account.period.end_at
    }
    assert len(world.billed) == 2
    assert world.is_proven()


def test_numbers_that_wait_for_the_sources_are_paid_for_at_once(world: NumberWorld) -> None:
    for place in range(5):
        held(world, f"+1415555010{place}")
    world.add_source()
    world.turn()
    assert [charge.amount_minor for charge in world.sandbox.captured()] == [1_500]
    (invoice,) = world.invoices
    assert len(invoice.lines) == 5


def test_a_decline_puts_them_on_hold(world: NumberWorld) -> None:
    held(world)
    world.add_source(DECLINES)
    world.turn()
    assert world.number().state is NumberState.ON_HOLD
    assert world.number().hold_reason is HoldReason.PAYMENT_FAILED
    assert "number.on_hold" in world.told
    assert not world.invoices


def test_a_backup_pays_where_the_default_declines(world: NumberWorld) -> None:
    held(world)
    world.add_source(DECLINES)
    world.add_source(SUCCEEDS, "card-2")
    world.turn()
    assert world.number().state is NumberState.ACTIVE
    assert len(world.billed) == 1


def test_a_number_that_waits_for_its_payment_is_renewed_by_no_other(world: NumberWorld) -> None:
    held(world)
    world.add_source(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.turn()
    assert world.number().state is NumberState.ACTIVE
    world.add_source(SUCCEEDS, "card-2")
    world.work()
    assert len(world.sandbox.captured()) == 1
    world.recharges.finish_open(ACME)
    assert (world.number().renewal, len(world.billed)) == ("", 1)
    assert world.number().paid_until == world.account.period.end_at


def test_a_source_that_is_busy_is_asked_once_it_is_free(world: NumberWorld) -> None:
    held(world)
    world.add_source(TIMES_OUT_WITHOUT_CHARGING)
    world.clock.advance(world.account.period.end_at - world.clock.now() - timedelta(minutes=1))
    with pytest.raises(PaymentUnknownError):
        world.top_up(5 * USD)
    world.clock.advance(timedelta(minutes=1))
    world.work()
    assert world.number().state is NumberState.ACTIVE
    assert world.billing_due_at() == world.clock.now() + timedelta(minutes=15)


def test_without_auto_pay_nothing_is_charged(world: NumberWorld) -> None:
    held(world, auto_pay=False)
    world.add_source()
    world.credit(10 * USD)
    world.turn()
    assert world.number().hold_reason is HoldReason.AUTO_PAY_OFF
    assert world.account.wallet_micros == 10 * USD


@pytest.fixture
def included() -> NumberWorld:
    """The plan includes one number."""
    plan = replace(STARTER, numbers_included=1)
    world = NumberWorld(replace(CATALOG, plans={"starter": plan}))
    world.open()
    world.work()
    return world


def test_numbers_that_the_plan_includes_cost_nothing(included: NumberWorld) -> None:
    world = included
    held(world)
    world.clock.advance(timedelta(minutes=1))
    held(world, SECOND)
    world.credit(10 * USD)
    world.turn()
    assert [what for what, _ in world.billed] == [SECOND]
    assert world.number().paid_until == world.account.period.end_at


def test_hundreds_are_renewed_in_several_changes(world: NumberWorld) -> None:
    for place in range(60):
        held(world, f"+141555501{place:02d}")
    world.credit(1_000 * USD)
    world.turn()
    assert [len(invoice.lines) for invoice in world.invoices] == [25, 25, 10]
    assert world.account.wallet_micros == 1_000 * USD - 60 * FEE


def test_working_again_does_nothing(world: NumberWorld) -> None:
    held(world)
    world.credit(10 * USD)
    world.turn()
    version = world.account.version
    world.work()
    assert world.account.version == version


def test_each_notice_is_given_on_its_day_and_then_it_is_released(world: NumberWorld) -> None:
    on_hold(world)
    start, told = world.clock.now(), []
    for day in range(1, 8):
        world.book.forget(world.book.outbox())
        world.until(start + timedelta(days=day))
        told.append([name for name in world.told if name.startswith("number.")])
    scheduled, released = ["number.release_scheduled"], ["number.released"]
    assert told == [[], [], scheduled, [], scheduled, released, []]
    assert world.number().state is NumberState.RELEASED
    assert FIRST not in world.book.number_owners()


def test_of_missed_notices_the_last_alone_is_given(world: NumberWorld) -> None:
    on_hold(world)
    world.book.forget(world.book.outbox())
    world.until(world.clock.now() + timedelta(days=5))
    assert world.told.count("number.release_scheduled") == 1
    (event,) = world.book.outbox()
    assert event.data["days"] == min(RULE.notice_days)


def test_the_timer_stands_at_what_comes_next(world: NumberWorld) -> None:
    on_hold(world)
    assert world.billing_due_at() == world.clock.now() + timedelta(days=3)


def test_paying_brings_it_back_at_once(world: NumberWorld) -> None:
    on_hold(world)
    world.credit(10 * USD)
    world.clock.advance(timedelta(days=4))
    world.pay()
    number = world.number()
    assert (number.state, number.release_at) == (NumberState.ACTIVE, None)
    assert world.account.wallet_micros == 10 * USD - FEE
    world.until(world.account.period.end_at - timedelta(seconds=1))
    assert world.number().state is NumberState.ACTIVE


def test_paying_from_a_wallet_that_does_not_hold_it_changes_nothing(world: NumberWorld) -> None:
    on_hold(world)
    with pytest.raises(InsufficientBalanceError):
        world.pay()
    assert world.number().state is NumberState.ON_HOLD


def test_a_card_can_pay_too(world: NumberWorld) -> None:
    on_hold(world)
    world.add_source()
    world.pay(source="card-1")
    assert world.number().state is NumberState.ACTIVE
    assert len(world.billed) == 1


def test_a_card_that_declines_leaves_it_on_hold_and_free_to_be_paid(world: NumberWorld) -> None:
    on_hold(world)
    release_at = world.number().release_at
    world.add_source(DECLINES)
    world.pay(source="card-1")
    assert world.number().state is NumberState.ON_HOLD
    assert (world.number().renewal, world.number().release_at) == ("", release_at)
    world.credit(FEE)
    world.pay()
    assert world.number().state is NumberState.ACTIVE


@pytest.mark.parametrize("source", [None, "card-1"])
def test_one_that_the_plan_has_come_to_include_is_back_and_nobody_is_charged(
    included: NumberWorld, source: str | None
) -> None:
    world = included
    world.holds(FIRST)
    world.clock.advance(timedelta(minutes=1))
    held(world, SECOND, auto_pay=False)
    world.turn()
    assert world.number(SECOND).state is NumberState.ON_HOLD
    world.numbers.failed(ACME, FIRST, OPERATOR)
    world.add_source(DECLINES)
    world.pay(SECOND, source=source)
    number = world.number(SECOND)
    assert (number.state, number.release_at) == (NumberState.ACTIVE, None)
    assert number.paid_until == world.account.period.end_at
    assert (world.account.wallet_micros, world.invoices) == (0, [])
    assert world.account.recharging.ordinal == 0
    world.clock.advance(timedelta(days=10))
    world.work()
    assert world.number(SECOND).state is NumberState.ACTIVE


def test_what_was_asked_for_one_that_the_plan_includes_by_now_stays_in_the_wallet(
    included: NumberWorld,
) -> None:
    world = included
    third = "+14155550102"
    world.holds(FIRST)
    world.clock.advance(timedelta(minutes=1))
    held(world, SECOND)
    held(world, third)
    world.add_source(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.turn()
    assert (world.number(SECOND).renewal != "", world.billed) == (True, [])
    world.numbers.failed(ACME, FIRST, OPERATOR)
    world.recharges.finish_open(ACME)
    assert [world.number(one).state for one in (SECOND, third)] == [NumberState.ACTIVE] * 2
    assert [what for what, _ in world.billed] == [third]
    assert world.account.wallet_micros == FEE


def test_what_is_not_on_hold_cannot_be_paid_for(world: NumberWorld) -> None:
    held(world)
    world.credit(10 * USD)
    with pytest.raises(ConflictError):
        world.pay()


@pytest.mark.parametrize("auto_pay", [True, False])
def test_a_number_that_is_let_go_of_works_until_what_is_paid_ends(
    world: NumberWorld, auto_pay: bool
) -> None:
    held(world, auto_pay=auto_pay)
    world.credit(10 * USD)
    world.numbers.release(ACME, FIRST, OPERATOR)
    assert world.number().state is NumberState.ACTIVE
    world.turn()
    assert world.number().state is NumberState.RELEASED
    assert world.account.wallet_micros == 10 * USD
    assert not world.billed


def test_one_on_hold_is_let_go_of_at_once(world: NumberWorld) -> None:
    on_hold(world)
    world.numbers.release(ACME, FIRST, OPERATOR)
    assert world.number().state is NumberState.RELEASED
    world.numbers.release(ACME, FIRST, OPERATOR)


def test_a_released_number_may_be_anybodys_and_comes_back_as_a_new_one(
    world: NumberWorld,
) -> None:
    on_hold(world)
    world.numbers.release(ACME, FIRST, OPERATOR)
    world.clock.advance(timedelta(days=1))
    held(world)
    assert world.number().state is NumberState.ACTIVE


def test_auto_pay_can_be_set_and_setting_it_again_changes_nothing(world: NumberWorld) -> None:
    held(world)
    off: Amend = lambda number: replace(number, is_auto_pay=False)  # noqa: E731
    world.numbers.amend(ACME, FIRST, off, "auto_pay", OPERATOR)
    version = world.account.version
    world.numbers.amend(ACME, FIRST, off, "auto_pay", OPERATOR)
    assert (world.number().is_auto_pay, world.account.version) == (False, version)
    records = world.book.audit_records(ACME)
    assert [one.action for one in records if one.action == "number.auto_pay"]


def test_a_number_that_is_not_there_is_not_found(world: NumberWorld) -> None:
    with pytest.raises(NotFoundError):
        world.numbers.amend(
            ACME, SECOND, lambda one: provided(one, world.account), "auto_pay", OPERATOR
        )


def waiting(world: NumberWorld) -> None:
    """A number whose renewal a card was charged for, which did not say so."""
    held(world)
    world.add_source(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.turn()


def test_money_that_comes_after_the_next_turn_renews_that_period(world: NumberWorld) -> None:
    waiting(world)
    world.clock.advance(world.account.period.end_at - world.clock.now())
    world.bills.bill(ACME)
    world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == FEE, "its own period is over"
    world.work()
    assert world.account.wallet_micros == 0
    assert world.number().paid_until == world.account.period.end_at
    assert len(world.billed) == 1


def test_a_gateway_that_was_never_reached_is_asked_anew(world: NumberWorld) -> None:
    held(world)
    world.add_source(TIMES_OUT_WITHOUT_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.turn()
    world.clock.advance(timedelta(days=2))
    world.recharges.finish_open(ACME)
    number = world.number()
    assert (number.state, number.renewal) == (NumberState.ACTIVE, "")
    assert world.billing_due_at() == world.clock.now()


def test_whoever_pays_at_the_last_moment_keeps_it(world: NumberWorld) -> None:
    on_hold(world)
    world.add_source(TIMES_OUT_AFTER_CHARGING)
    with pytest.raises(PaymentUnknownError):
        world.pay(source="card-1")
    world.until(world.clock.now() + timedelta(days=20))
    assert world.number().state is NumberState.ON_HOLD
    world.recharges.finish_open(ACME)
    assert world.number().state is NumberState.ACTIVE


def test_a_dear_number_is_not_passed_over_for_cheaper_ones() -> None:
    dear = replace(LOCAL, type_id="dear", recurring=Price((("USD", 4 * FEE),)))
    world = NumberWorld(replace(CATALOG, number_types={"local": LOCAL, "dear": dear}))
    world.open()
    world.work()
    world.holds(FIRST, type_id="dear")
    world.numbers.provisioned(ACME, FIRST, OPERATOR)
    world.clock.advance(timedelta(minutes=1))
    held(world, SECOND)
    world.credit(FEE)
    world.add_source()
    world.turn()
    assert [charge.amount_minor for charge in world.sandbox.captured()] == [1_500]
    assert world.account.wallet_micros == FEE


def test_every_debit_of_the_wallet_is_decided_on_what_calls_have_set_aside(
    world: NumberWorld,
) -> None:
    held(world)
    held(world, SECOND, auto_pay=False)
    world.credit(10 * USD)
    world.turn()
    world.pay(SECOND)
    debits = [
        change
        for change in world.book.committed
        if any(entry.wallet_change_micros < 0 for entry in change.entries)
    ]
    assert len(debits) == 2
    assert all(change.holds is not None for change in debits)


def dearer(since: date) -> Catalog:
    """The next version of the catalogue: numbers cost twice as much, from that day for all."""
    twice = replace(LOCAL, recurring=Price((("USD", 2 * FEE),)))
    return replace(CATALOG, number_types={"local": twice}, existing_from=since)


@pytest.mark.parametrize(("since", "fee"), [(date(2026, 4, 1), 2 * FEE), (date(2026, 4, 2), FEE)])
def test_a_price_reaches_what_exists_from_the_day_that_the_catalogue_says(
    world: NumberWorld, since: date, fee: int
) -> None:
    held(world)
    world.catalogs.save(dearer(since), 1)
    world.credit(10 * USD)
    world.turn()
    assert world.account.wallet_micros == 10 * USD - fee
    assert world.number().catalog_version == (2 if fee > FEE else 1)


def test_a_version_that_does_not_know_the_number_changes_no_price(world: NumberWorld) -> None:
    held(world)
    without = replace(CATALOG, number_types={}, existing_from=date(2026, 4, 1))
    world.catalogs.save(without, 1)
    world.credit(10 * USD)
    world.turn()
    assert world.account.wallet_micros == 10 * USD - FEE


def test_nothing_is_renewed_before_its_period_is_billed(world: NumberWorld) -> None:
    held(world)
    world.credit(10 * USD)
    world.clock.advance(world.account.period.end_at - world.clock.now())
    world.renewer.renew(ACME)
    assert world.billed == []
    world.work()
    assert len(world.billed) == 1
