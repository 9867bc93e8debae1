"""The services that diallers and their admins use, reached over a network where calls may fail."""

from dataclasses import dataclass
from typing import cast

from billing.domain.errors import (
    AccountOnHoldError,
    BookBusyError,
    BookContendedError,
    ConcurrencyLimitReachedError,
    ConflictError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InsufficientPortsError,
    InvalidInputError,
    LicenceRequiredError,
    NoLicenceAvailableError,
    NotFoundError,
)
from billing.ports import Members
from billing.services.assign_licences import AssignLicences
from billing.services.authorise_call import AuthoriseCall
from billing.services.change_holds import ChangeHolds
from billing.services.lease_ports import LeasePorts
from billing.services.read_entitlement import ReadEntitlement
from billing.services.settle_reservations import SettleReservations
from billing.services.tell_exhausted import TellExhausted
from simulation.faults import Perilous
from simulation.world import World

RETRIED = (ConnectionError, BookBusyError, BookContendedError, ConflictError)
"""After these nobody knows what has been done, or nothing has: whoever asked may ask again."""

NOT_ENTITLED = (InsufficientPortsError, InvalidInputError, NotFoundError)

NOT_ALLOWED = (
    *NOT_ENTITLED,
    LicenceRequiredError,
    AccountOnHoldError,
    ConcurrencyLimitReachedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
)
"""Why a call may not begin."""


@dataclass(frozen=True, slots=True)
class Switchboard:
    """One of each service; a surprise of any of them ends the history."""

    authorise_call: AuthoriseCall
    settle_reservations: SettleReservations
    lease_ports: LeasePorts
    assign_licences: AssignLicences


def open_switchboard(world: World) -> Switchboard:
    remote, clock, change_account = world.remote, world.clock, world.change_account
    members = cast(Members, Perilous("members", world.book.members, world.faults))
    change_holds = ChangeHolds(remote.reservations, sleep=lambda _seconds: None)
    read_entitlement = ReadEntitlement(book=remote.book, catalogs=remote.catalogs, members=members)
    tell_exhausted = TellExhausted(remote.reservations, clock, change_account)
    lease_ports = LeasePorts(
        book=remote.book,
        clock=clock,
        change_holds=change_holds,
        read_entitlement=read_entitlement,
        tell_exhausted=tell_exhausted,
    )
    authorise_call = AuthoriseCall(
        book=remote.book,
        decks=remote.decks,
        clock=clock,
        change_holds=change_holds,
        read_entitlement=read_entitlement,
        tell_exhausted=tell_exhausted,
    )
    assign_licences = AssignLicences(
        book=remote.book,
        change_account=change_account,
        read_entitlement=read_entitlement,
        lease_ports=lease_ports,
    )
    settle_reservations = SettleReservations(remote.book, clock, change_holds)
    watched = world.watched
    return Switchboard(
        authorise_call=cast(AuthoriseCall, watched(authorise_call, *RETRIED, *NOT_ALLOWED)),
        settle_reservations=cast(
            SettleReservations, watched(settle_reservations, *RETRIED, NotFoundError)
        ),
        lease_ports=cast(LeasePorts, watched(lease_ports, *RETRIED, *NOT_ENTITLED)),
        assign_licences=cast(
            AssignLicences,
            watched(
                assign_licences,
                *RETRIED,
                InvalidInputError,
                NotFoundError,
                NoLicenceAvailableError,
            ),
        ),
    )
