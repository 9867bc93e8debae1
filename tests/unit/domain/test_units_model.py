"""Units against a model: members join and leave, ports are bought, reduced and kept after all,
contracts come and go, days pass and terms turn, in any order."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from billing.domain.documents import sums
from billing.domain.errors import BelowContractedMinimumError, InvalidInputError
from billing.domain.periods import local_day, start_of_day
from billing.domain.scheduled import without
from billing.domain.subscription import Contract, UnitCommitment
from billing.domain.unit_counts import settled
from builders import USD
from purchases import MARCH, Customer, units

ZONE = "America/New_York"
PORTS, SEATS = "dialler", "crm"
PRICE = {PORTS: 40 * USD, SEATS: 25 * USD}
INCLUDED = {PORTS: 2, SEATS: 1}
MINIMUM = {PORTS: 0, SEATS: 3}
FEE = 99 * USD


@dataclass
class Model:
    """What one kind should be: written down by hand, day by day.

    Args:
        paid: Available in this term.
        wanted: What it is to be reduced to.
    """

    created: int
    paid: int
    wanted: int | None = None


class Units(RuleBasedStateMachine):
    """A customer, and what should have become of him."""

    def __init__(self) -> None:
        super().__init__()
        opened_at = start_of_day(MARCH.date(), ZONE)
        self.customer = Customer(opened_at=opened_at, time_zone=ZONE)
        self.now = opened_at + timedelta(hours=9)
        self.model = {PORTS: Model(0, 2), SEATS: Model(0, 3)}
        self.contract: Contract | None = None
        self.owed_micros = 0
        self.quantities = {PORTS: 0, SEATS: 0}

    # The model's own reading of the rules

    @property
    def today(self) -> date:
        return local_day(self.now, ZONE)

    @property
    def turns_on(self) -> date:
        return local_day(self.customer.subscription.term.end_at, ZONE)

    def minimum(self, kind: str, day: date) -> int:
        if self.contract and self.contract.is_in_force(day):
            return dict(self.contract.minimums).get(kind, MINIMUM[kind])
        return MINIMUM[kind]

    def holds(self, day: date) -> bool:
        contract = self.contract
        is_held = contract is not None and contract.unit_commitment is UnitCommitment.CONTRACT
        return is_held and contract is not None and contract.is_in_force(day)

    def adds(self, kind: str, count: int) -> None:
        """So many are charged for today and the days left, tax included."""
        first = local_day(self.customer.subscription.term.start_at, ZONE)
        days, gone = (self.turns_on - first).days, (self.today - first).days
        cents = PRICE[kind] // 10_000
        before = (2 * cents * gone + days) // (2 * days)
        self.owed_micros += self.taxed((cents - before) * 10_000 * count)
        self.model[kind].paid += count

    def taxed(self, micros: int) -> int:
        cents = micros // 10_000
        return micros + (2 * cents * 20 + 100) // 200 * 10_000

    # What happens

    @rule(members=st.integers(1, 4))
    def members_join(self, members: int) -> None:
        seats = self.model[SEATS]
        seats.created += members
        missing = max(0, seats.created - seats.paid)
        before = self.owed_micros
        if missing:
            self.adds(SEATS, missing)
        assert self.customer.joins(SEATS, self.now, members) == self.owed_micros - before
        self.owed_micros = before  # It is invoiced with the invitation, not ordered.

    @precondition(lambda self: self.model[SEATS].created > 0)
    @rule(data=st.data())
    def members_leave(self, data: st.DataObject) -> None:
        members = data.draw(st.integers(1, self.model[SEATS].created))
        self.model[SEATS].created -= members
        assert self.customer.joins(SEATS, self.now, -members) == 0

    @rule(wanted=st.integers(0, 9))
    def ports_are_ordered(self, wanted: int) -> None:
        ports = self.model[PORTS]
        is_reduced = wanted < ports.created
        floor = self.minimum(PORTS, self.turns_on if is_reduced else self.today)
        if is_reduced and self.holds(self.turns_on):
            floor = max(floor, ports.created)
        try:
            self.customer.order(units(PORTS, wanted), at=self.now)
        except BelowContractedMinimumError:
            assert wanted < floor
            return
        except InvalidInputError:
            assert wanted == (ports.created if ports.wanted is None else ports.wanted)
            return
        assert wanted >= floor
        if is_reduced:
            ports.wanted = wanted
            return
        ports.created, ports.wanted = wanted, None
        if wanted > ports.paid:
            self.adds(PORTS, wanted - ports.paid)

    @precondition(lambda self: self.model[PORTS].wanted is not None)
    @rule()
    def a_reduction_is_taken_back(self) -> None:
        kept, _ = without(self.customer.subscription, f"units-{PORTS}")
        self.customer.holds(kept)
        self.model[PORTS].wanted = None

    @rule(
        minimum=st.integers(0, 6),
        days=st.integers(1, 90),
        commitment=st.sampled_from(UnitCommitment),
    )
    def a_contract_begins(self, minimum: int, days: int, commitment: UnitCommitment) -> None:
        ends_on = self.today + timedelta(days=days)
        self.contract = Contract(self.today, ends_on, ((PORTS, minimum),), commitment)
        sold = self.customer.versions.sold.catalog.plans["growth"]
        kept = settled(self.customer.subscription, sold)
        self.customer.holds(replace(kept, contract=self.contract).revised())

    @rule(days=st.integers(0, 40))
    def days_pass(self, days: int) -> None:
        later = start_of_day(self.today + timedelta(days=days), ZONE) + timedelta(hours=9)
        while self.customer.subscription.term.end_at <= later:
            self._term_turns()
        self.now = later

    def _term_turns(self) -> None:
        day = self.turns_on
        billed = {"growth": FEE}
        for kind, one in self.model.items():
            kept = one.paid if self.holds(day) else 0
            if one.wanted is not None and not self.holds(day):
                one.created = one.wanted
            one.wanted = None
            due = max(one.created, self.minimum(kind, day), kept)
            one.paid = max(due, INCLUDED[kind])
            if due > INCLUDED[kind]:
                billed[kind] = (due - INCLUDED[kind]) * PRICE[kind]
        lines = self.customer.renews()
        assert {line.what: line.amount_micros for line in lines} == billed
        assert sums(lines).total_micros == sum(self.taxed(micros) for micros in billed.values())
        self.quantities = {PORTS: 0, SEATS: 0}

    # Invariants

    @invariant()
    def the_counts_are_the_models(self) -> None:
        for kind, one in self.model.items():
            there = self.customer.counts(kind, self.now)
            assert (there.created, there.quantity) == (one.created, one.paid)

    @invariant()
    def nobody_is_charged_for_what_is_paid_for(self) -> None:
        assert self.customer.spent_micros == self.owed_micros

    @invariant()
    def what_exists_is_available(self) -> None:
        for kind in self.model:
            there = self.customer.counts(kind, self.now)
            assert there.created <= there.quantity
            assert there.free == there.quantity - there.created

    @invariant()
    def what_is_available_stays_so_until_the_term_turns(self) -> None:
        for kind in self.model:
            quantity = self.customer.counts(kind, self.now).quantity
            assert quantity >= self.quantities[kind]
            self.quantities[kind] = quantity

    @invariant()
    def the_next_term_is_never_below_the_contracted_minimum(self) -> None:
        for kind in self.model:
            minimum = self.minimum(kind, self.turns_on)
            assert self.customer.counts(kind, self.now).next_quantity >= minimum

    @invariant()
    def what_a_contract_holds_is_not_reduced_while_it_is_in_force(self) -> None:
        if self.holds(self.turns_on):
            for kind in self.model:
                there = self.customer.counts(kind, self.now)
                assert there.next_quantity >= there.quantity

    @invariant()
    def every_unit_is_included_contracted_or_additional(self) -> None:
        for kind in self.model:
            there = self.customer.counts(kind, self.now)
            known = max(there.included, there.contracted) + there.additional
            assert known >= there.quantity


Units.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestUnits = Units.TestCase
