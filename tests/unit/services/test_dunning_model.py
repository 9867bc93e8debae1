"""Dunning as a state machine: whatever is paid, declined, added, charged, rolled or left undone."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing.domain.account import Standing
from billing.domain.charging import Charge
from billing.domain.documents import InvoiceState
from billing.domain.errors import (
    ConflictError,
    InsufficientBalanceError,
    NoFundingSourceError,
    PaymentUnknownError,
    RechargeInProgressError,
)
from billing.domain.ledger import WALLET
from billing.domain.records import Operation, OperationState
from billing.domain.selling import DunningRule
from billing.services.charge_account import ChargeAccount
from builders import ACME, USD, an_audit_record
from catalogs import a_catalog
from unit.billing_world import BillingWorld

RULES = st.sampled_from(
    [
        DunningRule(),
        DunningRule((), 0),
        DunningRule((2, 4), 3),
        DunningRule((1,), 10, refills_while_past_due=False),
    ]
)


class DunningMachine(RuleBasedStateMachine):
    """One account on a plan that costs; a bank that pays or declines, or does not answer."""

    @initialize(rule=RULES, has_source=st.booleans(), pays=st.booleans())
    def opened(self, rule: DunningRule, has_source: bool, pays: bool) -> None:
        self.rule = rule
        self.world = BillingWorld(catalog=a_catalog(dunning=rule))
        self.world.open_on()
        self.world.bank.pays = pays
        self.sources = 0
        self.asked = 0
        if has_source:
            self.source_added()

    @rule(hours=st.sampled_from([1, 24, 24 * 16, 24 * 40]))
    def nobody_works(self, hours: int) -> None:
        self.world.clock.advance(timedelta(hours=hours))

    @rule(days=st.sampled_from([1, 2, 5, 11]))
    def days_pass(self, days: int) -> None:
        for _ in range(days):
            self.world.clock.advance(timedelta(days=1))
            self.sweeps_run()
            self.sweeps_run()

    @rule()
    def sweeps_run(self) -> None:
        """Whatever stands under a timer is worked on, payments without an answer included."""
        try:
            if self.world.is_payment_due():
                self.world.recharges.finish_open(ACME)
            self.world.sweep()
        except PaymentUnknownError:
            assert self.world.bank.is_silent

    @rule()
    def work_comes_again(self) -> None:
        """A message that was delivered twice, or that nobody needed."""
        try:
            self.world.billing.bill(ACME)
            self.world.invoices.collect(ACME)
        except PaymentUnknownError:
            assert self.world.bank.is_silent

    @rule(pays=st.booleans(), is_silent=st.booleans())
    def the_bank_changes_its_mind(self, pays: bool, is_silent: bool) -> None:
        self.world.bank.pays, self.world.bank.is_silent = pays, is_silent

    @precondition(lambda self: self.sources < 4)
    @rule()
    def source_added(self) -> None:
        self.sources += 1
        self.world.add_source(source_id=f"card-{self.sources}")

    @rule(amount=st.sampled_from([1, 50, 400]))
    def wallet_filled(self, amount: int) -> None:
        self.world.credit(amount * USD, self._key())

    @rule(is_at_once=st.booleans())
    def charged(self, is_at_once: bool) -> None:
        now = self.world.clock.now()
        name = self._key()
        operation = Operation(name, "b", ACME, OperationState.SUCCEEDED, None, now)
        charge = ChargeAccount(
            book=self.world.book,
            catalogs=self.world.catalogs,
            change_account=self.world.change_account,
        )
        line = Charge("Training", 10 * USD)
        audit = an_audit_record(operation_id=name)
        charge.charge(ACME, [line], operation, audit, is_at_once=is_at_once)

    @rule(data=st.data(), from_wallet=st.booleans())
    def paid_by_hand(self, data: st.DataObject, from_wallet: bool) -> None:
        if not self.world.invoiced:
            return
        number = data.draw(st.integers(1, len(self.world.invoiced)))
        source = None if from_wallet or not self.sources else "card-1"
        was_open = self.world.invoiced[number - 1].state is InvoiceState.OPEN
        try:
            self.world.pay(number, key=self._key(), source=source)
        except ConflictError:
            assert not was_open
        except (
            InsufficientBalanceError,
            NoFundingSourceError,
            PaymentUnknownError,
            RechargeInProgressError,
        ):
            return

    def _key(self) -> str:
        self.asked += 1
        return f"key-{self.asked}"

    @invariant()
    def each_period_is_billed_once(self) -> None:
        renewals = [one.period_starts_on for one in self.world.invoiced if one.period_starts_on]
        assert len(set(renewals)) == len(renewals)
        assert renewals == sorted(renewals)

    @invariant()
    def documents_are_numbered_without_gaps(self) -> None:
        for papers, last in (
            (self.world.invoiced, self.world.numbers.invoices),
            (self.world.receipts, self.world.numbers.receipts),
        ):
            assert [one.number for one in papers] == list(range(1, last + 1))

    @invariant()
    def an_invoice_is_paid_once_and_has_one_receipt(self) -> None:
        paid = sorted(one.number for one in self.world.invoiced if one.state is InvoiceState.PAID)
        assert sorted(one.invoice for one in self.world.receipts if one.invoice) == paid
        still_open = [one.number for one in self.world.subscription.open_invoices]
        assert sorted([*paid, *still_open]) == [one.number for one in self.world.invoiced]

    @invariant()
    def one_payment_at_a_time_is_on_its_way_for_an_invoice(self) -> None:
        opened = [one for one in self.world.account.recharging.opened if one.is_for_bill]
        recharges = [self.world.book.recharge(ACME, one.ordinal) for one in opened]
        named = [one.purpose.name for one in recharges if one.purpose]
        assert len(set(named)) == len(named)

    @invariant()
    def the_ledger_proves_and_books_just_what_was_paid(self) -> None:
        assert self.world.is_proven()
        assert self.world.account.wallet_micros >= 0
        entries = self.world.book.entries(self.world.account)
        sold = sum(one.amount_micros for one in entries if one.debit == WALLET)
        assert sold == sum(one.amount_micros for one in self.world.receipts if one.invoice)

    @invariant()
    def nobody_is_suspended_before_the_days_are_over_and_no_try_is_left(self) -> None:
        dunning = self.world.subscription.dunning
        if self.world.account.standing is not Standing.SUSPENDED:
            return
        assert dunning is not None
        assert dunning.suspend_at is None
        days = timedelta(days=max(self.rule.suspend_after_days, *self.rule.retry_days, 0))
        assert self.world.clock.now() - dunning.first_failed_at >= days

    @invariant()
    def the_account_is_in_good_standing_once_nothing_is_open(self) -> None:
        subscription, standing = self.world.subscription, self.world.account.standing
        assert (standing is Standing.GOOD) == (subscription.dunning is None)
        if not subscription.open_invoices:
            assert standing is Standing.GOOD

    @invariant()
    def whoever_was_put_on_hold_and_stands_well_was_restored(self) -> None:
        told = self.world.told
        is_on_hold = self.world.account.standing is Standing.SUSPENDED
        assert told.count("account.on_hold") == told.count("account.restored") + is_on_hold

    @invariant()
    def what_is_owed_is_looked_after(self) -> None:
        """Something stands that brings every open invoice about: a timer, a payment on its way, or
        nobody is left to ask and no day to wait for."""
        subscription = self.world.subscription
        if not subscription.open_invoices or subscription.due_at is not None:
            return
        is_on_its_way = any(one.is_for_bill for one in self.world.account.recharging.opened)
        is_given_up = self.world.account.standing is Standing.SUSPENDED
        assert is_on_its_way or is_given_up

    def teardown(self) -> None:
        """Somebody pays in the end, and all is well."""
        if not hasattr(self, "world"):
            return
        self.world.bank.pays, self.world.bank.is_silent = True, False
        self.world.clock.advance(timedelta(days=2))
        self.world.recharges.finish_open(ACME)
        self.world.billing.bill(ACME)
        self.world.add_source(source_id="card-9")
        self.world.invoices.collect(ACME)
        assert all(one.state is InvoiceState.PAID for one in self.world.invoiced)
        assert self.world.account.standing is Standing.GOOD
        self.each_period_is_billed_once()
        self.an_invoice_is_paid_once_and_has_one_receipt()
        self.the_ledger_proves_and_books_just_what_was_paid()


TestDunning = DunningMachine.TestCase
TestDunning.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
