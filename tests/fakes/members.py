"""Members in memory: the same outcomes, held to them by the contract suite."""

from billing.domain.errors import MemberExistsError, NotFoundError, StaleAccountError
from billing.domain.members import (
    Claim,
    ClaimKind,
    Member,
    MemberCounts,
    Membership,
    MemberState,
)


class InMemoryMembers:
    """Implements Members. The book in memory writes it under its own lock."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, str], Member] = {}
        self._claims: dict[tuple[str, Claim], str] = {}
        self._counts: dict[str, MemberCounts] = {}

    def member(self, tenant_id: str, member_id: str) -> Member:
        found = self._members.get((tenant_id, member_id))
        if found is None:
            raise NotFoundError("there is no such member")
        return found

    def of_subject(self, tenant_id: str, subject: str) -> Member:
        claim = Claim(ClaimKind.SUBJECT, subject)
        return self.member(tenant_id, self._claims.get((tenant_id, claim), ""))

    def listed(
        self, tenant_id: str, after: str | None, state: MemberState | None, limit: int
    ) -> list[Member]:
        found = [
            member
            for (owner, name), member in sorted(self._members.items())
            if owner == tenant_id and name > (after or "") and state in (None, member.state)
        ]
        return found[:limit]

    def counts(self, tenant_id: str) -> MemberCounts:
        return self._counts.get(tenant_id, MemberCounts(tenant_id))

    def refuse(self, membership: Membership) -> None:
        """
        Raises:
            StaleAccountError: Another member of the tenant was changed since.
            MemberExistsError: Another member has what this one claims.
        """
        tenant_id = membership.after.tenant_id
        if self.counts(tenant_id).version != membership.counts.version:
            raise StaleAccountError("the tenant's members have moved on")
        for claim in membership.claimed:
            if (tenant_id, claim) in self._claims:
                raise MemberExistsError.of(claim.kind)

    def apply(self, membership: Membership) -> None:
        member = membership.after
        self._members[member.tenant_id, member.member_id] = member
        self._counts[member.tenant_id] = membership.counts_after
        for claim in membership.freed:
            del self._claims[member.tenant_id, claim]
        for claim in membership.claimed:
            self._claims[member.tenant_id, claim] = member.member_id
