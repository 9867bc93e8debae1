"""What payments are spent on, for every purpose that there is."""

from collections.abc import Mapping

from billing.domain.records import PurposeKind
from billing.ports import Book, Catalogs
from billing.services.collect_recharge import Spends
from billing.services.read_held import ReadHeld
from billing.services.spend_invoices import SpendInvoices
from billing.services.spend_numbers import SpendNumbers
from billing.services.spend_orders import SpendOrders


def all_spends(book: Book, catalogs: Catalogs) -> Mapping[PurposeKind, Spends]:
    """Whoever settles payments settles those of all purposes."""
    return {
        PurposeKind.ORDER: SpendOrders(book, ReadHeld(book, catalogs)),
        PurposeKind.INVOICE: SpendInvoices(book, catalogs),
        PurposeKind.NUMBERS: SpendNumbers(book, catalogs),
    }
