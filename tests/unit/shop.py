"""An account that can buy, and a gateway whose tokens say how it pays."""

from collections.abc import Callable

from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain.audit import By
from billing.domain.authorising import CallWanted
from billing.domain.catalog import Plan
from billing.domain.covering import Destination
from billing.domain.orders import Order, Want, WantKind
from billing.domain.records import OperationState, PurposeKind
from billing.domain.reservations import Holds
from billing.domain.subscription import Subscription, first_subscription
from billing.domain.units import Direction, Unit
from billing.services.bill_account import BillAccount
from billing.services.collect_recharge import CollectRecharge
from billing.services.place_order import OrderRequest, PlaceOrder
from billing.services.quote_order import QuoteOrder
from billing.services.read_held import ReadHeld
from billing.services.spend_orders import SpendOrders
from builders import ACME, USD, a_touch, an_operation
from catalogs import a_catalog
from fakes.quotes import InMemoryQuotes
from fakes.reservations import InMemoryReservations
from fakes.stores import InMemoryCatalogs
from unit.world import World

BUNDLE = Want(WantKind.BUNDLE, "minutes-300")
PRICE = 12 * USD
"""Ten, and a fifth of it in tax."""


class RacedReservations(InMemoryReservations):
    """Holds before whose saving something may happen."""

    def __init__(self) -> None:
        super().__init__()
        self.races: list[Callable[[], object]] = []

    def save(self, holds: Holds, seen_version: int) -> None:
        if self.races:
            self.races.pop(0)()
        super().save(holds, seen_version)


class Shop(World):
    """An account that can buy."""

    def __init__(self, *tokens: str) -> None:
        super().__init__()
        self.raced = RacedReservations()
        self.use_reservations(self.raced)
        self.catalogs = InMemoryCatalogs()
        self.catalogs.save(a_catalog(plans=(Plan("starter", "Starter"),)), 0)
        read_held = ReadHeld(self.book, self.catalogs)
        self.spend_orders = SpendOrders(self.book, read_held)
        self.recharges = CollectRecharge(
            book=self.book,
            gateways={"sandbox": self.sandbox},
            clock=self.clock,
            change_account=self.change_account,
            spends={PurposeKind.ORDER: self.spend_orders},
        )
        self.quotes = QuoteOrder(
            book=self.book,
            quotes=InMemoryQuotes(self.book),
            read_held=read_held,
            bill_account=BillAccount(
                book=self.book,
                catalogs=self.catalogs,
                clock=self.clock,
                change_account=self.change_account,
            ),
            clock=self.clock,
        )
        self.orders = PlaceOrder(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            spend_orders=self.spend_orders,
            collect_recharge=self.recharges,
            change_account=self.change_account,
        )
        self.open()
        self.upload()
        for number, token in enumerate(tokens or (SUCCEEDS,), 1):
            self.add_source(token, f"card-{number}")

    def quote(self, name: str = "quote", want: Want = BUNDLE) -> str:
        return self.quotes.quote(ACME, [want], name).quote_id

    def order(self, quote_id: str, name: str = "order", *, source_id: str | None = None) -> Order:
        operation = an_operation(operation_id=name, state=OperationState.PENDING, answer=None)
        request = OrderRequest(
            quote_id=quote_id,
            operation=operation,
            by=By("sub", None),
            is_from_wallet=source_id is None,
            source_id=source_id,
        )
        return self.orders.place(ACME, request)

    def call(self, call_id: str = "call", seconds: int = 600) -> int:
        """Set aside what a call needs, a cent a second; how much that is."""
        to = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")
        wanted = CallWanted(call_id, to, seconds)
        return self.authorise_call.authorise(ACME, wanted).reservation.cover.wallet_micros

    def join(self) -> None:
        """Somebody else changes the subscription."""
        held = self.book.thing(ACME, Subscription) or first_subscription(self.account)
        self.book.commit(
            a_touch(self.account, f"joined v{self.account.version}", records=(held.revised(),))
        )

    @property
    def placed(self) -> list[Order]:
        return self.book.things(ACME, Order)

    @property
    def bundles(self) -> int:
        return sum(grant.recurring_id is None for grant in self.account.grants)
