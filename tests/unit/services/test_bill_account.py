"""Every period is billed once, in its order, and the same however late."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.account import Standing
from billing.domain.documents import InvoiceState, LineKind
from billing.domain.errors import NotSoldError
from billing.domain.records import TimerKind
from billing.domain.selling import Interval
from billing.domain.subscription import NextPlan, Subscription, UnitItem
from billing.services.roll_period import RollPeriod
from builders import ACME, USD, a_touch
from catalogs import GROWTH, MAJOR, MINUTES, STARTER, a_catalog, monthly
from unit.billing_world import FIRST, BillingWorld

MONTH = 149 * USD
"""The plan, and two of the three CRM seats of the minimum; one is included."""
TAXED = MONTH * 120 // 100


def opened(now: datetime = FIRST, **kept: object) -> BillingWorld:
    world = BillingWorld(now)
    world.open_on(**kept)  # type: ignore[arg-type]
    world.add_source()
    return world


def write(world: BillingWorld, subscription: Subscription, name: str) -> None:
    """What an order would have written."""
    now = world.clock.now()
    world.book.commit(a_touch(world.account, name, now, records=(subscription,)))


def test_the_first_period_is_billed_as_the_account_opens() -> None:
    world = opened()
    assert world.is_billing_due()
    world.work()
    (invoice,) = world.invoiced
    assert [(one.kind, one.what, one.quantity) for one in invoice.lines] == [
        (LineKind.PLAN, "growth", 1),
        (LineKind.UNITS, "crm", 2),
    ]
    assert invoice.sums.total_micros == TAXED
    assert invoice.period_starts_on == date(2026, 3, 1)
    assert world.subscription.unit("crm").quantity == 3
    assert world.subscription.billed_until == datetime(2026, 4, 1, tzinfo=UTC)


def test_a_first_period_that_begins_late_is_paid_for_by_its_days() -> None:
    world = opened(datetime(2026, 3, 22, 15, tzinfo=UTC))
    world.work()
    (invoice,) = world.invoiced
    plan, seats = invoice.lines
    # Ten of 31 days, the day of opening included.
    assert (plan.starts_on, plan.ends_on) == (date(2026, 3, 22), date(2026, 4, 1))
    assert plan.amount_micros == 31_940_000
    assert plan.unit_price_micros == 99 * USD
    # Two of them, at 8.06 each.
    assert seats.amount_micros == 16_120_000
    assert plan.tax_micros == 6_390_000


def test_an_invoice_is_collected_at_once_from_the_default_source() -> None:
    world = opened()
    world.work()
    (invoice,) = world.invoiced
    assert invoice.state is InvoiceState.PAID
    assert invoice.payment is not None
    assert world.account.wallet_micros == 0
    (receipt,) = world.receipts
    assert (receipt.amount_micros, receipt.invoice) == (TAXED, 1)
    assert receipt.source_label == "Visa ending in 4242"
    assert world.subscription.open_invoices == ()
    assert not world.is_billing_due()
    assert world.is_proven()
    assert world.told == [
        "funding_source.added",
        "invoice.issued",
        "recharge.succeeded",
        "invoice.paid",
    ]


def test_the_sale_is_booked_by_what_was_sold_and_its_tax() -> None:
    world = opened()
    world.work()
    booked = {entry.credit: entry.amount_micros for entry in world.book.entries(world.account)}
    assert booked == {
        "wallet": TAXED,
        "revenue:plan": 99 * USD,
        "revenue:units": 50 * USD,
        "tax:vat": 29_800_000,
    }


def test_a_renewal_that_changes_nothing_says_nothing() -> None:
    world = opened()
    world.work()
    world.clock.advance(timedelta(days=31))
    world.work()
    assert "subscription.changed" not in world.told


def test_billing_again_changes_nothing() -> None:
    world = opened()
    world.work()
    before = world.account
    world.work()
    assert world.account == before
    assert len(world.invoiced) == 1


def test_who_was_faster_has_billed_the_period() -> None:
    world = opened()
    world.book.races.append(lambda: world.billing.bill(ACME))
    world.billing.bill(ACME)
    assert world.numbers.invoices == 1


def as_billed(world: BillingWorld) -> list[object]:
    """All of the invoices but for when they were written, and what is held."""
    papers = [replace(one, issued_at=FIRST, paid_at=None) for one in world.invoiced]
    held = replace(world.subscription, open_invoices=(), collect_at=None, revision=0)
    return [papers, held, world.account.plan, world.account.grants, world.account.next_plan]


@pytest.mark.parametrize("interval", Interval)
def test_months_that_nobody_billed_are_billed_as_in_time(interval: Interval) -> None:
    in_time, late = opened(), opened()
    for world in (in_time, late):
        world.bank.pays = False
        world.billing.bill(ACME)
        scheduled = replace(
            world.subscription,
            next_plan=NextPlan("starter", 1, interval, world.clock.now()),
        )
        write(world, scheduled, "schedule")
    for _ in range(4):
        in_time.clock.advance(timedelta(days=31))
        RollPeriod(in_time.change_account).roll(ACME)
        in_time.billing.bill(ACME)
    late.clock.advance(timedelta(days=124))
    RollPeriod(late.change_account).roll(ACME)
    late.billing.bill(ACME)
    assert as_billed(late) == as_billed(in_time)
    assert late.account.plan.plan_id == "starter"


def test_a_year_that_turned_before_anybody_billed_it_ends_as_in_time() -> None:
    """The roll cannot know of what waits for a year's end: the bill makes up for it."""
    more = replace(MINUTES, quantity=90_000, rollover_limit=0)
    plans = (replace(STARTER, recurring_grants=(more,)), GROWTH)
    worlds = [BillingWorld(catalog=a_catalog(plans=plans)) for _ in range(2)]
    for world in worlds:
        world.open_on()
        world.bank.pays = False
        world.billing.bill(ACME)
        yearly = NextPlan("growth", 1, Interval.YEAR, world.clock.now())
        write(world, replace(world.subscription, next_plan=yearly), "yearly")
        world.clock.advance(timedelta(days=31))
        RollPeriod(world.change_account).roll(ACME)
        world.billing.bill(ACME)
        leaving = NextPlan("starter", 1, Interval.MONTH, world.clock.now())
        write(world, replace(world.subscription, next_plan=leaving), "leaving")
    in_time, late = worlds
    for _ in range(12):
        in_time.clock.advance(timedelta(days=31))
        RollPeriod(in_time.change_account).roll(ACME)
        in_time.billing.bill(ACME)
    late.clock.advance(timedelta(days=12 * 31))
    RollPeriod(late.change_account).roll(ACME)
    assert late.account.plan.plan_id == "growth"
    late.billing.bill(ACME)
    lots = [
        [lot for lot in world.account.grants if lot.serves(lot.unit, world.clock.now())]
        for world in worlds
    ]
    assert [lot.total for lot in lots[0] if not lot.rolled_over] == [90_000]
    assert lots[0] == lots[1]
    assert as_billed(late)[:3] == as_billed(in_time)[:3]


