"""A tenant's members."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import Acceptance, Id, Instant, Name, PageQuery, Schema
from billing.domain.canonical import Json, canonical_json
from billing.domain.members import MAX_EMAIL_LENGTH, Member, member_json

Role = Literal["billing-admin", "member"]
State = Literal["invited", "active", "deactivated"]
Email = Annotated[str, Field(min_length=3, max_length=MAX_EMAIL_LENGTH)]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable characters alone")
    return text


Subject = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_printable)]


class MemberIn(Schema):
    """A person to be added; ``account`` pays for his units, and cannot be changed later.

    ``subject`` is the ``sub`` of his tokens. It may be told later, with ``state: active``.
    """

    email: Email
    first_name: Name
    last_name: Name
    role: Role = "member"
    state: Literal["invited", "active"] = "invited"
    subject: Subject | None = None
    account: Id = "default"
    acceptance: Acceptance | None = None


class MemberPatch(Schema):
    """What is changed; what is left out stays as it is. ``active`` also brings somebody back."""

    email: Email | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    role: Role | None = None
    state: Literal["active", "deactivated"] | None = None
    subject: Subject | None = None
    acceptance: Acceptance | None = None


class MemberRemoval(Schema):
    acceptance: Acceptance | None = None


class MemberQuery(PageQuery):
    state: State | None = None


class MemberOut(Schema):
    """A person of the tenant."""

    member: str
    account: str
    email: str
    subject: str | None
    first_name: str
    last_name: str
    role: Role
    state: State
    created_at: Instant

    @staticmethod
    def of(member: Member) -> "MemberOut":
        return MemberOut.recorded(member_json(member))

    @staticmethod
    def recorded(answer: Json) -> "MemberOut":
        return MemberOut.model_validate_json(canonical_json(answer))
