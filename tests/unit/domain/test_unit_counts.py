"""How many units there are, and what they cost: rules at their edges; see also the model."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from billing.domain.errors import (
    BelowContractedMinimumError,
    InvalidInputError,
    NotSoldError,
)
from billing.domain.subscription import Contract, UnitCommitment
from billing.domain.unit_counts import UnitCounts, contracted, settled
from builders import USD
from purchases import MARCH, Customer, plan, units

MID_MARCH = MARCH + timedelta(days=16)
"""17 March: 15 of 31 days are left, that day included."""

PORT = 40 * USD
PORT_LEFT = 19_350_000
"""Of a dialler port, from 17 March: 40 * 15 / 31 is 19.354…; the days before cost 20.65."""
VAT = 12, 10


def with_vat(micros: int) -> int:
    return micros * VAT[0] // VAT[1]


def contracted_to(
    customer: Customer,
    minimum: int,
    *,
    kind: str = "dialler",
    ends_on: date = date(2026, 12, 1),
    commitment: UnitCommitment = UnitCommitment.PERIOD,
) -> None:
    """The operator agrees on a minimum with the customer, from today on."""
    sold = customer.versions.sold.catalog.plans[customer.subscription.plan_id]
    agreed = Contract(date(2026, 3, 1), ends_on, ((kind, minimum),), commitment)
    customer.holds(replace(settled(customer.subscription, sold), contract=agreed).revised())


# By number


def test_what_a_plan_includes_is_there_from_the_first_day_and_costs_nothing() -> None:
    customer = Customer()
    assert customer.counts("dialler", MARCH) == UnitCounts(
        "dialler",
        created=0,
        included=2,
        contracted=0,
        additional=0,
        free=2,
        quantity=2,
        next_quantity=2,
    )
    assert customer.order(units("dialler", 2), at=MID_MARCH) == ()
    assert customer.spent_micros == 0


def test_adding_charges_for_the_days_left_that_day_included() -> None:
    customer = Customer()
    (line,) = customer.order(units("dialler", 5), at=MID_MARCH)
    assert (line.quantity, line.unit_price_micros, line.amount_micros) == (3, PORT, 3 * PORT_LEFT)
    assert (line.starts_on, line.ends_on) == (date(2026, 3, 17), date(2026, 4, 1))
    assert customer.spent_micros == with_vat(3 * PORT_LEFT)
    there = customer.counts("dialler", MID_MARCH)
    assert (there.created, there.quantity, there.additional, there.free) == (5, 5, 3, 0)


def test_an_account_opened_within_a_period_pays_for_its_days_at_the_whole_periods_price() -> None:
    customer = Customer(opened_at=MID_MARCH)
    (line,) = customer.order(units("dialler", 3), at=MID_MARCH)
    assert (line.unit_price_micros, line.amount_micros) == (PORT, PORT_LEFT)


def test_adding_one_by_one_costs_what_adding_all_at_once_does() -> None:
    at_once, one_by_one = Customer(), Customer()
    at_once.order(units("dialler", 9), at=MID_MARCH)
    for count in range(3, 10):
        one_by_one.order(units("dialler", count), at=MID_MARCH)
    assert one_by_one.spent_micros == at_once.spent_micros


def test_a_reduction_waits_for_the_term_and_gives_nothing_back() -> None:
    customer = Customer()
    customer.order(units("dialler", 6), at=MARCH)
    spent = customer.spent_micros
    quote = customer.quote(units("dialler", 3), at=MID_MARCH)
    assert quote.lines == ()
    assert quote.scheduled == ("From 2026-04-01: 3 instead of 6 of Dialler port.",)
    customer.order(units("dialler", 3), at=MID_MARCH)
    there = customer.counts("dialler", MID_MARCH)
    assert (there.created, there.quantity, there.next_quantity) == (6, 6, 3)
    assert customer.spent_micros == spent
    renewal = {line.what: line.quantity for line in customer.renews()}
    assert renewal["dialler"] == 1
    assert customer.counts("dialler", MID_MARCH).quantity == 3


def test_adding_again_what_was_to_be_reduced_is_free() -> None:
    customer = Customer()
    customer.order(units("dialler", 6), at=MARCH)
    customer.order(units("dialler", 3), at=MID_MARCH)
    assert customer.order(units("dialler", 6), at=MID_MARCH) == ()
    assert customer.counts("dialler", MID_MARCH).next_quantity == 6


# By members


def test_a_member_who_leaves_makes_room_for_another_at_no_cost() -> None:
    customer = Customer()
    assert [customer.joins("crm", MARCH) for _ in range(3)] == [0, 0, 0]
    assert customer.joins("crm", MID_MARCH, -1) == 0
    assert customer.joins("crm", MID_MARCH) == 0


def test_a_member_who_comes_before_another_leaves_costs_a_unit() -> None:
    customer = Customer()
    customer.joins("crm", MARCH, 3)
    # 25 * 15 / 31 is 12.0967…; the days before cost 12.90.
    assert customer.joins("crm", MID_MARCH) == with_vat(12_100_000)
    customer.joins("crm", MID_MARCH, -1)
    there = customer.counts("crm", MID_MARCH)
    assert (there.created, there.quantity, there.free) == (3, 4, 1)
    assert customer.joins("crm", MID_MARCH) == 0


def test_the_minimum_is_billed_even_where_fewer_exist() -> None:
    customer = Customer()
    customer.joins("crm", MARCH)
    # One of three is included in the plan.
    renewal = {line.what: line.quantity for line in customer.renews()}
    assert renewal == {"growth": 1, "crm": 2}


def test_members_are_billed_as_many_as_there_are_when_the_term_turns() -> None:
    customer = Customer()
    customer.joins("crm", MARCH, 8)
    customer.joins("crm", MID_MARCH, -3)
    assert customer.counts("crm", MID_MARCH).quantity == 8
    renewal = {line.what: line.quantity for line in customer.renews()}
    assert renewal["crm"] == 4
    assert customer.counts("crm", MID_MARCH).quantity == 5


def test_places_for_members_can_be_bought_before_they_come_but_not_given_back() -> None:
    customer = Customer()
    (line,) = customer.order(units("crm", 5), at=MID_MARCH)
    assert line.quantity == 2
    assert customer.joins("crm", MID_MARCH, 5) == 0
    with pytest.raises(InvalidInputError) as refused:
        customer.quote(units("crm", 4), at=MID_MARCH)
    assert refused.value.field == "wants/0/quantity"
    with pytest.raises(BelowContractedMinimumError) as below:
        customer.quote(units("crm", 2), at=MID_MARCH)
    assert below.value.members["minimum"] == 3


# Contracts


def test_a_contract_stands_in_place_of_the_catalogues_minimum_while_it_is_in_force() -> None:
    customer = Customer()
    contracted_to(customer, 1, kind="crm", ends_on=date(2026, 4, 1))
    held = customer.versions.sold.catalog.plans["growth"]
    days = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1))
    minimums = [contracted(customer.subscription, "crm", held, day) for day in days]
    assert minimums == [3, 1, 1, 3]
    assert contracted(customer.subscription, "dialler", held, date(2026, 3, 2)) == 0


def test_a_contract_that_begins_changes_nothing_before_the_next_term() -> None:
    customer = Customer()
    contracted_to(customer, 10)
    assert customer.counts("dialler", MID_MARCH).quantity == 2
    assert {line.what: line.quantity for line in customer.renews()}["dialler"] == 8
    fewer = Customer()
    contracted_to(fewer, 0, kind="crm")
    # What was billed as the catalogue's minimum stays available to the term's end.
    assert fewer.counts("crm", MID_MARCH).quantity == 3


@pytest.mark.parametrize("wanted", [0, 4])
def test_nothing_is_reduced_below_what_is_contracted(wanted: int) -> None:
    customer = Customer()
    customer.order(units("dialler", 8), at=MARCH)
    contracted_to(customer, 5)
    with pytest.raises(BelowContractedMinimumError) as refused:
        customer.quote(plan("growth"), units("dialler", wanted), at=MID_MARCH)
    assert refused.value.field == "wants/1/quantity"
    assert refused.value.members["minimum"] == 5
    contacts = refused.value.members["contacts"]
    assert isinstance(contacts, dict)
    assert "account_manager" in contacts
    assert customer.order(units("dialler", 5), at=MID_MARCH) == ()


def test_a_minimum_that_is_over_when_the_term_turns_holds_nothing() -> None:
    customer = Customer()
    customer.order(units("dialler", 8), at=MARCH)
    contracted_to(customer, 5, ends_on=date(2026, 4, 1))
    customer.order(units("dialler", 0), at=MID_MARCH)
    customer.renews()
    assert customer.counts("dialler", MID_MARCH).quantity == 2


def test_a_contract_may_hold_what_was_added_until_it_ends() -> None:
    customer = Customer()
    contracted_to(customer, 5, ends_on=date(2026, 6, 1), commitment=UnitCommitment.CONTRACT)
    customer.order(units("dialler", 9), at=MID_MARCH)
    for _ in range(2):
        with pytest.raises(BelowContractedMinimumError) as refused:
            customer.quote(units("dialler", 8), at=customer.account.period.start_at)
        assert refused.value.members["minimum"] == 9
        assert {line.what: line.quantity for line in customer.renews()}["dialler"] == 7
    # In May it is ordered, and the contract is over when June begins.
    customer.order(units("dialler", 2), at=datetime(2026, 5, 2, tzinfo=MARCH.tzinfo))
    assert "dialler" not in {line.what for line in customer.renews()}


def test_a_reduction_that_a_contract_overtakes_does_not_happen() -> None:
    customer = Customer()
    customer.order(units("dialler", 9), at=MARCH)
    customer.order(units("dialler", 4), at=MID_MARCH)
    contracted_to(customer, 0, commitment=UnitCommitment.CONTRACT)
    assert {line.what: line.quantity for line in customer.renews()}["dialler"] == 7
    there = customer.counts("dialler", MID_MARCH)
    assert (there.created, there.quantity, there.next_quantity) == (9, 9, 9)


def test_members_who_leave_under_such_a_contract_are_billed_on() -> None:
    customer = Customer()
    contracted_to(customer, 3, kind="crm", commitment=UnitCommitment.CONTRACT)
    customer.joins("crm", MARCH, 6)
    customer.joins("crm", MID_MARCH, -5)
    assert {line.what: line.quantity for line in customer.renews()}["crm"] == 5


# What is refused


@pytest.mark.parametrize(
    "kind", [pytest.param("flex", id="not by this plan"), pytest.param("moon", id="not at all")]
)
def test_a_plan_sells_its_own_licences_and_no_others(kind: str) -> None:
    with pytest.raises(NotSoldError) as refused:
        Customer().quote(units(kind, 1), at=MARCH)
    assert refused.value.field == "wants/0/what"


def test_what_is_so_already_is_not_sold_again() -> None:
    customer = Customer()
    customer.order(units("dialler", 6), at=MARCH)
    with pytest.raises(InvalidInputError) as refused:
        customer.quote(units("dialler", 6), at=MID_MARCH)
    assert refused.value.field == "wants"
