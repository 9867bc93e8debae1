"""Operators: they charge once, credit invoices, refund payments, and agree on contracts."""

from dataclasses import replace
from datetime import timedelta

from billing.domain.audit import By
from billing.domain.canonical import Json
from billing.domain.charging import Charge
from billing.domain.contracting import contract_etag
from billing.domain.crediting import Given
from billing.domain.documents import Invoice
from billing.domain.errors import InvalidInputError
from billing.domain.money import step_micros
from billing.domain.records import Operation, OperationState, Payment
from billing.domain.subscription import Contract, Subscription
from billing.services.refund_payment import RefundOrder
from billing.services.set_contract import StaleContractError
from simulation.asking import Act, Asker
from simulation.desk import NOT_CREDITED, NOT_REFUNDED, PayDesk
from simulation.shop import RETRIED
from simulation.tenants import SITES, Site
from simulation.world import World

OPERATOR = By("operator", None)
TAXES = ("", "vat", "ny")


class Operators:
    """Ask with idempotency keys; a contract is set by whoever has seen the one before."""

    def __init__(self, world: World, desk: PayDesk) -> None:
        self.charges = Asker(world, "charge", InvalidInputError)
        self.credits = Asker(world, "credit", *NOT_CREDITED)
        self.refunds = Asker(world, "refund", *NOT_REFUNDED)
        self._world = world
        self._desk = desk

    def charge(self) -> str:
        random = self._world.random
        site = random.choice(SITES)
        unit = site.base_micros // 5
        charges = tuple(
            Charge(f"hour {place}", unit * random.randint(1, 4), random.choice(TAXES))
            for place in range(random.randint(1, 3))
        )
        is_at_once = random.random() < 0.6
        body = [is_at_once, *(one.amount_micros for one in charges)]
        return self.charges.ask(site, [*body], self._charging(site, charges, is_at_once))

    def _charging(self, site: Site, charges: tuple[Charge, ...], is_at_once: bool) -> Act:
        def charge(operation: Operation) -> None:
            audit = self._world.audit(site.ref, operation.operation_id, "account.charge")
            done = replace(operation, state=OperationState.SUCCEEDED)
            self._desk.charge.charge(site.ref, charges, done, audit, is_at_once=is_at_once)

        return charge

    def credit(self) -> str:
        """All that is left of an invoice, or a part of one line; of one that is open, nothing."""
        random = self._world.random
        site = random.choice(SITES)
        invoices = self._world.book.things(site.ref, Invoice)[-8:]
        if not invoices:
            return f"{site.ref} was never invoiced"
        invoice = random.choice(invoices)
        given: tuple[Given, ...] = ()
        if random.random() < 0.7:
            place = random.randrange(len(invoice.lines))
            step = step_micros(invoice.currency)
            most = max(1, abs(invoice.lines[place].amount_micros) // step)
            amount_micros = random.choice((None, step * random.randint(1, most)))
            given = (Given(place, amount_micros),)
        shown: list[Json] = [[one.place, one.amount_micros] for one in given]
        body = [invoice.number, *shown]
        return self.credits.ask(site, [*body], self._crediting(site, invoice.number, given))

    def _crediting(self, site: Site, number: int, given: tuple[Given, ...]) -> Act:
        def credit(operation: Operation) -> None:
            audit = self._world.audit(site.ref, operation.operation_id, "invoice.credit")
            done = replace(operation, state=OperationState.SUCCEEDED)
            self._desk.credit.credit(site.ref, number, given, "a mistake", done, audit)

        return credit

    def refund(self) -> str:
        """Part of a payment or what is left of it; now and then more, which is refused."""
        random = self._world.random
        payments = self._world.book.payments()[-30:]
        if not payments:
            return "nothing was paid"
        payment = random.choice(payments)
        site = next(one for one in SITES if one.ref == payment.account)
        step = step_micros(payment.currency)
        parts = payment.amount_micros // step
        amount_micros = random.choice((None, step, step * max(1, parts // 3), step * (parts + 1)))
        body = [payment.payment_id, amount_micros]
        return self.refunds.ask(site, [*body], self._refunding(site, payment, amount_micros))

    def _refunding(self, site: Site, payment: Payment, amount_micros: int | None) -> Act:
        def refund(operation: Operation) -> None:
            audit = self._world.audit(site.ref, operation.operation_id, "payment.refund")
            order = RefundOrder(
                payment.gateway, payment.payment_id, amount_micros, operation, audit
            )
            self._desk.refund.refund(site.ref, order)

        return refund

    def ask_again(self) -> str:
        asker = self._world.random.choice((self.charges, self.credits, self.refunds))
        return asker.again()

    def agree(self) -> str:
        """A contract with minimums of the kinds that the plan sells, for now or later."""
        random = self._world.random
        site = random.choice(SITES)
        held = self._world.book.thing(site.ref, Subscription)
        if held is None or held.billed_until == held.term.start_at:
            # Accounts are billed as they are opened, before anybody agrees on more.
            return f"{site.ref} was never billed"
        today = self._world.clock.true_now.date()
        contract = Contract(
            starts_on=today + timedelta(days=random.choice((-40, -1, 20))),
            ends_on=today + timedelta(days=random.choice((21, 70, 400))),
            minimums=((random.choice(("crm", "dialler", "qa")), random.randint(0, 3)),),
        )
        is_at_once = random.random() < 0.4
        try:
            self._desk.contract.set(
                site.ref,
                contract,
                seen_etag=contract_etag(held.contract),
                by=OPERATOR,
                is_at_once=is_at_once,
            )
        except (*RETRIED, InvalidInputError, StaleContractError) as error:
            return f"{site.ref} {contract}: {error!r}"
        return f"{site.ref} {contract} {'at once' if is_at_once else ''}"
