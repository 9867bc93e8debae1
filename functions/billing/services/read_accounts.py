"""Read how all accounts of a tenant stand: one listing, and their states and holds together."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from billing.domain import turning
from billing.domain.account import Account
from billing.domain.recharge_status import RechargeStatus, recharge_status
from billing.domain.records import AccountListing
from billing.domain.spend import average_now
from billing.ports import Book, Clock, Directory, Reservations

MAX_TOTALLED = 1_000
"""Accounts that totals are made of: what one request reads in about a second. A tenant with more
gets none, rather than a wrong one."""


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """How one account stands, short.

    Args:
        account: With its period current, even where the roll is late.
        reserved_micros: Of the wallet, for calls in progress.
        runway_days: Whole days the balance lasts; None: nothing is spent.
    """

    listing: AccountListing
    account: Account
    reserved_micros: int
    runway_days: int | None
    recharge: RechargeStatus


@dataclass(frozen=True, slots=True)
class Total:
    """What the accounts of one currency hold together."""

    currency: str
    accounts: int
    settled_micros: int
    reserved_micros: int


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """Accounts by id.

    Args:
        standings: One more than asked for, where there are more.
        totals: Of all of the tenant's accounts, by currency, on the first page; None on others,
            and where there are too many.
    """

    standings: tuple[AccountStanding, ...]
    totals: tuple[Total, ...] | None


class ReadAccounts:
    """Reads, and changes nothing."""

    def __init__(
        self, directory: Directory, book: Book, reservations: Reservations, clock: Clock
    ) -> None:
        self._directory = directory
        self._book = book
        self._reservations = reservations
        self._clock = clock

    def read(
        self, tenant_id: str, after: str | None, limit: int, *, with_totals: bool
    ) -> AccountsPage:
        """
        Args:
            after: The last account of the page before; None: the first page.
            limit: Accounts of one page.
            with_totals: Look at all of them for the first page.

        Raises:
            NotFoundError: No such tenant.
        """
        self._directory.tenant(tenant_id)
        wants_all = with_totals and after is None
        most = MAX_TOTALLED if wants_all else limit
        listings = self._directory.accounts(tenant_id, after, most + 1)
        if not wants_all or len(listings) > MAX_TOTALLED:
            return AccountsPage(self._standings(listings[: limit + 1]), None)
        standings = self._standings(listings)
        return AccountsPage(standings[: limit + 1], _totals(standings))

    def _standings(self, listings: Iterable[AccountListing]) -> tuple[AccountStanding, ...]:
        refs = [listing.account for listing in listings]
        # Before the states, as for one account: what is freed by a posting has been charged then.
        holds = self._reservations.all_holds(refs)
        accounts = self._book.states(refs)
        now = self._clock.now()
        return tuple(
            _standing(listing, accounts[ref], holds[ref].reserved_micros(now), now)
            for listing, ref in zip(listings, refs, strict=True)
        )


def _standing(
    listing: AccountListing, account: Account, reserved_micros: int, now: datetime
) -> AccountStanding:
    account = turning.at(account, now)
    spend_micros = average_now(account, now).per_day_micros
    return AccountStanding(
        listing=listing,
        account=account,
        reserved_micros=reserved_micros,
        runway_days=max(0, account.wallet_micros) // spend_micros if spend_micros else None,
        recharge=recharge_status(account, now),
    )


def _totals(standings: Iterable[AccountStanding]) -> tuple[Total, ...]:
    by_currency: dict[str, list[AccountStanding]] = defaultdict(list)
    for one in standings:
        by_currency[one.account.currency].append(one)
    return tuple(
        Total(
            currency=currency,
            accounts=len(held),
            settled_micros=sum(one.account.wallet_micros for one in held),
            reserved_micros=sum(one.reserved_micros for one in held),
        )
        for currency, held in sorted(by_currency.items())
    )
