"""Take what a tenant stores, and say what that means for the account that pays for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.renewing import check_billed
from billing.domain.storage import Assessed, assess, free_bytes, turned
from billing.domain.storing import gauged
from billing.domain.turning import at
from billing.ports import Book, Catalogs, Clock, Directory, Members
from billing.services.change_account import ChangeAccount
from billing.services.read_held import ReadHeld


@dataclass(frozen=True, slots=True)
class StorageView:
    """What a tenant stores, and who pays.

    Args:
        assessed: As the last gauge left it; its ``charged_gb`` is what that gauge charged.
        price_micros: Of one started gigabyte, net.
        active_members: Whom the free limit counts.
    """

    payer: AccountRef
    currency: str
    assessed: Assessed
    price_micros: int
    active_members: int


class GaugeStorage:
    """One gauge per tenant; the account that was named for it pays, or else the first.

    Args:
        first_account: The tenant's first account.
    """

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        members: Members,
        directory: Directory,
        clock: Clock,
        change_account: ChangeAccount,
        first_account: Callable[[str], AccountRef],
    ) -> None:
        self._book = book
        self._catalogs = catalogs
        self._members = members
        self._directory = directory
        self._clock = clock
        self._change_account = change_account
        self._first_account = first_account
        self._held = ReadHeld(book, catalogs)

    def tell(self, tenant_id: str, used_bytes: int, by: By) -> StorageView:
        """Take a gauge. The same again changes nothing, and charges nothing.

        Raises:
            NotFoundError: There is no such tenant, or it has no account.
            InvalidInputError: The gauge is out of bounds.
            NotSoldError: Storage has prices, and none in the account's currency.
            BookBusyError: Try later.
        """
        ref, charged = self._payer(tenant_id), 0

        def decide(account: Account, now: datetime) -> Change | None:
            nonlocal charged
            # Asked for each time: who joins or leaves meanwhile changes what is free.
            active = self._members.counts(tenant_id).active
            subscription = self._held.subscription(account)
            # What is charged goes on the next invoice, which must not be just being written.
            check_billed(account, subscription)
            catalog = self._catalogs.version(subscription.catalog_version).catalog
            assessed = assess(
                subscription.storage,
                catalog.storage,
                used_bytes=used_bytes,
                active_members=active,
                period=account.period,
                now=now,
            )
            charged = assessed.charged_gb
            return gauged(account, subscription, assessed, catalog, by, now)

        self._change_account.by_version(ref, decide)
        return self._view(ref, self._members.counts(tenant_id).active, charged)

    def read(self, tenant_id: str) -> StorageView:
        """What the last gauge said.

        Raises:
            NotFoundError: There is no such tenant, or it has no account.
        """
        active = self._members.counts(tenant_id).active
        return self._view(self._payer(tenant_id), active, 0)

    def _view(self, ref: AccountRef, active: int, charged_gb: int) -> StorageView:
        account = at(self._book.account(ref), self._clock.now())
        subscription = self._held.subscription(account)
        catalog = self._catalogs.version(subscription.catalog_version).catalog
        # Members who have left charge nothing by themselves; the next gauge does.
        free = free_bytes(catalog.storage, active)
        shown = Assessed(turned(subscription.storage, free, account.period), charged_gb, free)
        price = catalog.storage.price.micros(account.currency)
        return StorageView(ref, account.currency, shown, price, active)

    def _payer(self, tenant_id: str) -> AccountRef:
        named = self._directory.tenant(tenant_id).storage_account_id
        return AccountRef(tenant_id, named) if named else self._first_account(tenant_id)
