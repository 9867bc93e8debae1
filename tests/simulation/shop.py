"""The services that sell, as buyers reach them: over a network where every call may fail."""

from dataclasses import dataclass
from typing import cast

from billing.domain.account import AccountRef
from billing.domain.errors import (
    BelowContractedMinimumError,
    BookBusyError,
    ConflictError,
    ContactSalesError,
    IdConflictError,
    InsufficientBalanceError,
    InvalidInputError,
    LastAdminError,
    MemberExistsError,
    NoFundingSourceError,
    NotFoundError,
    NumberTakenError,
    OrderInProgressError,
    PaymentUnknownError,
    PlanLimitError,
    QuoteExpiredError,
    QuoteStaleError,
    RechargeInProgressError,
)
from billing.ports import AlreadyRecordedError, Members, Quotes
from billing.services.bill_account import BillAccount
from billing.services.cancel_scheduled import CancelScheduled
from billing.services.change_members import ChangeMembers
from billing.services.gauge_storage import GaugeStorage
from billing.services.manage_numbers import ManageNumbers
from billing.services.place_order import PlaceOrder
from billing.services.quote_order import QuoteOrder
from billing.services.read_held import ReadHeld
from billing.services.save_catalog import SaveCatalog
from billing.services.spend_orders import SpendOrders
from fakes.quotes import InMemoryQuotes
from simulation.faults import Perilous
from simulation.tenants import SITES
from simulation.world import World

RETRIED = (ConnectionError, BookBusyError, PaymentUnknownError)
"""After these nobody knows what has been done: whoever asked asks again, with the same key."""

NOT_QUOTED = (
    InvalidInputError,
    PlanLimitError,
    ContactSalesError,
    BelowContractedMinimumError,
)
"""What cannot be had."""

NOT_PAID = (
    InvalidInputError,
    InsufficientBalanceError,
    NoFundingSourceError,
    RechargeInProgressError,
)

NOT_ORDERED = (
    *NOT_PAID,
    QuoteExpiredError,
    QuoteStaleError,
    OrderInProgressError,
    NumberTakenError,
)

KNOWN_BEFORE = (AlreadyRecordedError, IdConflictError)


@dataclass(frozen=True, slots=True)
class Shop:
    """One of each service; a surprise of any of them ends the history."""

    quote_order: QuoteOrder
    place_order: PlaceOrder
    cancel_scheduled: CancelScheduled
    manage_numbers: ManageNumbers
    change_members: ChangeMembers
    gauge_storage: GaugeStorage
    save_catalog: SaveCatalog


def open_shop(world: World) -> Shop:
    remote, change_account = world.remote, world.change_account
    book, catalogs, reservations = remote.book, remote.catalogs, remote.reservations
    read_held = ReadHeld(book, catalogs)
    bill_account = BillAccount(
        book=book, catalogs=catalogs, clock=world.clock, change_account=change_account
    )
    quotes = cast(Quotes, Perilous("quotes", InMemoryQuotes(world.book), world.faults))
    members = cast(Members, Perilous("members", world.book.members, world.faults))
    quote_order = QuoteOrder(
        book=book,
        quotes=quotes,
        read_held=read_held,
        bill_account=bill_account,
        clock=world.clock,
    )
    place_order = PlaceOrder(
        book=book,
        catalogs=catalogs,
        reservations=reservations,
        spend_orders=SpendOrders(book, read_held),
        collect_recharge=world.collect,
        change_account=change_account,
    )
    manage_numbers = ManageNumbers(
        book=book,
        catalogs=catalogs,
        reservations=reservations,
        change_account=change_account,
        collect_recharge=world.collect,
    )
    change_members = ChangeMembers(
        members=members, book=book, catalogs=catalogs, change_account=change_account
    )
    gauge_storage = GaugeStorage(
        book=book,
        catalogs=catalogs,
        members=members,
        directory=world.book,
        clock=world.clock,
        change_account=change_account,
        first_account=first_account,
    )
    watched = world.watched
    refused_members = (ConflictError, MemberExistsError, LastAdminError)
    return Shop(
        quote_order=cast(QuoteOrder, watched(quote_order, *RETRIED, *NOT_QUOTED)),
        place_order=cast(PlaceOrder, watched(place_order, *RETRIED, *KNOWN_BEFORE, *NOT_ORDERED)),
        cancel_scheduled=cast(
            CancelScheduled,
            watched(
                CancelScheduled(read_held, change_account), *RETRIED, ConflictError, NotFoundError
            ),
        ),
        manage_numbers=cast(
            ManageNumbers,
            watched(manage_numbers, *RETRIED, *KNOWN_BEFORE, *NOT_PAID, ConflictError),
        ),
        change_members=cast(
            ChangeMembers, watched(change_members, *RETRIED, *KNOWN_BEFORE, *refused_members)
        ),
        gauge_storage=cast(GaugeStorage, watched(gauge_storage, *RETRIED)),
        save_catalog=cast(
            SaveCatalog, watched(SaveCatalog(catalogs, world.clock), *RETRIED, ConflictError)
        ),
    )


def first_account(tenant_id: str) -> AccountRef:
    return next(site.ref for site in SITES if site.ref.tenant_id == tenant_id)
