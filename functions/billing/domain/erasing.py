"""What is left of a record once whoever it is about has been erased from it.

Nothing that is billed, hashed or counted is touched: a ledger entry holds no personal field, and a
call keeps the digest that tells a repetition of it from another call.

Source of the rules: docs/security.md, "Personal data".
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from billing.domain.canonical import Json
from billing.domain.errors import ConflictError, InvalidInputError
from billing.domain.members import Member
from billing.domain.quarantine import Parked, Step
from billing.domain.records import AuditRecord, Operation, Origin
from billing.domain.usage import Call

ERASED = ""
"""What stands where something personal stood."""

CALLS_KEPT = timedelta(days=92)
"""At least: a period, its grace, and the time in which a carrier or a person corrects a call."""

ACCEPTANCES_KEPT = timedelta(days=366)
"""At least: what was agreed to is proven by it, and every term that it began has ended."""

CORRECTED = "usage.corrected"
"""The action whose audit may name a call's numbers."""

_MEMBER_FIELDS = ("email", "first_name", "last_name", "subject")
_NUMBER_FIELDS = ("from", "to")
_IMPERSONAL_FIELDS = frozenset(
    {
        "provider",
        "provider_account",
        "call_id",
        "unit",
        "direction",
        "status",
        "quantity",
        "answered_at",
        "ended_at",
        "connection_id",
    }
)


def require_old(before: datetime, now: datetime, kept: timedelta) -> None:
    """
    Raises:
        InvalidInputError: What is to be erased is younger than it is needed.
    """
    if before > now - kept:
        raise InvalidInputError(f"what is younger than {kept.days} days is kept", field="before")


def erased_member(member: Member) -> Member:
    """
    Raises:
        ConflictError: He still is one; deactivate him first.
    """
    if member.is_created:
        raise ConflictError("this member is not deactivated; do that first", field="member")
    if member.email == ERASED:
        return member
    return replace(
        member,
        email=ERASED,
        first_name=ERASED,
        last_name=ERASED,
        subject=None,
        revision=member.revision + 1,
    )


def erased_call(call: Call) -> Call:
    """Without both numbers. It stays charged, and known by its key; its prefix says what for."""
    return replace(call, event=replace(call.event, from_number=ERASED, to_number=ERASED))


def erased_parked(parked: Parked) -> Parked:
    """What is closed, without the numbers; of a callback that was never read nothing is left."""
    assert not parked.is_open, parked.parked_id
    return replace(
        parked,
        detail=ERASED,
        event=_impersonal(parked.event),
        fixed=None if parked.fixed is None else _impersonal(parked.fixed),
        steps=tuple(_step(step) for step in parked.steps),
        version=parked.version + 1,
    )


def without_member(record: AuditRecord, member: Member) -> AuditRecord:
    """A record of the audit without a member: as whom it is about, and as who agreed.

    Args:
        member: As he was, with the subject of his tokens.
    """
    if record.after.get("member") == member.member_id:
        record = replace(
            record,
            before=_blanked(record.before, _MEMBER_FIELDS),
            after=_blanked(record.after, _MEMBER_FIELDS),
        )
    if member.subject is not None and record.actor == member.subject:
        record = without_acceptance(record)
    return record


def answer_without_member(operation: Operation, member: Member) -> Operation:
    """What a request was answered, without the member it was about."""
    answer = operation.answer
    if not isinstance(answer, dict) or answer.get("member") != member.member_id:
        return operation
    return replace(operation, answer=_blanked(answer, _MEMBER_FIELDS))


def without_acceptance(record: AuditRecord) -> AuditRecord:
    """Without who agreed, and from where; to which terms, and by which token, stays."""
    acceptance = record.acceptance
    if acceptance is not None:
        acceptance = replace(acceptance, first_name=ERASED, last_name=ERASED)
    return replace(record, acceptance=acceptance, origin=Origin())


def without_numbers(record: AuditRecord) -> AuditRecord:
    """Without the numbers of a call that was corrected."""
    if record.action != CORRECTED:
        return record
    return replace(
        record,
        before=_blanked(record.before, _NUMBER_FIELDS),
        after=_blanked(record.after, _NUMBER_FIELDS),
    )


def _step(step: Step) -> Step:
    return replace(step, before=_impersonal(step.before), after=_impersonal(step.after))


def _impersonal(said: Mapping[str, Json]) -> dict[str, Json]:
    kept = {name: value for name, value in said.items() if name in _IMPERSONAL_FIELDS}
    return kept | {name: ERASED for name in _NUMBER_FIELDS if name in said}


def _blanked(said: Mapping[str, Json], names: tuple[str, ...]) -> dict[str, Json]:
    """A field that held nothing is left as it is."""
    return {name: ERASED if value and name in names else value for name, value in said.items()}
