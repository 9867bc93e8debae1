"""Erase what is personal: a member who left, old calls' numbers, the names of who once agreed.

Run by an operator, with credentials of his own: no function may change what is erased here. Each
step can be repeated, so a run that broke off is begun again. Everything is read before it is
written, and written only if it still is what was read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from billing.domain import erasing
from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.ledger import EntryKind, LedgerEntry
from billing.domain.members import Member
from billing.domain.records import AuditRecord, Operation
from billing.domain.usage import Call, CallKey
from billing.ports import AuditTrail, Book, Clock, Members, Quarantine

PAGE = 100
"""Items of the quarantine read at once."""


class Erasure(Protocol):
    """Writes over what nothing else may change.

    Raises:
        ConflictError: It is no longer what was read. Nothing was written; begin again.
    """

    def member(self, seen: Member, erased: Member) -> None: ...

    def audit(self, seen: AuditRecord, erased: AuditRecord) -> None: ...

    def operation(self, seen: Operation, erased: Operation) -> None: ...

    def calls(self, pairs: Sequence[tuple[Call, Call]]) -> None: ...

    def told(self, record: AuditRecord) -> None:
        """Write down that something was erased."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """Who has something erased, and why; kept in the audit."""

    actor: str
    reason: str


class ErasePersonal:
    """What is billed stays: every ledger is as sound afterwards as it was before."""

    def __init__(
        self,
        *,
        book: Book,
        members: Members,
        audit: AuditTrail,
        quarantine: Quarantine,
        erasure: Erasure,
        clock: Clock,
    ) -> None:
        self._book = book
        self._members = members
        self._audit = audit
        self._quarantine = quarantine
        self._erasure = erasure
        self._clock = clock

    def member(self, tenant_id: str, member_id: str, order: Order) -> int:
        """Erase a member who is deactivated, wherever he is named. The member's own record comes
        last, so that a run that broke off still knows whom to look for.

        Returns:
            How many records were written.

        Raises:
            NotFoundError: The tenant has no such member.
            ConflictError: He is not deactivated, or a record was changed meanwhile.
        """
        member = self._members.member(tenant_id, member_id)
        erased = erasing.erased_member(member)
        if erased == member:
            return 0
        count = 0
        for record in self._records(member.account, self._clock.now() + timedelta(days=1)):
            count += self._erase_audit(record, erasing.without_member(record, member))
            operation = self._book.operation(member.account, record.operation_id)
            if operation is None:
                continue
            blanked = erasing.answer_without_member(operation, member)
            if blanked != operation:
                self._erasure.operation(operation, blanked)
                count += 1
        self._erasure.member(member, erased)
        self._tell(member.account, "member.erased", order, {"member": member_id})
        return count + 1

    def numbers(self, ref: AccountRef, before: datetime, order: Order) -> int:
        """Blank both numbers of every call posted before an instant.

        Returns:
            How many calls and records were written.

        Raises:
            NotFoundError: No such account.
            InvalidInputError: That is too young; see ``CALLS_KEPT``.
            ConflictError: Something was changed meanwhile.
        """
        erasing.require_old(before, self._clock.now(), erasing.CALLS_KEPT)
        count = 0
        account = self._book.account(ref)
        for entry in self._book.entries(account):
            if entry.posted_at >= before:
                break
            if entry.kind is EntryKind.USAGE:
                count += self._erase_calls(ref, entry)
        for record in self._records(ref, before):
            count += self._erase_audit(record, erasing.without_numbers(record))
        count += self._erase_parked(ref, before)
        what: dict[str, Json] = {"before": before.isoformat(), "written": count}
        if count:
            self._tell(ref, "numbers.erased", order, what)
        return count

    def acceptances(self, ref: AccountRef, before: datetime, order: Order) -> int:
        """Blank who agreed, and from where, in every audit record older than an instant.

        Returns:
            How many records were written.

        Raises:
            InvalidInputError: That is too young; see ``ACCEPTANCES_KEPT``.
            ConflictError: Something was changed meanwhile.
        """
        erasing.require_old(before, self._clock.now(), erasing.ACCEPTANCES_KEPT)
        count = 0
        for record in self._records(ref, before):
            count += self._erase_audit(record, erasing.without_acceptance(record))
        what: dict[str, Json] = {"before": before.isoformat(), "written": count}
        if count:
            self._tell(ref, "acceptances.erased", order, what)
        return count

    def _records(self, ref: AccountRef, end_at: datetime) -> Iterator[AuditRecord]:
        begin_at = self._book.account(ref).created_at - timedelta(days=1)
        return self._audit.records(ref, begin_at, end_at)

    def _erase_audit(self, record: AuditRecord, erased: AuditRecord) -> int:
        if erased == record:
            return 0
        self._erasure.audit(record, erased)
        return 1

    def _erase_calls(self, ref: AccountRef, entry: LedgerEntry) -> int:
        usage = entry.usage
        revisions = usage.revisions or (0,) * len(usage.calls)
        names: list[tuple[CallKey, int]] = list(zip(usage.calls, revisions, strict=True))
        found = self._book.call_revisions(ref.tenant_id, names).values()
        pairs = [(call, erasing.erased_call(call)) for call in found]
        changed = [(call, erased) for call, erased in pairs if call != erased]
        if changed:
            self._erasure.calls(changed)
        return len(changed)

    def _erase_parked(self, ref: AccountRef, before: datetime) -> int:
        count = 0
        after: str | None = None
        while page := self._quarantine.parked(after, PAGE):
            for parked in page:
                if parked.account != ref or parked.is_open or parked.parked_at >= before:
                    continue
                if not parked.detail:
                    continue
                self._quarantine.save(erasing.erased_parked(parked), parked.version)
                count += 1
            after = page[-1].parked_id
        return count

    def _tell(self, ref: AccountRef, action: str, order: Order, what: dict[str, Json]) -> None:
        now = self._clock.now()
        self._erasure.told(
            AuditRecord(
                account=ref,
                operation_id=f"{action}/{now.isoformat()}",
                actor=order.actor,
                action=action,
                acceptance=None,
                before={},
                after={**what, "reason": order.reason},
                at=now,
            )
        )
