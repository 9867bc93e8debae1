"""Read an account's numbers, and what decides on them."""

from datetime import date

from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.catalog_versions import plan_of
from billing.domain.number_changes import Numbers
from billing.domain.numbers import PhoneNumber
from billing.domain.offers import is_sold
from billing.domain.periods import local_day
from billing.ports import Book, Catalogs, StoredCatalog
from billing.services.read_held import ReadHeld


class ReadNumbers:
    """Reads after the account, whose version guards all of it."""

    def __init__(self, book: Book, catalogs: Catalogs) -> None:
        self._book = book
        self._catalogs = catalogs
        self._held = ReadHeld(book, catalogs)

    def of(self, account: Account) -> tuple[Numbers, Plan]:
        """The account's numbers, and the plan that includes some of them.

        Raises:
            NotFoundError: A version of the catalogue that they are sold under is not there.
        """
        subscription = self._held.subscription(account)
        sold = self._catalogs.version(subscription.catalog_version).catalog
        numbers = tuple(self._book.things(account.ref, PhoneNumber))
        day = local_day(account.period.start_at, account.time_zone)
        current = {one.e164: self._sold_under(account, one, day) for one in numbers}
        found = Numbers(
            all=numbers,
            subscription=subscription,
            documents=self._held.documents(account.ref),
            rule=sold.number_rule,
            catalogs={e164: stored.catalog for e164, stored in current.items()},
            versions={e164: stored.version for e164, stored in current.items()},
        )
        return found, plan_of(sold, subscription.plan_id)

    def _sold_under(self, account: Account, number: PhoneNumber, day: date) -> StoredCatalog:
        """The version whose price a number's next renewal has: a later one that reaches what
        exists, unless that no longer knows what the number is, or not in the account's currency."""
        later = self._catalogs.version_for_existing(number.catalog_version, day)
        sold = later.catalog.number_types.get(number.type_id)
        if sold is not None and is_sold(sold.recurring, account.currency):
            return later
        return self._catalogs.version(number.catalog_version)
