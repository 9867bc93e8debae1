"""A tenant's members."""

from typing import Protocol

from billing.domain.members import Member, MemberCounts, MemberState


class Members(Protocol):
    """Reads members; Changes of their accounts write them. Every read is strongly consistent."""

    def member(self, tenant_id: str, member_id: str) -> Member:
        """
        Raises:
            NotFoundError: The tenant has no such member.
        """
        ...

    def of_subject(self, tenant_id: str, subject: str) -> Member:
        """The member whose tokens have this ``sub``; a deactivated one has none.

        Raises:
            NotFoundError: The tenant has no such member.
        """
        ...

    def listed(
        self, tenant_id: str, after: str | None, state: MemberState | None, limit: int
    ) -> list[Member]:
        """Members by id, after the given one."""
        ...

    def counts(self, tenant_id: str) -> MemberCounts:
        """How many there are; zeros at version 0 where there never was one."""
        ...
