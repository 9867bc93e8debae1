"""Who agrees to a billing change: people say so with every one, machines are exempt."""

from api.endpoint import Call
from api.schemas.base import Acceptance as AcceptanceIn
from billing.domain.account import AccountRef
from billing.domain.audit import By, accept
from billing.domain.canonical import Json
from billing.domain.errors import AcceptanceRequiredError
from billing.domain.records import Acceptance, AuditRecord


def acceptance_of(call: Call, given: AcceptanceIn | None) -> Acceptance | None:
    """The caller's acceptance of the current terms; None for a machine that sends none.

    Raises:
        AcceptanceRequiredError: It is missing or not complete.
        RequestError: ``no_catalog``: there are no terms yet.
    """
    if given is None:
        if call.actor.is_machine:
            return None
        raise AcceptanceRequiredError(
            "send acceptance with the name of the person who agrees, the terms' version, and"
            " accepted: true",
            field="acceptance",
        )
    return accept(
        first_name=given.first_name,
        last_name=given.last_name,
        terms_version=given.terms_version,
        accepted=given.accepted,
        current_terms=call.talktime.terms_version(),
    )


def by(call: Call, acceptance: Acceptance | None) -> By:
    """Who calls, and from where."""
    return By(call.actor.sub, acceptance, call.origin, call.actor.is_machine)


def audit_of(
    call: Call,
    ref: AccountRef,
    operation_id: str,
    action: str,
    acceptance: Acceptance | None,
    after: dict[str, Json],
    before: dict[str, Json] | None = None,
) -> AuditRecord:
    """The record of what the caller has asked for.

    Args:
        before: What stood there; None: what is asked for is new.
    """
    return by(call, acceptance).audit(
        ref, operation_id, action, before=before or {}, after=after, at=call.talktime.clock.now()
    )
