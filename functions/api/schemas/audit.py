"""The audit of a billing account, as it is listed."""

from typing import Annotated, Any

from pydantic import Field

from api.schemas.base import Bound, Instant, PageQuery, Schema
from billing.domain.records import AuditRecord


class AuditQuery(PageQuery):
    """What was done from, and not including to; every filter must hold."""

    from_: Annotated[Bound | None, Field(alias="from")] = None
    to: Bound | None = None
    action: Annotated[str, Field(pattern=r"^[a-z_.]{1,64}$")] | None = None
    actor: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class AcceptedBy(Schema):
    """Who agreed, and to which terms."""

    first_name: str
    last_name: str
    terms_version: str


class OriginOut(Schema):
    """Where the request came from; nulls: it is not known."""

    ip: str | None
    user_agent: str | None


class AuditOut(Schema):
    """Who changed what, when, from where, and from what to what.

    ``actor`` is the token's subject. ``is_machine`` says that the token was a back end's, which
    accepts nothing. An empty ``before`` says that what ``after`` shows is new; an empty ``after``,
    that it is gone.
    """

    at: Instant
    action: str
    actor: str
    is_machine: bool
    origin: OriginOut
    acceptance: AcceptedBy | None
    operation: str
    before: dict[str, Any]
    after: dict[str, Any]

    @staticmethod
    def of(record: AuditRecord) -> "AuditOut":
        given = record.acceptance
        return AuditOut(
            at=record.at,
            action=record.action,
            actor=record.actor,
            is_machine=record.is_machine,
            origin=OriginOut(
                ip=record.origin.ip or None, user_agent=record.origin.user_agent or None
            ),
            acceptance=None
            if given is None
            else AcceptedBy(
                first_name=given.first_name,
                last_name=given.last_name,
                terms_version=given.terms_version,
            ),
            operation=record.operation_id,
            before=record.before,
            after=record.after,
        )
