"""Shoppers: they ask for quotes, order by them in time or too late, and take back what waits."""

from billing.domain.audit import By
from billing.domain.canonical import Json
from billing.domain.errors import ConflictError, NotFoundError
from billing.domain.orders import Quote, Want, WantKind
from billing.domain.recharging import RechargeReason
from billing.domain.records import Operation
from billing.domain.scheduled import scheduled_changes
from billing.domain.selling import Interval
from billing.domain.subscription import Subscription
from billing.services.place_order import OrderRequest
from simulation.asking import Act, Asker
from simulation.catalog import CATALOG, FREE_PLANS, PAID_PLANS
from simulation.errors import require
from simulation.shop import NOT_ORDERED, NOT_QUOTED, RETRIED, Shop
from simulation.tenants import ACCEPTANCE, SITES, Site
from simulation.world import World

BUNDLES = ("minutes-10", "minutes-5", "minutes-5", "germany-5", "texts-20")

ANN = By("ann", ACCEPTANCE)
CAPABILITIES = {one["number_type"]: tuple(one["capabilities"]) for one in CATALOG["number_types"]}
NUMBERS = tuple(f"+1212555{number:04d}" for number in range(14))
"""So few that two accounts want the same."""

KINDS = {
    WantKind.PLAN: 5,
    WantKind.UNITS: 6,
    WantKind.PACKAGE: 5,
    WantKind.BUNDLE: 6,
    WantKind.PRODUCT: 2,
    WantKind.NUMBER: 7,
}
"""What is wanted, and how often."""


class Shoppers:
    """Order with idempotency keys, and again with the same key after every failure."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.orders = Asker(world, "order", *NOT_ORDERED)
        self.quotes: dict[str, Quote] = {}
        self._world = world
        self._shop = shop
        self._quoted = 0

    def quote(self) -> str:
        """Nothing but a quote: it costs nothing, and is ordered later if at all."""
        site = self._world.random.choice(SITES)
        _, said = self._quote(site)
        return said

    def buy(self) -> str:
        site = self._somebody()
        quote, said = self._quote(site)
        if quote is None:
            return said
        return f"{said}; {self._order(site, quote)}"

    def _somebody(self) -> Site:
        """Mostly one without an order that waits for its payment: it would be refused."""
        random, book = self._world.random, self._world.book
        free = [
            site
            for site in SITES
            if all(
                one.reason is not RechargeReason.ORDER
                for one in book.account(site.ref).recharging.opened
            )
        ]
        return random.choice(free if free and random.random() < 0.9 else SITES)

    def order_quoted(self) -> str:
        """By a quote of before, which may have expired, or be of what is no longer so."""
        if not self.quotes:
            return "nothing was quoted"
        quote = self._world.random.choice([*self.quotes.values()][-6:])
        site = next(one for one in SITES if one.ref == quote.account)
        return self._order(site, quote)

    def order_again(self) -> str:
        return self.orders.again()

    def reuse_key(self) -> str:
        if not self.quotes:
            return "nothing was quoted"
        quote = self._world.random.choice([*self.quotes.values()][-12:])
        return self.orders.reuse_key(self._placing(quote, "wallet"))

    def take_back(self) -> str:
        """Whatever is scheduled for the end of the term."""
        random = self._world.random
        site = random.choice(SITES)
        held = self._world.book.thing(site.ref, Subscription)
        waiting = scheduled_changes(held) if held else ()
        if not waiting:
            return "nothing is scheduled"
        change = random.choice(waiting)
        try:
            self._shop.cancel_scheduled.cancel(site.ref, change.change_id, ANN)
        except (*RETRIED, ConflictError) as error:
            return f"{site.ref} {change.change_id}: {error!r}"
        except NotFoundError:
            held = self._world.book.thing(site.ref, Subscription)
            waiting = scheduled_changes(held) if held else ()
            ids = [one.change_id for one in waiting]
            require(change.change_id not in ids, f"{site.ref} has {change.change_id} scheduled")
            return f"{site.ref} {change.change_id}: somebody else was faster"
        return f"{site.ref} {change.change_id} taken back"

    def _quote(self, site: Site) -> tuple[Quote | None, str]:
        """Asked for up to three times; each try is another quote."""
        wants = self._wants(site)
        shown = [f"{one.kind} {one.what} {one.quantity} {one.e164}".strip() for one in wants]
        said = [f"{site.ref} {shown}"]
        for _ in range(3):
            self._quoted += 1
            quote_id = f"quote-{self._quoted}"
            try:
                quote = self._shop.quote_order.quote(site.ref, wants, quote_id)
            except RETRIED as error:
                said.append(repr(error))
                continue
            except NOT_QUOTED as error:
                return None, f"{said[0]}: {error!r}"
            self.quotes[quote_id] = quote
            return quote, f"{said[0]}: {quote_id} at {quote.sums.total_micros}"
        return None, ", ".join(said)

    def _order(self, site: Site, quote: Quote) -> str:
        payer = self._payer(site, quote)
        body: Json = [quote.quote_id, payer]
        return self.orders.ask(site, body, self._placing(quote, payer))

    def _payer(self, site: Site, quote: Quote) -> str:
        """Mostly somebody who can: the wallet has as much, the card is not busy."""
        random = self._world.random
        everybody = ("wallet", *site.cards)
        roll = random.random()
        if roll < 0.02:
            return "once"
        account = self._world.book.account(site.ref)
        busy = {one.source_id for one in account.recharging.opened}
        if account.wallet_micros < quote.sums.total_micros:
            busy.add("wallet")
        able = [one for one in everybody if one not in busy]
        return random.choice(able if able and roll < 0.8 else everybody)

    def _placing(self, quote: Quote, payer: str) -> Act:
        def place(operation: Operation) -> object:
            request = OrderRequest(
                quote_id=quote.quote_id,
                operation=operation,
                by=ANN,
                is_from_wallet=payer == "wallet",
                source_id=None if payer in ("wallet", "once") else payer,
                one_off=self._world.gateway.name if payer == "once" else None,
            )
            return self._shop.place_order.place(operation.account, request)

        return place

    def _wants(self, site: Site) -> list[Want]:
        """One thing, or several at once; now and then the same one twice, which is refused."""
        random = self._world.random
        (count,) = random.choices((1, 2, 3), (70, 20, 10))
        kinds = random.choices(tuple(KINDS), tuple(KINDS.values()), k=count)
        return [self._want(site, kind) for kind in kinds]

    def _want(self, site: Site, kind: WantKind) -> Want:
        random = self._world.random
        match kind:
            case WantKind.PLAN:
                plan = random.choice((*FREE_PLANS, *PAID_PLANS, *PAID_PLANS))
                interval = random.choice((Interval.MONTH, Interval.MONTH, Interval.YEAR, None))
                return Want(kind, plan, interval=interval)
            case WantKind.UNITS:
                licence = random.choice(("dialler", "dialler", "qa", "flex", "crm"))
                return Want(kind, licence, random.randint(0, 4))
            case WantKind.PACKAGE:
                return Want(kind, random.choice(("extra", "weekend")), random.randint(0, 2))
            case WantKind.BUNDLE:
                bundle = random.choice(BUNDLES)
                return Want(kind, bundle, random.randint(1, 2))
            case WantKind.PRODUCT:
                return Want(kind, "training", random.randint(1, 2))
        number_type = random.choice(tuple(CAPABILITIES))
        return Want(
            kind,
            number_type,
            e164=random.choice(NUMBERS),
            capabilities=CAPABILITIES[number_type],
            is_auto_pay=random.random() < 0.8,
        )