def test_a_scheduled_plan_is_held_from_the_turn_on_and_the_roll_agrees() -> None:
    world = opened()
    world.work()
    waiting = NextPlan("starter", 1, Interval.MONTH, world.clock.now())
    subscription = replace(world.subscription, next_plan=waiting)
    write(world, subscription, "schedule")
    world.clock.advance(timedelta(days=31))
    RollPeriod(world.change_account).roll(ACME)
    rolled = world.account
    world.billing.bill(ACME)
    assert world.subscription.plan_id == world.account.plan.plan_id == "starter"
    assert world.subscription.next_plan is None
    assert world.told.count("subscription.changed") == 1
    # Both plans grant the same minutes: what the roll has granted stays.
    assert world.account.grants == rolled.grants
    assert len(world.invoiced) == 1


def test_a_year_is_billed_when_it_begins_and_not_every_month() -> None:
    world = opened()
    world.work()
    waiting = NextPlan("growth", 1, Interval.YEAR, world.clock.now())
    write(world, replace(world.subscription, next_plan=waiting), "schedule")
    for _ in range(13):
        world.clock.advance(timedelta(days=31))
        world.work()
    totals = world.totals()
    # March by the month, the year from April, and the next one.
    year = (990 + 2 * 250) * MAJOR * 120 // 100
    assert totals == [TAXED, year, year]
    assert world.subscription.term.start_at == datetime(2027, 4, 1, tzinfo=UTC)
    assert world.numbers.invoices == 3


