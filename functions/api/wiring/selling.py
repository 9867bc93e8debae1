"""What is sold: the catalogue, quotes and orders, subscriptions, numbers, storage."""

from functools import cached_property

from api.wiring.paying import Paying
from billing.services.cancel_scheduled import CancelScheduled
from billing.services.gauge_storage import GaugeStorage
from billing.services.list_numbers import ListNumbers
from billing.services.manage_numbers import ManageNumbers
from billing.services.place_order import PlaceOrder
from billing.services.quote_order import QuoteOrder
from billing.services.read_held import ReadHeld
from billing.services.read_offers import ReadOffers
from billing.services.read_subscription import ReadSubscription
from billing.services.save_catalog import SaveCatalog
from billing.services.set_contract import SetContract
from billing.services.spend_orders import SpendOrders


class Selling(Paying):
    """Services that sell, over those that collect."""

    @cached_property
    def save_catalog(self) -> SaveCatalog:
        return SaveCatalog(self.catalogs, self.clock)

    @cached_property
    def read_held(self) -> ReadHeld:
        return ReadHeld(self.book, self.catalogs)

    @cached_property
    def read_offers(self) -> ReadOffers:
        return ReadOffers(self.book, self.catalogs)

    @cached_property
    def spend_orders(self) -> SpendOrders:
        return SpendOrders(self.book, self.read_held)

    @cached_property
    def quote_order(self) -> QuoteOrder:
        return QuoteOrder(
            book=self.book,
            quotes=self.quotes,
            read_held=self.read_held,
            bill_account=self.bill_account,
            clock=self.clock,
        )

    @cached_property
    def place_order(self) -> PlaceOrder:
        return PlaceOrder(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            spend_orders=self.spend_orders,
            collect_recharge=self.collect_recharge,
            change_account=self.change_account,
        )

    @cached_property
    def read_subscription(self) -> ReadSubscription:
        return ReadSubscription(self.book, self.read_held, self.clock)

    @cached_property
    def cancel_scheduled(self) -> CancelScheduled:
        return CancelScheduled(self.read_held, self.change_account)

    @cached_property
    def set_contract(self) -> SetContract:
        return SetContract(
            book=self.book,
            catalogs=self.catalogs,
            clock=self.clock,
            change_account=self.change_account,
            bill_account=self.bill_account,
        )

    @cached_property
    def list_numbers(self) -> ListNumbers:
        return ListNumbers(self.book, self.catalogs)

    @cached_property
    def manage_numbers(self) -> ManageNumbers:
        return ManageNumbers(
            book=self.book,
            catalogs=self.catalogs,
            reservations=self.reservations,
            change_account=self.change_account,
            collect_recharge=self.collect_recharge,
        )

    @cached_property
    def gauge_storage(self) -> GaugeStorage:
        return GaugeStorage(
            book=self.book,
            catalogs=self.catalogs,
            members=self.members,
            directory=self.directory,
            clock=self.clock,
            change_account=self.change_account,
            first_account=self.first_account,
        )
