"""Payers: they save cards, arrange and remove them, and pay what is open before anybody asks."""

from datetime import timedelta

from billing.domain.documents import Invoice, InvoiceState
from billing.domain.errors import TooManySourcesError
from billing.domain.payments import PaymentMethod
from billing.domain.records import FundingSource, Operation, SourceState
from billing.services.add_funding_source import NewSource
from billing.services.pay_invoice import PayRequest
from simulation.asking import Act, Asker
from simulation.desk import NOT_ARRANGED, NOT_PAID, PayDesk
from simulation.shop import RETRIED
from simulation.shoppers import ANN
from simulation.tenants import SITES, Site
from simulation.world import World

MOST_SOURCES = 6

NOT_SAVED = 0.2
"""Cards that their bank does not let be saved."""

VALID_DAYS = (20, 40, 400, 1_500)
"""How long a card is valid that is saved; the shortest expire while somebody looks."""


class Payers:
    """Ask with idempotency keys where money moves; everything else is the same the second time."""

    def __init__(self, world: World, desk: PayDesk) -> None:
        self.payments = Asker(world, "invoice", *NOT_PAID)
        self.sources = Asker(world, "source", TooManySourcesError)
        self._world = world
        self._desk = desk

    # Invoices

    def pay(self) -> str:
        """An open invoice of somebody's, or one that is paid, which is refused."""
        site = self._world.random.choice(SITES)
        invoices = self._world.book.things(site.ref, Invoice)
        wanted = [one for one in invoices if one.state is InvoiceState.OPEN] or invoices[-1:]
        if not wanted:
            return f"{site.ref} was never invoiced"
        number = self._world.random.choice(wanted).number
        payer = self._world.random.choice(("wallet", "wallet", *self._names(site), "once"))
        return self.payments.ask(site, [number, payer], self._paying(site, number, payer))

    def pay_again(self) -> str:
        return self.payments.again()

    def _paying(self, site: Site, number: int, payer: str) -> Act:
        def pay(operation: Operation) -> None:
            request = PayRequest(
                number=number,
                operation=operation,
                audit=self._world.audit(site.ref, operation.operation_id, "invoice.pay"),
                is_from_wallet=payer == "wallet",
                source_id=None if payer in ("wallet", "once") else payer,
                one_off=self._world.gateway.name if payer == "once" else None,
            )
            self._desk.pay.pay(site.ref, request)

        return pay

    # Sources

    def add(self) -> str:
        site = self._world.random.choice(SITES)
        if len(self._sources(site)) >= MOST_SOURCES:
            return f"{site.ref} has enough cards"
        return self.sources.ask(site, ["card"], self._adding(site))

    def add_again(self) -> str:
        return self.sources.again()

    def _adding(self, site: Site) -> Act:
        def add(operation: Operation) -> None:
            source_id = f"src-{operation.operation_id.rpartition('/')[2]}"
            self._desk.begin.begin(
                site.ref,
                NewSource(source_id, self._world.gateway.name, "", "new card", PaymentMethod.CARD),
                operation_id=operation.operation_id,
                body_hash=operation.body_hash,
                audit=self._world.audit(site.ref, operation.operation_id, "funding_source.add"),
            )
            self._desk.begin.setup(site.ref, source_id)

        return add

    def save(self) -> str:
        """The customer fills in the gateway's form, or the bank says no."""
        pending = [one for one in self._any(SourceState.PENDING) if one.setup_id]
        if not pending:
            return "no form is open"
        source = self._world.random.choice(pending)
        assert source.setup_id is not None
        if self._world.random.random() < NOT_SAVED:
            self._world.gateway.fail_setup(source.setup_id)
            return f"{source.source_id} not saved"
        valid = timedelta(days=self._world.random.choice(VALID_DAYS))
        self._world.gateway.finish_setup(
            source.setup_id, (self._world.clock.true_now + valid).date()
        )
        return f"{source.source_id} saved"

    def look(self) -> str:
        """Whether the card is saved by now."""
        pending = self._any(SourceState.PENDING)
        if not pending:
            return "no card is being saved"
        source = self._world.random.choice(pending)
        try:
            self._desk.begin.setup(source.account, source.source_id)
            found = self._desk.confirm.confirm(source.account, source.source_id)
        except RETRIED as error:
            return f"{source.source_id}: {error!r}"
        return f"{source.source_id} is {found.state}"

    def prefer(self) -> str:
        """Another default, of any state: what is not saved is refused."""
        sources = self._any(*SourceState)
        if not sources:
            return "nobody has a card"
        source = self._world.random.choice(sources)
        try:
            self._desk.arrange.make_default(source.account, source.source_id, ANN)
        except (*RETRIED, *NOT_ARRANGED) as error:
            return f"{source.account} {source.source_id}: {error!r}"
        return f"{source.account} {source.source_id} first"

    def reorder(self) -> str:
        site = self._world.random.choice(SITES)
        order = list(self._world.book.account(site.ref).recharging.backup_source_ids)
        self._world.random.shuffle(order)
        try:
            self._desk.arrange.reorder(site.ref, order, ANN)
        except (*RETRIED, *NOT_ARRANGED) as error:
            return f"{site.ref} {order}: {error!r}"
        return f"{site.ref} {order}"

    def remove(self) -> str:
        """Of the cards that came later; those of the beginning stay, so that orders find them."""
        kept = {card for site in SITES for card in site.cards}
        sources = [one for one in self._any(*SourceState) if one.source_id not in kept]
        if not sources:
            return "nobody has a card to remove"
        source = self._world.random.choice(sources)
        try:
            self._desk.arrange.remove(source.account, source.source_id, ANN)
        except (*RETRIED, *NOT_ARRANGED) as error:
            return f"{source.account} {source.source_id}: {error!r}"
        return f"{source.account} {source.source_id} removed"

    def revoke(self) -> str:
        """At the bank, without us."""
        sources = [one for one in self._any(SourceState.ACTIVE) if "." in one.token]
        if not sources:
            return "nobody has a card of his own"
        source = self._world.random.choice(sources)
        self._world.gateway.revoke_source(source.token)
        return f"{source.account} {source.source_id} revoked"

    def _names(self, site: Site) -> tuple[str, ...]:
        return self._world.book.account(site.ref).recharging.source_ids

    def _sources(self, site: Site) -> list[FundingSource]:
        found = self._world.book.funding_sources(site.ref)
        return [one for one in found if one.state is not SourceState.REMOVED]

    def _any(self, *states: SourceState) -> list[FundingSource]:
        site = self._world.random.choice(SITES)
        found = self._world.book.funding_sources(site.ref)
        return [one for one in found if one.state in states]