def test_reductions_take_effect_when_the_term_turns_and_not_below_the_minimum() -> None:
    world = opened()
    world.work()
    held = world.subscription.with_unit(UnitItem("dialler", 5, 5, 3))
    held = held.with_unit(UnitItem("crm", 9, 9, 1))
    write(world, held, "hold")
    world.clock.advance(timedelta(days=31))
    world.work()
    lines = {one.what: one.quantity for one in world.invoiced[-1].lines}
    # Two diallers are included, and so is one seat; three seats are billed at least.
    assert lines == {"growth": 1, "crm": 2, "dialler": 1}
    assert world.subscription.unit("dialler") == UnitItem("dialler", 3, 3)


def test_a_later_catalogue_counts_from_the_day_it_says() -> None:
    world = opened()
    dearer = replace(GROWTH, price=monthly(199))
    day = date(2026, 5, 1)
    world.catalogs.save(a_catalog(plans=(STARTER, dearer), existing_from=day), 1)
    world.work()
    for _ in range(2):
        world.clock.advance(timedelta(days=31))
        world.work()
    fees = [invoice.lines[0].amount_micros for invoice in world.invoiced]
    assert fees == [99 * USD, 99 * USD, 199 * USD]
    assert world.subscription.catalog_version == world.account.plan.catalog_version == 2


def test_a_later_catalogue_without_the_plan_leaves_it_as_it_was_sold() -> None:
    world = opened()
    world.catalogs.save(a_catalog(plans=(STARTER,), existing_from=date(2026, 3, 2)), 1)
    world.work()
    world.clock.advance(timedelta(days=31))
    world.work()
    assert world.subscription.catalog_version == 1
    assert world.totals() == [TAXED, TAXED]


def test_a_later_catalogue_that_grants_more_does_so_in_the_period_that_has_begun() -> None:
    world = opened()
    world.work()
    more = replace(GROWTH, recurring_grants=(replace(GROWTH.recurring_grants[0], quantity=90_000),))
    world.clock.advance(timedelta(days=31))
    # Rolled first, and uploaded and billed only then.
    RollPeriod(world.change_account).roll(ACME)
    world.catalogs.save(a_catalog(plans=(STARTER, more), existing_from=date(2026, 4, 1)), 1)
    world.work()
    lots = {lot.granted_at: lot.total for lot in world.account.grants if not lot.rolled_over}
    assert lots[datetime(2026, 4, 1, tzinfo=UTC)] == 90_000


def test_nothing_to_pay_is_no_invoice() -> None:
    world = opened(plan="starter")
    world.work()
    world.clock.advance(timedelta(days=31))
    world.work()
    assert world.invoiced == []
    assert world.subscription.billed_until == datetime(2026, 5, 1, tzinfo=UTC)
    assert not world.is_billing_due()


def test_what_is_pending_goes_on_the_next_invoice_once() -> None:
    world = opened(plan="starter")
    world.work()
    other = opened()
    other.work()
    line = other.invoiced[0].lines[0]
    write(world, replace(world.subscription, pending=(line,)), "pending")
    for _ in range(2):
        world.clock.advance(timedelta(days=31))
        world.work()
    assert [invoice.lines for invoice in world.invoiced] == [(line,)]
    assert world.subscription.pending == ()


