"""Read licences: how many there are and who has them, and how many ports were out over time."""

from dataclasses import dataclass
from datetime import timedelta

from billing.domain import turning
from billing.domain.account import Account, AccountRef
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.licences import (
    Assignment,
    Entitlement,
    assignment_name,
    assignments_of,
    held,
)
from billing.domain.pooling import hour_of
from billing.domain.port_hours import DAYS_KEPT, PortHour, series, unkept
from billing.domain.selling import LicenceKind, LicenceMode
from billing.ports import Book, Clock, Reservations
from billing.services.read_entitlement import ReadEntitlement, Sold


@dataclass(frozen=True, slots=True)
class LicenceCounts:
    """One kind of licence, as of now.

    Args:
        quantity: How many there are in this term.
        assigned: To how many members.
        leased: Of a pool: how many ports are out, by leases and by calls; None: it is no pool.
    """

    kind: LicenceKind
    quantity: int
    assigned: int
    leased: int | None

    @property
    def free(self) -> int:
        """Of a pool: ports; else how many can still be assigned."""
        used = self.assigned if self.leased is None else self.leased
        return max(0, self.quantity - used)


@dataclass(frozen=True, slots=True)
class PortHistory:
    """How many ports of a kind were out over time.

    Args:
        quantity: How many there are now.
        hours: Those in which some were out, or refused.
    """

    kind: LicenceKind
    quantity: int
    hours: tuple[PortHour, ...]

    @property
    def most(self) -> int:
        return max((hour.most for hour in self.hours), default=0)


class ReadLicences:
    """Reads, and changes nothing."""

    def __init__(
        self,
        *,
        book: Book,
        reservations: Reservations,
        clock: Clock,
        read_entitlement: ReadEntitlement,
    ) -> None:
        self._book = book
        self._reservations = reservations
        self._clock = clock
        self._read_entitlement = read_entitlement

    def counts(self, ref: AccountRef) -> list[LicenceCounts]:
        """Every kind that the account's plan sells, or that it has some of; by kind.

        Raises:
            NotFoundError: No such account.
        """
        out = self._reservations.holds(ref).ports_out(self._clock.now())
        sold = self._read_entitlement.sold(self._account(ref))
        assignments = self._book.things(ref, Assignment)
        found = []
        for kind in self._kinds(sold, assignments):
            is_pooled = kind.mode is LicenceMode.POOLED
            leased = out.get(kind.kind, 0) if is_pooled else None
            quantity, assigned = sold.quantity(kind), held(assignments, kind.kind)
            found.append(LicenceCounts(kind, quantity, assigned, leased))
        return found

    def of_member(self, ref: AccountRef, member_id: str) -> list[LicenceKind]:
        """The kinds that a member may use.

        Raises:
            NotFoundError: No such account.
        """
        account = self._account(ref)
        sold = self._read_entitlement.sold(account)
        assignments = self._book.things(ref, Assignment)
        mine = {one.kind for one in assignments if one.member_id == member_id and one.is_held}
        return [
            kind
            for kind in self._kinds(sold, assignments)
            if Entitlement(kind, 0, member_id, is_assigned=kind.kind in mine).allows
        ]

    def assignments(
        self, ref: AccountRef, kind: str, after: str | None, limit: int
    ) -> list[Assignment]:
        """Who has one, by member, after the given one.

        Raises:
            NotFoundError: No such account or kind.
        """
        self._read_entitlement.sold(self._account(ref)).kind(kind)
        found = self._book.things(ref, Assignment, assignments_of(kind))
        return [one for one in found if one.is_held and one.member_id > (after or "")][:limit]

    def assignment(self, ref: AccountRef, kind: str, member_id: str) -> Assignment:
        """The licence that a member has by name.

        Raises:
            NotFoundError: He has none.
        """
        found = self._book.thing(ref, Assignment, assignment_name(kind, member_id))
        if found is None or not found.is_held:
            raise NotFoundError("there is no such assignment", field="member")
        return found

    def entitlement(self, ref: AccountRef, kind: str, member_id: str) -> Entitlement:
        """What a member may do with a kind.

        Raises:
            NotFoundError: No such account, kind or member.
        """
        return self._read_entitlement.entitlement(self._account(ref), kind, member_id)

    def history(self, ref: AccountRef, kind: str, days: int) -> PortHistory:
        """How many ports were out in each hour of the last days, the running one included.

        Args:
            days: 1 to ``DAYS_KEPT``, of 24 hours each.

        Raises:
            NotFoundError: No such account or kind.
            InvalidInputError: The kind is no pool.
        """
        assert 1 <= days <= DAYS_KEPT, days
        # Before the days: what leaves the holds meanwhile is in them by then.
        holds = self._reservations.holds(ref)
        sold = self._read_entitlement.sold(self._account(ref))
        licence = sold.kind(kind)
        if licence.mode is not LicenceMode.POOLED:
            raise InvalidInputError(
                f"{kind} is held by name, not taken from a pool", field="licence"
            )
        now = self._clock.now()
        first = now - timedelta(days=days)
        kept = self._reservations.port_days(ref, kind, first.date(), now.date())
        latest = (peak for peak in unkept(holds, now) if peak.kind == kind)
        hours = series(kept, latest, hour_of(first) + 1, hour_of(now) + 1)
        return PortHistory(licence, sold.quantity(licence), hours)

    def _account(self, ref: AccountRef) -> Account:
        return turning.at(self._book.account(ref), self._clock.now())

    def _kinds(self, sold: Sold, assignments: list[Assignment]) -> list[LicenceKind]:
        """What the plan sells, what there is of, and what somebody has."""
        kinds = sold.catalog.licences
        names = {unit.kind for unit in (sold.plan.units if sold.plan else ())}
        names |= {item.kind for item in sold.subscription.units}
        names |= {one.kind for one in assignments if one.is_held}
        return [kinds[name] for name in sorted(names) if name in kinds]
