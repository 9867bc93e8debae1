"""Read what an account holds and what it is sold under, for whoever decides on a purchase."""

from billing.domain.account import Account, AccountRef
from billing.domain.catalog_versions import Versions
from billing.domain.documents import DocumentNumbers
from billing.domain.numbers import PhoneNumber, held
from billing.domain.periods import local_day
from billing.domain.subscription import Subscription, first_subscription
from billing.ports import Book, Catalogs


class ReadHeld:
    """Reads after the account, whose version guards all of it."""

    def __init__(self, book: Book, catalogs: Catalogs) -> None:
        self._book = book
        self._catalogs = catalogs

    def subscription(self, account: Account) -> Subscription:
        """What the account holds; its first one, where it has bought nothing yet."""
        return self._book.thing(account.ref, Subscription) or first_subscription(account)

    def documents(self, ref: AccountRef) -> DocumentNumbers:
        """The last numbers of its documents."""
        return self._book.thing(ref, DocumentNumbers) or DocumentNumbers(ref)

    def numbers_held(self, ref: AccountRef) -> int:
        """How many phone numbers the account has that are not released."""
        return len(held(self._book.things(ref, PhoneNumber)))

    def versions(
        self, account: Account, subscription: Subscription, offered: int | None = None
    ) -> Versions:
        """The catalogues that it is decided with.

        Args:
            offered: The version it was quoted under; None: the current one.

        Raises:
            NotFoundError: The operator has not uploaded one yet.
        """
        sold = subscription.catalog_version
        waiting = subscription.next_plan
        renews_on = local_day(subscription.term.end_at, account.time_zone)
        catalogs = self._catalogs
        return Versions(
            offered=catalogs.current() if offered is None else catalogs.version(offered),
            sold=catalogs.version(sold),
            renewing=catalogs.version_for_existing(sold, renews_on),
            scheduled=catalogs.version(waiting.catalog_version) if waiting else None,
        )