def test_more_given_back_than_charged_waits_for_an_invoice_that_is_larger() -> None:
    world = opened()
    world.work()
    (plan, *_) = world.invoiced[0].lines
    back = replace(plan, amount_micros=-500 * USD, tax_micros=0)
    write(world, replace(world.subscription, pending=(back,)), "pending")
    world.clock.advance(timedelta(days=31))
    world.work()
    assert world.totals() == [TAXED, TAXED]
    assert world.subscription.pending == (back,)


def test_an_invoice_that_comes_to_nothing_is_paid_as_it_is_raised() -> None:
    world = opened(plan="starter")
    world.work()
    other = opened()
    other.work()
    (plan, *_) = other.invoiced[0].lines
    back = replace(plan, amount_micros=-plan.amount_micros, tax_micros=-plan.tax_micros)
    write(world, replace(world.subscription, pending=(plan, back)), "pending")
    world.clock.advance(timedelta(days=31))
    world.work()
    (invoice,) = world.invoiced
    assert invoice.state is InvoiceState.PAID
    assert world.told[-2:] == ["invoice.issued", "invoice.paid"]
    assert world.is_proven()


def test_an_account_from_before_there_were_invoices_has_paid_for_its_period() -> None:
    world = BillingWorld()
    world.open()
    assert world.book.thing(ACME, Subscription) is None
    world.work()
    assert world.subscription.billed_until == world.account.period.end_at
    assert world.invoiced == []
    world.clock.advance(timedelta(days=31))
    world.work()
    assert world.subscription.billed_until == datetime(2026, 5, 1, tzinfo=UTC)


def test_the_roll_has_the_period_billed_at_once() -> None:
    world = opened(plan="starter")
    world.work()
    assert not world.is_billing_due()
    world.clock.advance(timedelta(days=31))
    RollPeriod(world.change_account).roll(ACME)
    assert world.is_billing_due()


@pytest.mark.parametrize(
    ("time_zone", "billing_day"),
    [
        pytest.param("Europe/Berlin", 31, id="the clocks change within the period"),
        pytest.param("Pacific/Auckland", 29, id="a day ahead"),
        pytest.param("America/New_York", 30, id="a short February"),
    ],
)
def test_periods_are_billed_where_the_account_lives(time_zone: str, billing_day: int) -> None:
    world = BillingWorld(datetime(2026, 1, 25, 22, 30, tzinfo=UTC))
    world.open_on(time_zone=time_zone, billing_day=billing_day)
    world.add_source()
    for _ in range(120):
        world.clock.advance(timedelta(days=1))
        world.work()
    lines = [invoice.lines[0] for invoice in world.invoiced]
    days = [(line.starts_on, line.ends_on) for line in lines]
    assert [end for _, end in days[:-1]] == [start for start, _ in days[1:]]
    assert [line.amount_micros for line in lines[1:]] == [99 * USD] * len(lines[1:])
    assert lines[0].amount_micros < 99 * USD


def test_who_cannot_be_billed_is_rolled_all_the_same() -> None:
    world = opened()
    world.work()
    gone = replace(world.subscription, catalog_version=7)
    write(world, gone, "gone")
    world.clock.advance(timedelta(days=31))
    with pytest.raises(Exception, match="version"):
        world.work()
    assert world.account.period.start_at == datetime(2026, 4, 1, tzinfo=UTC)
    due = world.book.due(TimerKind.BILLING, world.clock.now())
    assert [timer.account for timer in due] == [ACME]
    assert world.account.standing is Standing.GOOD


def test_a_plan_without_a_price_in_the_currency_opens_no_account() -> None:
    world = BillingWorld()
    with pytest.raises(NotSoldError) as refused:
        world.open_on(currency="CHF")
    assert refused.value.field == "plan"
    assert world.book.account_refs() == []
