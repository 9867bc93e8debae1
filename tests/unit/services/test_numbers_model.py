"""Numbers in every order of what can happen to them; what must hold after each step is named."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from billing.adapters.gateways.sandbox import DECLINES, SUCCEEDS
from billing.domain.documents import LineKind
from billing.domain.errors import ConflictError, InsufficientBalanceError, NoFundingSourceError
from billing.domain.numbers import NumberState, PhoneNumber
from builders import ACME, USD
from unit.number_world import CATALOG, FEE, OPERATOR, STARTER, NumberWorld

E164S = [f"+1415555010{place}" for place in range(3)]
ANY = st.sampled_from(E164S)


class Numbers(RuleBasedStateMachine):
    """Three numbers, one of which the plan includes, and cards that may decline."""

    @initialize(card=st.sampled_from([None, SUCCEEDS, DECLINES]))
    def begin(self, card: str | None) -> None:
        plan = replace(STARTER, numbers_included=1)
        self.world = NumberWorld(replace(CATALOG, plans={"starter": plan}))
        self.world.open()
        self.world.work()
        self.credits = 0
        self.paid_when_released: list[PhoneNumber] = []
        if card is not None:
            self.world.add_source(card)

    def _of(self, e164: str, *states: NumberState) -> PhoneNumber | None:
        number = self.world.book.thing(ACME, PhoneNumber, e164)
        return number if number is not None and number.state in states else None

    @rule(e164=ANY, auto_pay=st.booleans())
    def order(self, e164: str, auto_pay: bool) -> None:
        if e164 not in self.world.book.number_owners():
            self.world.holds(e164, is_auto_pay=auto_pay)

    @rule(e164=ANY)
    def provide(self, e164: str) -> None:
        if self._of(e164, NumberState.PENDING):
            self.world.numbers.provisioned(ACME, e164, OPERATOR)

    @rule(e164=ANY)
    def fail(self, e164: str) -> None:
        if self._of(e164, NumberState.PENDING):
            self.world.numbers.failed(ACME, e164, OPERATOR)

    @rule(e164=ANY)
    def release(self, e164: str) -> None:
        if self._of(e164, NumberState.ACTIVE, NumberState.ON_HOLD):
            with suppress(ConflictError):
                self.world.numbers.release(ACME, e164, OPERATOR)

    @rule(e164=ANY)
    def toggle_auto_pay(self, e164: str) -> None:
        number = self._of(e164, NumberState.ACTIVE, NumberState.ON_HOLD)
        if number is not None:
            wanted = not number.is_auto_pay
            self.world.numbers.amend(
                ACME, e164, lambda one: replace(one, is_auto_pay=wanted), "auto_pay", OPERATOR
            )

    @rule(e164=ANY, by_card=st.booleans())
    def pay(self, e164: str, by_card: bool) -> None:
        if self._of(e164, NumberState.ON_HOLD):
            has_card = bool(self.world.account.recharging.source_ids)
            source = "card-1" if by_card and has_card else None
            with suppress(InsufficientBalanceError, NoFundingSourceError, ConflictError):
                self.world.pay(e164, source=source)

    @rule(dollars=st.integers(1, 10))
    def credit(self, dollars: int) -> None:
        self.credits += 1
        self.world.credit(dollars * USD, f"credit {self.credits}")

    @rule(days=st.integers(1, 9))
    def days_go_by(self, days: int) -> None:
        self.world.until(self.world.clock.now() + timedelta(days=days))

    @rule()
    def period_turns(self) -> None:
        self.world.turn()

    @rule()
    def two_periods_go_by_unwatched(self) -> None:
        self.world.clock.advance(timedelta(days=62))
        self.world.work()

    @invariant()
    def a_number_is_claimed_exactly_while_it_is_held(self) -> None:
        held = {one.e164 for one in self._all() if one.state.is_held}
        assert held == set(self.world.book.number_owners())

    @invariant()
    def no_number_is_billed_twice_for_one_period(self) -> None:
        billed = Counter(
            (line.what, line.starts_on)
            for invoice in self.world.invoices
            for line in invoice.lines
            if line.kind is LineKind.NUMBER
        )
        assert all(count == 1 for count in billed.values()), billed

    @invariant()
    def a_released_number_is_not_billed(self) -> None:
        for one in self._all():
            if one.ended_at is None:
                continue
            later = [at for what, at in self.world.billed if what == one.e164]
            assert all(at <= one.ended_at for at in later)

    @invariant()
    def no_number_is_released_while_it_is_paid_for(self) -> None:
        for one in self._all():
            if one.state is NumberState.RELEASED:
                assert one.paid_until is not None
                assert one.ended_at is not None
                assert one.paid_until <= one.ended_at

    @invariant()
    def whatever_is_on_hold_says_why_and_when_it_goes(self) -> None:
        for one in self._all():
            is_on_hold = one.state is NumberState.ON_HOLD
            assert (one.hold_reason is not None) == is_on_hold or not one.state.is_held
            if is_on_hold:
                assert one.release_at is not None

    @invariant()
    def the_ledger_proves_and_numbers_leave_no_debt(self) -> None:
        assert self.world.is_proven()
        assert self.world.account.wallet_micros >= 0

    @invariant()
    def what_was_charged_is_what_the_lines_say(self) -> None:
        charged = sum(invoice.sums.total_micros for invoice in self.world.invoices)
        assert charged == len(self.world.billed) * FEE

    @invariant()
    def the_workers_left_nothing_undone(self) -> None:
        """An active number is paid for, unless its period has turned unwatched."""
        self.world.work()
        now = self.world.clock.now()
        for one in self._all():
            if one.state is NumberState.ACTIVE:
                assert one.paid_until is not None
                assert one.paid_until > now
            if one.state is NumberState.ON_HOLD:
                assert one.release_at is not None
                assert one.release_at > now

    def _all(self) -> list[PhoneNumber]:
        return self.world.book.things(ACME, PhoneNumber)


TestNumbers = Numbers.TestCase
TestNumbers.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
