"""Authorise a call: set aside what it needs before it begins, and more while it goes on."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain import authorising, reservations, turning
from billing.domain.account import Account, AccountRef
from billing.domain.authorising import CallWanted
from billing.domain.covering import Tariff, possible_answers, rate_now
from billing.domain.errors import (
    DestinationNotRatedError,
    NoRateDeckError,
    NotFoundError,
    NumberOnHoldError,
)
from billing.domain.licences import Entitlement
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.rating import Rate
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.ports import Book, Clock, Decks
from billing.services.change_holds import ChangeHolds
from billing.services.read_entitlement import ReadEntitlement
from billing.services.tell_exhausted import TellExhausted


@dataclass(frozen=True, slots=True)
class Authorised:
    """What may be done, and what it costs.

    Args:
        rate: What the call is charged at if it is answered at once.
        currency: The rate's.
    """

    reservation: Reservation
    rate: Rate
    currency: str
    queue_priority: int


class AuthoriseCall:
    """Decides on the holds and, read after them, the account; writes the holds alone.

    A call that is posted between the two reads has its reservation still among the holds that were
    read, or has freed it, and then the holds cannot be saved (docs/authorisation.md, "Why it
    holds").
    """

    def __init__(
        self,
        *,
        book: Book,
        decks: Decks,
        clock: Clock,
        change_holds: ChangeHolds,
        read_entitlement: ReadEntitlement,
        tell_exhausted: TellExhausted,
    ) -> None:
        self._book = book
        self._decks = decks
        self._clock = clock
        self._change_holds = change_holds
        self._read_entitlement = read_entitlement
        self._tell_exhausted = tell_exhausted

    def authorise(self, ref: AccountRef, wanted: CallWanted) -> Authorised:
        """Set aside what a call needs.

        Raises:
            NotFoundError: No such account; or, naming the field, no such licence or member.
            ConflictError: The call id is authorised for another call.
            InvalidInputError: The duration is out of bounds, or the licence is for members and none
                is named.
            DestinationNotRatedError: The account's deck has no price for the number, or none of its
                versions is in force, or it is in another currency.
            DestinationBlockedError: The deck blocks the number.
            NumberOnHoldError: The number at this end is not paid for.
            LicenceRequiredError: The member has no licence of a kind that is held by name.
            InsufficientPortsError: It may take no port of the pool, or all of them are out.
            ConcurrencyLimitReachedError: As many calls as the plan allows are going on.
            InsufficientBalanceError: Not even the first increment can be paid.
            BookBusyError: Nothing was written; try later.
        """

        def decide(holds: Holds) -> tuple[Holds, Authorised]:
            account, now = self._current(ref)
            if holds.find(reservation_id(ref, wanted.call_id), now) is None:
                self._check_number(ref, wanted.own_number)
            tariffs = self._tariffs(account, now)
            entitlement = self._entitlement(account, wanted)
            after, made = authorising.authorise(account, holds, tariffs, wanted, now, entitlement)
            return after, self._authorised(account, made)

        with self._tell_exhausted.watching(ref):
            return self._change_holds(ref, decide)

    def extend(self, tenant_id: str, name: str, duration_seconds: int) -> Authorised:
        """Cover a running call for so many seconds in all, as far as the money goes.

        Raises:
            NotFoundError: The tenant has no such reservation, or it has expired.
            InvalidInputError: The duration is out of bounds, or it is a message.
            BookBusyError: Nothing was written; try later.
        """
        ref = find_account(tenant_id, name)

        def decide(holds: Holds) -> tuple[Holds, Authorised]:
            account, now = self._current(ref)
            standing = find_live(holds, name, now)
            tariffs = self._tariffs(account, standing.reserved_at)
            after, made = authorising.extend(
                account, holds, tariffs, standing, duration_seconds, now
            )
            return after, self._authorised(account, made)

        return self._change_holds(ref, decide)

    def _check_number(self, ref: AccountRef, e164: str) -> None:
        """
        Raises:
            NumberOnHoldError: It is the account's, and not paid for.
        """
        number = self._book.thing(ref, PhoneNumber, e164) if e164 else None
        if number is not None and number.state is NumberState.ON_HOLD:
            raise NumberOnHoldError(f"{e164} is not paid for, and on hold until it is")

    def _entitlement(self, account: Account, wanted: CallWanted) -> Entitlement | None:
        if not wanted.licence:
            return None
        return self._read_entitlement.entitlement(account, wanted.licence, wanted.member_id)

    def _current(self, ref: AccountRef) -> tuple[Account, datetime]:
        """The account, in the period it is in even where the roll is late, and the time."""
        account = self._book.account(ref)
        now = self._clock.now()
        return turning.at(account, now), now

    def _tariffs(self, account: Account, at: datetime) -> tuple[Tariff, ...]:
        versions = self._decks.versions(account.rate_deck)
        try:
            answers = possible_answers(versions, at)
        except NoRateDeckError as error:
            raise DestinationNotRatedError(error.detail) from error
        tariffs = tuple(Tariff(self._decks.load(version), then) for version, then in answers)
        if any(tariff.deck.currency != account.currency for tariff in tariffs):
            raise DestinationNotRatedError(
                f"rate deck {account.rate_deck} is in another currency than the account"
            )
        return tariffs

    def _authorised(self, account: Account, made: Reservation) -> Authorised:
        tariffs = self._tariffs(account, made.reserved_at)
        return Authorised(
            reservation=made,
            rate=rate_now(tariffs, made.destination),
            currency=account.currency,
            queue_priority=account.plan.features.queue_priority,
        )


def find_account(tenant_id: str, name: str) -> AccountRef:
    """Whose reservation it is.

    Raises:
        NotFoundError: No reservation can have that name.
    """
    ref = reservations.account_of(tenant_id, name)
    if ref is None:
        raise NotFoundError("there is no such reservation")
    return ref


def find_live(holds: Holds, name: str, now: datetime) -> Reservation:
    """
    Raises:
        NotFoundError: It is not there, or has expired.
    """
    found = holds.find(name, now)
    if found is None:
        raise NotFoundError("there is no such reservation")
    return found
