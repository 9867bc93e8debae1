"""Invite, change and deactivate a tenant's members, each in one Change of the account that pays."""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change
from billing.domain.effects import Effect
from billing.domain.errors import ConflictError, IdConflictError, NotFoundError
from billing.domain.joining import membership_effect
from billing.domain.licences import Assignment
from billing.domain.members import (
    Amendment,
    Member,
    MemberRole,
    Membership,
    MemberState,
    amended,
    enrolled,
    member_json,
)
from billing.domain.records import Operation, OperationState
from billing.domain.renewing import check_billed
from billing.ports import AlreadyRecordedError, Book, Catalogs, Members
from billing.services.change_account import ChangeAccount
from billing.services.read_held import ReadHeld

_GONE = Amendment(state=MemberState.DEACTIVATED)


@dataclass(frozen=True, slots=True)
class NewMember:
    """Who is to be there.

    Args:
        account: Pays for his units.
        member_id: Derived from the request, so that one key can make only one.
    """

    account: AccountRef
    member_id: str
    email: str
    first_name: str
    last_name: str
    role: MemberRole
    state: MemberState
    subject: str | None = None

    def at(self, now: datetime) -> Member:
        return Member(
            tenant_id=self.account.tenant_id,
            member_id=self.member_id,
            account_id=self.account.account_id,
            email=self.email,
            first_name=self.first_name,
            last_name=self.last_name,
            role=self.role,
            state=self.state,
            created_at=now,
            subject=self.subject,
        )


class ChangeMembers:
    """The one way a member is changed.

    The tenant's counts are read after the account and before the member: whoever changes a member
    of the same tenant in between, through whichever account, is met by their version.
    """

    def __init__(
        self, *, members: Members, book: Book, catalogs: Catalogs, change_account: ChangeAccount
    ) -> None:
        self._members = members
        self._book = book
        self._catalogs = catalogs
        self._change_account = change_account
        self._held = ReadHeld(book, catalogs)

    def enrol(self, wanted: NewMember, *, operation_id: str, body_hash: str, by: By) -> None:
        """Add a member.

        Raises:
            AlreadyRecordedError: The same request was here before; its operation carries what
                ``member_json`` said then.
            IdConflictError: The key was used for another request, be it at another account.
            InvalidInputError: Names the field.
            MemberExistsError: Another member has the address or subject.
            NotFoundError: No such account.
            NotSoldError: He needs a unit that has no price in the account's currency.
            BookBusyError: Contention, or the account's new period is not billed yet.
        """

        def decide(account: Account, now: datetime) -> Change:
            counts = self._members.counts(account.ref.tenant_id)
            with suppress(NotFoundError):
                self._members.member(account.ref.tenant_id, wanted.member_id)
                raise IdConflictError(
                    "this key was used for another request; choose a new one",
                    field="Idempotency-Key",
                )
            membership = enrolled(wanted.at(now), counts)
            answer = member_json(membership.after)
            operation = _operation(account, operation_id, body_hash, answer, now)
            return self._change(account, membership, operation, "member.created", by, now)

        self._change_account(wanted.account, decide, (operation_id, body_hash))

    def amend(
        self, tenant_id: str, member_id: str, wanted: Amendment, *, seen_revision: int, by: By
    ) -> Member:
        """Change a member, if he is still as the caller has seen him.

        Returns:
            The member as he stands; nothing is written where he was so already.

        Raises:
            NotFoundError: The tenant has no such member.
            ConflictError: Somebody else changed him since.
            InvalidInputError: Names the field.
            LastAdminError: No active billing admin would be left.
            MemberExistsError: Another member has the address or subject.
        """
        account = self._members.member(tenant_id, member_id).account

        def decide(account: Account, now: datetime) -> Change | None:
            counts = self._members.counts(tenant_id)
            member = self._members.member(tenant_id, member_id)
            if member.revision != seen_revision:
                raise _changed_since()
            membership = amended(member, wanted, counts)
            if membership is None:
                return None
            name = f"member/{member_id}/amended/{member.revision}"
            operation = _step(account, name, digest(asdict(wanted)), now)
            return self._change(account, membership, operation, "member.changed", by, now)

        try:
            self._change_account(account, decide)
        except (AlreadyRecordedError, IdConflictError) as error:
            # Somebody else changed him from the revision we have seen, which names the operation.
            raise _changed_since() from error
        return self._members.member(tenant_id, member_id)

    def deactivate(self, tenant_id: str, member_id: str, by: By) -> None:
        """End a membership; safe to repeat. The record stays, the address and subject are free.

        Raises:
            NotFoundError: The tenant has no such member.
            LastAdminError: No active billing admin would be left.
        """
        account = self._members.member(tenant_id, member_id).account

        def decide(account: Account, now: datetime) -> Change | None:
            counts = self._members.counts(tenant_id)
            member = self._members.member(tenant_id, member_id)
            membership = amended(member, _GONE, counts)
            if membership is None:
                return None
            name = f"member/{member_id}/deactivated/{member.revision}"
            operation = _step(account, name, digest([]), now)
            return self._change(account, membership, operation, "member.deactivated", by, now)

        # Somebody else has done the same from the same revision.
        with suppress(AlreadyRecordedError):
            self._change_account(account, decide)

    def _change(
        self,
        account: Account,
        membership: Membership,
        operation: Operation,
        action: str,
        by: By,
        now: datetime,
    ) -> Change:
        before, after = membership.before, membership.after
        effect = self._effect(account, membership, operation.operation_id, now)
        audit = by.audit(
            account.ref,
            operation.operation_id,
            action,
            before=member_json(before) if before else {},
            after=member_json(after),
            at=now,
        )
        change = effect_change(
            account,
            replace(effect, records=(*effect.records, audit)),
            operation=operation,
            now=now,
        )
        return replace(change, members=membership)

    def _effect(
        self, account: Account, membership: Membership, cause: str, now: datetime
    ) -> Effect:
        """What it does to what the account holds and owes; a member who only changes costs no
        reading."""
        was_there = membership.before is not None and membership.before.is_created
        if was_there == membership.after.is_created:
            return Effect(account)
        subscription = self._held.subscription(account)
        check_billed(account, subscription)
        return membership_effect(
            account,
            subscription,
            self._catalogs.version(subscription.catalog_version),
            self._held.documents(account.ref),
            self._book.things(account.ref, Assignment),
            membership,
            cause,
            now,
        )


def _step(account: Account, name: str, body_hash: str, now: datetime) -> Operation:
    return _operation(account, f"{account.ref.account_id}/{name}", body_hash, None, now)


def _operation(
    account: Account, operation_id: str, body_hash: str, answer: Json, now: datetime
) -> Operation:
    return Operation(
        operation_id=operation_id,
        body_hash=body_hash,
        account=account.ref,
        state=OperationState.SUCCEEDED,
        answer=answer,
        recorded_at=now,
    )


def _changed_since() -> ConflictError:
    return ConflictError("the member has changed since; read him again")
