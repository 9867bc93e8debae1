"""Members for tests, and the Changes that add and change them."""

from dataclasses import replace
from typing import Any

from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.members import (
    Member,
    MemberCounts,
    MemberRole,
    Membership,
    MemberState,
)
from builders import ACME, NOON, a_touch


def a_member(name: str = "zoe", **overrides: Any) -> Member:
    """An active member of Acme's without billing."""
    member = Member(
        tenant_id=ACME.tenant_id,
        member_id=f"mem_{name}",
        account_id=ACME.account_id,
        email=f"{name}@example.com",
        first_name=name.capitalize(),
        last_name="O'Hara",
        role=MemberRole.MEMBER,
        state=MemberState.ACTIVE,
        created_at=NOON,
        subject=f"auth0|{name}",
    )
    return replace(member, **overrides)


def an_admin(name: str = "ann", **overrides: Any) -> Member:
    return a_member(name, role=MemberRole.BILLING_ADMIN, **overrides)


def a_membership(
    account: Account,
    counts: MemberCounts,
    after: Member,
    before: Member | None = None,
    operation_id: str = "",
) -> Change:
    """A member as he is to be, written with the account."""
    name = operation_id or f"{after.member_id}/{after.revision}"
    return a_touch(account, name, members=Membership(before, after, counts))
