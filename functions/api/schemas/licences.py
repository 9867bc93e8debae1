"""Licences: how many there are, who has them, and who may use them."""

from typing import Any

from api.schemas.base import Acceptance, Id, Instant, Query, Schema
from billing.domain.licences import Assignment, Entitlement
from billing.domain.selling import LicenceKind
from billing.services.read_licences import LicenceCounts


class LicenceOut(Schema):
    """One kind of licence. A named one belongs to one member each, a pooled one to whoever uses it.

    ``quantity`` is how many there are in this term. ``leased`` is how many ports of a pool are out
    now, by leases and by calls. ``free`` are ports of a pool, or licences that can still be
    assigned. Who is no admin sees the kinds that he may use, without numbers.
    """

    licence: str
    name: str
    mode: str
    needs_assignment: bool
    quantity: int | None = None
    assigned: int | None = None
    leased: int | None = None
    free: int | None = None

    @staticmethod
    def of(counts: LicenceCounts) -> "LicenceOut":
        return LicenceOut(
            **_kind(counts.kind),
            quantity=counts.quantity,
            assigned=counts.assigned,
            leased=counts.leased,
            free=counts.free,
        )

    @staticmethod
    def of_kind(kind: LicenceKind) -> "LicenceOut":
        return LicenceOut(**_kind(kind))


class AssignmentOut(Schema):
    """A licence that a member has by name."""

    licence: str
    member: str
    assigned_at: Instant

    @staticmethod
    def of(assignment: Assignment) -> "AssignmentOut":
        return AssignmentOut(
            licence=assignment.kind,
            member=assignment.member_id,
            assigned_at=assignment.assigned_at,
        )


class AssignIn(Schema):
    """Who agrees; machines need not."""

    acceptance: Acceptance | None = None


class AccessQuery(Query):
    """Which kind of licence it is about."""

    licence: Id


class AccessOut(Schema):
    """Whether a member may use a licence; if not, why, and which ``PUT`` assigns one.

    That he may take a port of a pool does not say that one is free: a lease or a call does.
    """

    allowed: bool
    licence: str
    code: str | None = None
    detail: str | None = None
    assign: str | None = None

    @staticmethod
    def of(found: Entitlement, assign: str) -> "AccessOut":
        kind = found.kind.kind
        if found.allows:
            return AccessOut(allowed=True, licence=kind)
        detail = found.refusal.detail
        if not found.is_active:
            return AccessOut(allowed=False, licence=kind, code="member_deactivated", detail=detail)
        return AccessOut(
            allowed=False, licence=kind, code="licence_required", detail=detail, assign=assign
        )


def _kind(kind: LicenceKind) -> dict[str, Any]:
    return {
        "licence": kind.kind,
        "name": kind.name,
        "mode": kind.mode.value,
        "needs_assignment": Entitlement(kind, 0).needs_assignment,
    }
