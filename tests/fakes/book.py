"""The book in memory: the same outcomes in the same order, held to it by the contract suite."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from billing.adapters.dynamodb.codec import from_json, to_json
from billing.domain.account import Account, AccountRef
from billing.domain.change import MAX_ITEMS, Change
from billing.domain.errors import (
    ChangeTooLargeError,
    ConflictError,
    IdConflictError,
    NotFoundError,
    NumberTakenError,
    StaleAccountError,
)
from billing.domain.ledger import LedgerEntry
from billing.domain.records import (
    AccountListing,
    AuditRecord,
    ClosedPeriod,
    Dispute,
    Event,
    FundingSource,
    Operation,
    Payment,
    Recharge,
    Record,
    Refund,
    Tenant,
    Timer,
    TimerKind,
)
from billing.domain.refunding import is_same_payment
from billing.domain.things import Thing
from billing.domain.usage import Call, CallKey
from billing.ports import AlreadyRecordedError, CallsRecordedError, Reservations
from fakes.members import InMemoryMembers
from fakes.reservations import InMemoryReservations

T = TypeVar("T")
K = TypeVar("K", bound=Thing)


class InMemoryBook:
    """Implements Book, Directory and Timers, and keeps the outbox. Safe between threads."""

    def __init__(self, reservations: Reservations | None = None) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[AccountRef, Account] = {}
        self._operations: dict[tuple[AccountRef, str], Operation] = {}
        self._calls: dict[tuple[str, CallKey], Call] = {}
        self._revisions: dict[tuple[str, CallKey], list[Call]] = {}
        self._entries: dict[AccountRef, list[LedgerEntry]] = {}
        self._recharges: dict[tuple[AccountRef, int], Recharge] = {}
        self._sources: dict[tuple[AccountRef, str], FundingSource] = {}
        self._payments: dict[tuple[str, str], tuple[Payment, Operation]] = {}
        self._refunds: dict[tuple[AccountRef, str, str, int], Refund] = {}
        self._disputes: dict[tuple[AccountRef, str, str], Dispute] = {}
        self._periods: dict[tuple[AccountRef, datetime], ClosedPeriod] = {}
        self._audit: dict[tuple[AccountRef, str], AuditRecord] = {}
        self._tenants: dict[str, Tenant] = {}
        self._listings: dict[AccountRef, AccountListing] = {}
        self._timers: dict[tuple[AccountRef, TimerKind], Timer] = {}
        self._events: dict[tuple[AccountRef, str], Event] = {}
        self._number_owners: dict[str, AccountRef] = {}
        self._things: dict[tuple[AccountRef, str, str], Thing] = {}
        self.members = InMemoryMembers()
        self.use_reservations(reservations or InMemoryReservations())

    def use_reservations(self, reservations: Reservations) -> None:
        """Where a Change's holds are kept: whoever authorises calls on this book has them too."""
        self._reservations = reservations

    def keep(self, thing: Thing) -> None:
        """What other stores than the book write beside its Changes.

        Raises:
            ConflictError: There is one of that name.
        """
        key = (thing.account, thing.KIND, thing.thing_name)
        with self._lock:
            if key in self._things:
                raise ConflictError("there is one of that name")
            self._things[key] = thing

    def account(self, ref: AccountRef) -> Account:
        with self._lock:
            return _found(self._accounts.get(ref), "account")

    def states(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Account]:
        with self._lock:
            return {ref: self._accounts[ref] for ref in refs if ref in self._accounts}

    def operation(self, ref: AccountRef, operation_id: str) -> Operation | None:
        with self._lock:
            return self._operations.get((ref, operation_id))

    def calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        with self._lock:
            found = {key: self._calls.get((tenant_id, key)) for key in keys}
        return {key: call for key, call in found.items() if call is not None}

    def current_calls(self, tenant_id: str, keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        calls = self.calls(tenant_id, keys)
        with self._lock:
            return {
                key: self._revisions.get((tenant_id, key), [call])[-1]
                for key, call in calls.items()
            }

    def call_revisions(
        self, tenant_id: str, names: Iterable[tuple[CallKey, int]]
    ) -> dict[tuple[CallKey, int], Call]:
        wanted = set(names)
        found: dict[tuple[CallKey, int], Call] = {}
        for key, call in self.calls(tenant_id, {key for key, _ in wanted}).items():
            with self._lock:
                standing = [call, *self._revisions.get((tenant_id, key), ())]
            found |= {(key, revision.revision): revision for revision in standing}
        return {name: call for name, call in found.items() if name in wanted}

    def funding_source(self, ref: AccountRef, source_id: str) -> FundingSource:
        with self._lock:
            return _found(self._sources.get((ref, source_id)), "funding source")

    def recharge(self, ref: AccountRef, ordinal: int) -> Recharge:
        with self._lock:
            return _found(self._recharges.get((ref, ordinal)), "recharge")

    def payment(self, ref: AccountRef, gateway: str, payment_id: str) -> Payment:
        with self._lock:
            payment, _ = self._payments.get((gateway, payment_id), (None, None))
            return _found(payment if payment and payment.account == ref else None, "payment")

    def payment_account(self, gateway: str, payment_id: str) -> AccountRef | None:
        with self._lock:
            payment, _ = self._payments.get((gateway, payment_id), (None, None))
            return payment.account if payment else None

    def refund(self, ref: AccountRef, gateway: str, payment_id: str, number: int) -> Refund:
        with self._lock:
            return _found(self._refunds.get((ref, gateway, payment_id, number)), "refund")

    def refunds(self, ref: AccountRef, gateway: str, payment_id: str) -> list[Refund]:
        with self._lock:
            found = sorted(self._refunds.items(), key=lambda item: item[1].number)
        return [refund for key, refund in found if key[:3] == (ref, gateway, payment_id)]

    def dispute(self, ref: AccountRef, gateway: str, dispute_id: str) -> Dispute | None:
        with self._lock:
            return self._disputes.get((ref, gateway, dispute_id))

    def commit(self, change: Change) -> None:
        if change.item_count > MAX_ITEMS:
            raise ChangeTooLargeError(f"{change.item_count} items are more than {MAX_ITEMS}")
        keys = [call.event.key for call in (*change.calls, *change.revisions)]
        assert len(set(keys)) == len(keys), "a Change writes each item once"
        change = _as_json(change)
        with self._lock:
            self._refuse_recorded_operation(change)
            self._refuse_recorded_calls(change)
            self._refuse_credited_payments(change)
            self._refuse_known_tenant(change)
            self._refuse_stale(change)
            self._refuse_stale_holds(change)
            if change.members is not None:
                self.members.refuse(change.members)
            self._refuse_taken_numbers(change)
            self._touch_holds(change)
            self._apply(change)

    def entries(
        self,
        account: Account,
        after_sequence: int = 0,
        limit: int | None = None,
        posted_from: datetime | None = None,
    ) -> Iterator[LedgerEntry]:
        with self._lock:
            entries = tuple(self._entries.get(account.ref, ())[after_sequence:])
        first = _month(posted_from or account.created_at)
        last = _month(account.head.posted_at)
        return iter([e for e in entries if first <= _month(e.posted_at) <= last][:limit])

    def recharges(self, ref: AccountRef, before_ordinal: int | None, limit: int) -> list[Recharge]:
        with self._lock:
            found = [recharge for (owner, _), recharge in self._recharges.items() if owner == ref]
        older = [r for r in found if before_ordinal is None or r.ordinal < before_ordinal]
        return sorted(older, key=lambda r: r.ordinal, reverse=True)[:limit]

    def funding_sources(self, ref: AccountRef) -> list[FundingSource]:
        with self._lock:
            found = [source for (owner, _), source in self._sources.items() if owner == ref]
        return sorted(found, key=lambda source: source.source_id)

    def thing(self, ref: AccountRef, kind: type[K], name: str = "") -> K | None:
        with self._lock:
            found = self._things.get((ref, kind.KIND, name))
        assert found is None or isinstance(found, kind), "a kind has one class"
        return found

    def things(
        self,
        ref: AccountRef,
        kind: type[K],
        prefix: str = "",
        *,
        before: str | None = None,
        limit: int | None = None,
    ) -> list[K]:
        with self._lock:
            names = sorted(
                name
                for owner, word, name in self._things
                if (owner, word) == (ref, kind.KIND) and name.startswith(prefix)
            )
        if before is not None:
            names = [name for name in reversed(names) if not before or name < before]
        found = (self.thing(ref, kind, name) for name in names[:limit])
        return [one for one in found if one is not None]

    def closed_periods(self, ref: AccountRef, year: int) -> list[ClosedPeriod]:
        with self._lock:
            return [
                closed
                for (owner, end_at), closed in sorted(self._periods.items(), key=lambda i: i[0])
                if owner == ref and end_at.astimezone(UTC).year == year
            ]

    def tenant(self, tenant_id: str) -> Tenant:
        with self._lock:
            return _found(self._tenants.get(tenant_id), "tenant")

    def tenants(self, after: str | None, limit: int) -> list[Tenant]:
        with self._lock:
            found = [self._tenants[name] for name in sorted(self._tenants) if name > (after or "")]
        return found[:limit]

    def amend_tenant(self, seen: Tenant, wanted: Tenant) -> Tenant:
        amended = replace(wanted, version=seen.version + 1)
        with self._lock:
            stored = self._tenants.get(seen.tenant_id)
            if stored is None or stored.version != seen.version:
                raise ConflictError("the tenant was changed since it was read; read it again")
            self._tenants[seen.tenant_id] = amended
        return amended

    def accounts(self, tenant_id: str, after: str | None, limit: int) -> list[AccountListing]:
        with self._lock:
            found = [
                listing
                for ref, listing in sorted(self._listings.items())
                if ref.tenant_id == tenant_id and ref.account_id > (after or "")
            ]
        return found[:limit]

    def due(self, kind: TimerKind, now: datetime) -> Iterator[Timer]:
        with self._lock:
            timers = tuple(self._timers.values())
        return iter([t for t in timers if t.kind is kind and t.due_at <= now])

    def outbox(self) -> list[Event]:
        """Events committed and not yet forgotten, in order."""
        with self._lock:
            return list(self._events.values())

    def forget(self, events: Sequence[Event]) -> None:
        with self._lock:
            for event in events:
                self._events.pop((event.account, event.event_id), None)

    def audit_records(self, ref: AccountRef) -> list[AuditRecord]:
        with self._lock:
            return [record for (owner, _), record in self._audit.items() if owner == ref]

    def record_audit(self, record: AuditRecord) -> None:
        """What other stores than the book write with their own changes."""
        with self._lock:
            self._keep_audit(record)

    def _keep_audit(self, record: AuditRecord) -> None:
        key = (record.account, record.operation_id)
        assert key not in self._audit, "an audit record is written once"
        self._audit[key] = record

    def payments(self) -> list[Payment]:
        with self._lock:
            return [payment for payment, _ in self._payments.values()]

    def number_owners(self) -> dict[str, AccountRef]:
        """Who has which phone number."""
        with self._lock:
            return dict(self._number_owners)

    def account_refs(self) -> list[AccountRef]:
        with self._lock:
            return sorted(self._accounts)

    def _refuse_recorded_operation(self, change: Change) -> None:
        operation = change.operation
        if operation is None:
            return
        stored = self._operations.get((operation.account, operation.operation_id))
        if stored is None:
            return
        if stored.body_hash == operation.body_hash:
            raise AlreadyRecordedError(stored)
        raise IdConflictError(f"operation {operation.operation_id} is recorded with another body")

    def _refuse_recorded_calls(self, change: Change) -> None:
        tenant_id = change.after.ref.tenant_id
        found = (self._calls.get((tenant_id, call.event.key)) for call in change.calls)
        recorded = tuple(call for call in found if call is not None)
        if recorded:
            raise CallsRecordedError(recorded)

    def _refuse_credited_payments(self, change: Change) -> None:
        for payment in change.records:
            if not isinstance(payment, Payment) or payment.revision:
                continue
            stored = self._payments.get((payment.gateway, payment.payment_id))
            if stored is None:
                continue
            credited, operation = stored
            if is_same_payment(payment, credited):
                raise AlreadyRecordedError(operation)
            raise IdConflictError(f"payment {payment.payment_id} was credited otherwise")

    def _refuse_known_tenant(self, change: Change) -> None:
        for record in change.records:
            if isinstance(record, Tenant) and record.tenant_id in self._tenants:
                raise ConflictError(f"tenant {record.tenant_id} exists already")

    def _refuse_stale(self, change: Change) -> None:
        stored = self._accounts.get(change.after.ref)
        seen = change.before.version if change.before else None
        if (stored.version if stored else None) != seen:
            raise StaleAccountError(f"account {change.after.ref} is no longer at version {seen}")

    def _refuse_taken_numbers(self, change: Change) -> None:
        for e164 in change.numbers_claimed:
            if e164 in self._number_owners:
                raise NumberTakenError(f"{e164} is taken; choose another")

    def _refuse_stale_holds(self, change: Change) -> None:
        seen = change.holds
        if seen is not None and self._reservations.holds(seen.account).version != seen.version:
            raise StaleAccountError("the holds have moved on")

    def _touch_holds(self, change: Change) -> None:
        """The last of what can refuse, since it is another's to write."""
        if change.holds is None:
            return
        try:
            self._reservations.save(change.holds.touched(), change.holds.version)
        except ConflictError as error:
            raise StaleAccountError("the holds have moved on") from error

    def _apply(self, change: Change) -> None:
        ref = change.after.ref
        self._accounts[ref] = change.after
        for operation in (change.operation, change.finished):
            if operation is not None:
                self._operations[(operation.account, operation.operation_id)] = operation
        self._entries.setdefault(ref, []).extend(change.entries)
        for call in change.calls:
            self._calls[(ref.tenant_id, call.event.key)] = call
        for call in change.revisions:
            known = self._revisions.setdefault((ref.tenant_id, call.event.key), [])
            assert call.revision == len(known) + 1, "revisions follow on"
            known.append(call)
        if change.members is not None:
            self.members.apply(change.members)
        for record in change.records:
            self._put(record, change)
        for timer in change.timers_set:
            self._timers[(timer.account, timer.kind)] = timer
        for e164 in change.numbers_freed:
            self._number_owners.pop(e164, None)
        for e164 in change.numbers_claimed:
            self._number_owners[e164] = ref
        for kind in change.timers_cleared:
            self._timers.pop((ref, kind), None)
        for event in change.events:
            self._events[(event.account, event.event_id)] = event

    def _put(self, record: Record, change: Change) -> None:
        match record:
            case Recharge():
                self._recharges[(record.account, record.ordinal)] = record
            case Payment() if record.revision:
                key = (record.gateway, record.payment_id)
                self._payments[key] = (record, self._payments[key][1])
            case Payment():
                assert change.operation is not None, "a payment is credited by an operation"
                credited = (record, change.operation)
                self._payments[(record.gateway, record.payment_id)] = credited
            case Refund():
                refund = (record.account, record.gateway, record.payment_id, record.number)
                self._refunds[refund] = record
            case Dispute():
                dispute = (record.account, record.gateway, record.dispute_id)
                self._disputes[dispute] = record
            case FundingSource():
                self._sources[(record.account, record.source_id)] = record
            case ClosedPeriod():
                self._periods[(record.account, record.period.end_at)] = record
            case AuditRecord():
                self._keep_audit(record)
            case Tenant():
                self._tenants[record.tenant_id] = record
            case AccountListing():
                self._listings[record.account] = record
            case _:
                self._things[(record.account, record.KIND, record.thing_name)] = record


def _as_json(change: Change) -> Change:
    """Answers and event data as the table keeps them: plain JSON, or refused."""
    operation, finished = (
        None if one is None else from_json(Operation, to_json(one))
        for one in (change.operation, change.finished)
    )
    events = tuple(from_json(Event, to_json(event)) for event in change.events)
    return replace(change, operation=operation, finished=finished, events=events)


def _found(value: T | None, what: str) -> T:
    if value is None:
        raise NotFoundError(f"there is no such {what}")
    return value


def _month(at: datetime) -> tuple[int, int]:
    utc = at.astimezone(UTC)
    return utc.year, utc.month
