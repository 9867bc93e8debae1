"""Read what a member may do with a licence, for whoever decides on a call, a lease, an assignment.

What is not there is told with the field that names it; where a path does, its route knows.
"""

from dataclasses import dataclass

from billing.domain.account import Account, AccountRef
from billing.domain.catalog import Catalog, Plan
from billing.domain.errors import NotFoundError
from billing.domain.licences import Assignment, Entitlement, assignment_name, quantity_of
from billing.domain.members import Member
from billing.domain.selling import LicenceKind
from billing.domain.subscription import Subscription, first_subscription
from billing.ports import Book, Catalogs, Members


@dataclass(frozen=True, slots=True)
class Sold:
    """What an account holds, with the catalogue it holds it under."""

    subscription: Subscription
    catalog: Catalog

    @property
    def plan(self) -> Plan | None:
        return self.catalog.plans.get(self.subscription.plan_id)

    def kind(self, name: str) -> LicenceKind:
        """
        Raises:
            NotFoundError: The catalogue has no such kind of licence.
        """
        found = self.catalog.licences.get(name)
        if found is None:
            raise NotFoundError("there is no such kind of licence", field="licence")
        return found

    def quantity(self, kind: LicenceKind) -> int:
        return quantity_of(self.subscription, self.plan, kind.kind)


class ReadEntitlement:
    """Reads after the account, and after the holds where there is a decision on them: whoever
    assigns, removes, buys or gives up meanwhile does so later than what is decided here."""

    def __init__(self, *, book: Book, catalogs: Catalogs, members: Members) -> None:
        self._book = book
        self._catalogs = catalogs
        self._members = members

    def sold(self, account: Account) -> Sold:
        """What the account holds; its first subscription, where it has bought nothing yet.

        Raises:
            NotFoundError: The catalogue it was sold under is not there.
        """
        found = self._book.thing(account.ref, Subscription) or first_subscription(account)
        return Sold(found, self._catalogs.version(found.catalog_version).catalog)

    def member(self, ref: AccountRef, member_id: str) -> Member:
        """A member whose units the account pays for.

        Raises:
            NotFoundError: The account has no such member.
        """
        try:
            member = self._members.member(ref.tenant_id, member_id)
        except NotFoundError as error:
            error.field = "member"
            raise
        if member.account != ref:
            raise NotFoundError("there is no such member", field="member")
        return member

    def entitlement(self, account: Account, kind: str, member_id: str) -> Entitlement:
        """What a member may do with one kind.

        Args:
            member_id: Empty: nobody is named.

        Raises:
            NotFoundError: There is no such kind, or the account has no such member.
        """
        sold = self.sold(account)
        licence = sold.kind(kind)
        quantity = sold.quantity(licence)
        if not member_id:
            return Entitlement(licence, quantity)
        member = self.member(account.ref, member_id)
        name = assignment_name(kind, member_id)
        assignment = self._book.thing(account.ref, Assignment, name)
        return Entitlement(
            kind=licence,
            quantity=quantity,
            member_id=member_id,
            is_active=member.is_created,
            is_assigned=assignment is not None and assignment.is_held,
        )
