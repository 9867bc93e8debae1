"""Read what an account can buy now, in its currency."""

from dataclasses import dataclass

from billing.domain.account import Account, AccountRef
from billing.domain.catalog import Catalog
from billing.domain.offers import sold_in
from billing.ports import Book, Catalogs, StoredCatalog


@dataclass(frozen=True, slots=True)
class Offers:
    """What an account can buy.

    Args:
        current: What is sold by itself: plans, bundles, products and numbers.
        held: The version the account's plan was sold under, which its units, its packages and its
            storage keep to.
    """

    account: Account
    current: StoredCatalog
    held: Catalog


class ReadOffers:
    """Reads, and uses nothing up."""

    def __init__(self, book: Book, catalogs: Catalogs) -> None:
        self._book = book
        self._catalogs = catalogs

    def read(self, ref: AccountRef) -> Offers:
        """
        Raises:
            NotFoundError: No such account.
        """
        account = self._book.account(ref)
        current = self._catalogs.current()
        held = self._catalogs.version(account.plan.catalog_version)
        return Offers(
            account=account,
            current=StoredCatalog(current.version, sold_in(current.catalog, account.currency)),
            held=sold_in(held.catalog, account.currency),
        )
