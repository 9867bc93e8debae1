"""Members: the persons of a tenant, and what has to hold for all of them together.

A member is paid for by one billing account, and a Change of that account writes him. What two
accounts could break at once, a tenant's one address twice or its last admin, stands under guards of
the tenant that the same Change writes.

Source of the rules: docs/members.md.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError, LastAdminError

MAX_EMAIL_LENGTH = 254
"""What a mail server takes (RFC 5321, 4.5.3.1.3, without the angle brackets)."""

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+")


class MemberRole(StrEnum):
    """What a member may do: see and change billing, or neither."""

    BILLING_ADMIN = "billing-admin"
    MEMBER = "member"


class MemberState(StrEnum):
    """Where a member stands. Deactivated ones stay on record, and can come back."""

    INVITED = "invited"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class ClaimKind(StrEnum):
    """What two members of one tenant cannot share."""

    EMAIL = "email"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that one member alone has, in the form in which it is compared."""

    kind: ClaimKind
    value: str


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a tenant.

    Args:
        account_id: The billing account that pays for his units; it stays the same.
        email: As it was given; compared without case.
        subject: The ``sub`` of his tokens; None: it is not known yet.
        revision: Rises with every change.
    """

    tenant_id: str
    member_id: str
    account_id: str
    email: str
    first_name: str
    last_name: str
    role: MemberRole
    state: MemberState
    created_at: datetime
    subject: str | None = None
    revision: int = 1

    @property
    def account(self) -> AccountRef:
        return AccountRef(self.tenant_id, self.account_id)

    @property
    def is_created(self) -> bool:
        """Whether he counts: invited counts as active does."""
        return self.state is not MemberState.DEACTIVATED

    @property
    def is_active(self) -> bool:
        return self.state is MemberState.ACTIVE

    @property
    def is_active_admin(self) -> bool:
        return self.is_active and self.role is MemberRole.BILLING_ADMIN

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What nobody else of his tenant can have while he is there."""
        if not self.is_created:
            return ()
        email = Claim(ClaimKind.EMAIL, normal_email(self.email))
        return (email, Claim(ClaimKind.SUBJECT, self.subject)) if self.subject else (email,)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is changed of a member; None: it stays."""

    email: str | None = None
    subject: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    role: MemberRole | None = None
    state: MemberState | None = None


@dataclass(frozen=True, slots=True)
class MemberCounts:
    """How many members a tenant has, under a version that every change of one bumps.

    Args:
        created: Invited and active.
        admins: Active billing admins.
        version: 0: there never was a member.
    """

    tenant_id: str
    created: int = 0
    active: int = 0
    admins: int = 0
    version: int = 0

    def changed(self, before: Member | None, after: Member) -> "MemberCounts":
        """One version later, with a member as he is left."""
        return MemberCounts(
            self.tenant_id,
            self.created + after.is_created - bool(before and before.is_created),
            self.active + after.is_active - bool(before and before.is_active),
            self.admins + after.is_active_admin - bool(before and before.is_active_admin),
            self.version + 1,
        )


@dataclass(frozen=True, slots=True)
class Membership:
    """What a Change does to one member, and to what guards him.

    Args:
        before: None: he is new.
        counts: The tenant's, as they were read: whoever changed a member since decides first.
    """

    before: Member | None
    after: Member
    counts: MemberCounts

    @property
    def counts_after(self) -> MemberCounts:
        return self.counts.changed(self.before, self.after)

    @property
    def claimed(self) -> tuple[Claim, ...]:
        held = self.before.claims if self.before else ()
        return tuple(claim for claim in self.after.claims if claim not in held)

    @property
    def freed(self) -> tuple[Claim, ...]:
        held = self.before.claims if self.before else ()
        return tuple(claim for claim in held if claim not in self.after.claims)

    @property
    def item_count(self) -> int:
        """The member, the counts, and each claim."""
        return 2 + len(self.claimed) + len(self.freed)


def checked(member: Member) -> Member:
    """
    Raises:
        InvalidInputError: Names the field: the email is none.
    """
    email = member.email
    if len(email) > MAX_EMAIL_LENGTH or not email.isprintable() or not _EMAIL.fullmatch(email):
        raise InvalidInputError("email is an address such as zoe@example.com", field="email")
    return member


def normal_email(email: str) -> str:
    """The form in which addresses are compared. Mail servers may tell cases apart; people do not.

    Compatibility forms are one as well, so that nobody is there twice by a full-width letter.
    """
    return unicodedata.normalize("NFKC", email).casefold()


def enrolled(member: Member, counts: MemberCounts) -> Membership:
    """A member who is new.

    Raises:
        InvalidInputError: See ``checked``.
    """
    return Membership(None, checked(member), counts)


def amended(member: Member, wanted: Amendment, counts: MemberCounts) -> Membership | None:
    """A member as he is to be; None: he is already.

    Raises:
        InvalidInputError: See ``checked``.
        LastAdminError: No active billing admin would be left.
    """
    after = replace(
        member,
        email=member.email if wanted.email is None else wanted.email,
        subject=member.subject if wanted.subject is None else wanted.subject,
        first_name=member.first_name if wanted.first_name is None else wanted.first_name,
        last_name=member.last_name if wanted.last_name is None else wanted.last_name,
        role=wanted.role or member.role,
        state=wanted.state or member.state,
    )
    if after == member:
        return None
    after = replace(checked(after), revision=member.revision + 1)
    if member.is_active_admin and not after.is_active_admin and counts.admins <= 1:
        raise LastAdminError(
            "this is the tenant's last active billing admin; make somebody else one first"
        )
    return Membership(member, after, counts)


def member_json(member: Member) -> dict[str, Json]:
    """A member as he is shown."""
    return {
        "member": member.member_id,
        "account": member.account_id,
        "email": member.email,
        "subject": member.subject,
        "first_name": member.first_name,
        "last_name": member.last_name,
        "role": member.role.value,
        "state": member.state.value,
        "created_at": member.created_at.isoformat(),
    }
