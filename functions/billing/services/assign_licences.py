"""Assign licences to members, and take them away."""

from contextlib import suppress
from datetime import datetime

from billing.domain import assigning
from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.errors import BookBusyError, BookContendedError, InvalidInputError
from billing.domain.licences import Assignment, assignments_of
from billing.ports import AlreadyRecordedError, Book
from billing.services.change_account import ChangeAccount, Decision
from billing.services.lease_ports import LeasePorts
from billing.services.read_entitlement import ReadEntitlement


class AssignLicences:
    """Each in one Change; everything it is decided on is read after the account."""

    def __init__(
        self,
        *,
        book: Book,
        change_account: ChangeAccount,
        read_entitlement: ReadEntitlement,
        lease_ports: LeasePorts,
    ) -> None:
        self._book = book
        self._change_account = change_account
        self._read_entitlement = read_entitlement
        self._lease_ports = lease_ports

    def assign(self, ref: AccountRef, kind: str, member_id: str, by: By) -> None:
        """Give a member a licence. He has one: nothing changes.

        Raises:
            NotFoundError: No such account, kind or member.
            InvalidInputError: The member is deactivated.
            NoLicenceAvailableError: Every one of a named kind is assigned.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            sold = self._read_entitlement.sold(account)
            licence = sold.kind(kind)
            member = self._read_entitlement.member(ref, member_id)
            if not member.is_created:
                raise InvalidInputError(
                    "the member is deactivated: activate him first", field="member"
                )
            return assigning.assigned(
                account,
                sold.subscription,
                licence,
                sold.quantity(licence),
                self._assignments(ref, kind),
                member_id,
                by,
                now,
            )

        self._change(ref, decide)

    def remove(self, ref: AccountRef, kind: str, member_id: str, by: By) -> None:
        """Take a member's licence away; he has none: nothing changes. A port that he has leased by
        it is given back; one that cannot be given back in time expires.

        Raises:
            NotFoundError: No such account, kind or member.
        """

        def decide(account: Account, now: datetime) -> Change | None:
            sold = self._read_entitlement.sold(account)
            licence = sold.kind(kind)
            self._read_entitlement.member(ref, member_id)
            assignments = self._assignments(ref, kind)
            return assigning.taken(
                account, sold.subscription, licence, assignments, member_id, by, now
            )

        self._change(ref, decide)
        with suppress(BookBusyError, BookContendedError):
            self._lease_ports.give_back_of(ref, kind, member_id)

    def _change(self, ref: AccountRef, decide: Decision) -> None:
        # Somebody else has done the same from the same version.
        with suppress(AlreadyRecordedError):
            self._change_account(ref, decide)

    def _assignments(self, ref: AccountRef, kind: str) -> list[Assignment]:
        return self._book.things(ref, Assignment, assignments_of(kind))
