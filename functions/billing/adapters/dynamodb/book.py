"""The book in DynamoDB: one Change, one TransactWriteItems."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from itertools import islice
from typing import NoReturn, TypeVar

from pynamodb.exceptions import CancellationReason, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from billing.adapters.dynamodb import items, keys
from billing.adapters.dynamodb.holds import HoldsItem, holds_item
from billing.adapters.dynamodb.items import Item, Raw
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.members import (
    ClaimItem,
    CountsItem,
    claim_items,
    counts_item,
    freed_keys,
    member_item,
)
from billing.adapters.dynamodb.table import CONTENTION_CODES, Table, error_code
from billing.domain.account import Account, AccountRef
from billing.domain.change import MAX_ITEMS, Change
from billing.domain.errors import (
    BookContendedError,
    ChangeTooLargeError,
    ConflictError,
    IdConflictError,
    MemberExistsError,
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
    FundingSource,
    Operation,
    Payment,
    Recharge,
    Record,
    Refund,
    Tenant,
)
from billing.domain.refunding import is_same_payment
from billing.domain.things import Thing
from billing.domain.usage import Call, CallKey
from billing.ports import AlreadyRecordedError, CallsRecordedError

T = TypeVar("T", bound=Thing)

ENTRIES_PAGE = 250
"""Entries fetched at once: at most about a quarter of a megabyte."""


class Guard(Enum):
    """What must hold for an item to be written: reasons, in the order in which they are read."""

    OPERATION_IS_NEW = auto()
    CALL_IS_NEW = auto()
    PAYMENT_IS_NEW = auto()
    TENANT_IS_NEW = auto()
    VERSION_IS_SEEN = auto()
    HOLDS_ARE_SEEN = auto()
    COUNTS_ARE_SEEN = auto()
    CLAIM_IS_NEW = auto()
    NUMBER_IS_NEW = auto()
    AUDIT_IS_NEW = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Put:
    """One item of a Change, with the reason it could be refused for."""

    item: Item
    guard: Guard = Guard.NONE

    @property
    def key(self) -> Key:
        return Key(self.item.pk, self.item.sk)


@dataclass(frozen=True, slots=True)
class Refused:
    """A put whose condition did not hold, and the item that stands there."""

    put: Put
    stored: Raw | None


class DynamoDBBook:
    """Implements ``Book``.

    Nothing is tried again here: a Change that lost a race must be decided again, and only a service
    can. Every attempt has its own client request token, given by botocore, which makes *its* one
    repetition of a lost request safe. A token derived from the Change would do the same for ten
    minutes and then no more, answer a repetition with success instead of what is recorded, and
    refuse the same operation decided anew; the permanent conditions do all of that, for ever.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def account(self, ref: AccountRef) -> Account:
        return items.account_of(self._found(keys.account_state(ref), "account"))

    def states(self, refs: Iterable[AccountRef]) -> dict[AccountRef, Account]:
        found = self._table.get_many(map(keys.account_state, refs))
        return {account.ref: account for account in map(items.account_of, found)}

    def operation(self, ref: AccountRef, operation_id: str) -> Operation | None:
        raw = self._table.get(keys.operation(ref, operation_id))
        return None if raw is None else items.record_of(Operation, raw)

    def calls(self, tenant_id: str, call_keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        found = self._table.get_many(keys.call(tenant_id, key) for key in call_keys)
        return {call.event.key: call for call in map(items.call_of, found)}

    def current_calls(self, tenant_id: str, call_keys: Iterable[CallKey]) -> dict[CallKey, Call]:
        first = self._table.get_many(keys.call(tenant_id, key) for key in call_keys)
        calls = [(items.call_of(raw), items.revision_of(raw)) for raw in first]
        corrected = [(call.event.key, revision) for call, revision in calls if revision]
        current = self.call_revisions(tenant_id, corrected)
        return {
            call.event.key: current[call.event.key, revision] if revision else call
            for call, revision in calls
        }

    def call_revisions(
        self, tenant_id: str, names: Iterable[tuple[CallKey, int]]
    ) -> dict[tuple[CallKey, int], Call]:
        found = self._table.get_many(
            keys.call_revision(tenant_id, key, revision) if revision else keys.call(tenant_id, key)
            for key, revision in names
        )
        return {(call.event.key, call.revision): call for call in map(items.call_of, found)}

    def funding_source(self, ref: AccountRef, source_id: str) -> FundingSource:
        raw = self._found(keys.funding_source(ref, source_id), "funding source")
        return items.record_of(FundingSource, raw)

    def recharge(self, ref: AccountRef, ordinal: int) -> Recharge:
        return items.record_of(Recharge, self._found(keys.recharge(ref, ordinal), "recharge"))

    def payment(self, ref: AccountRef, gateway: str, payment_id: str) -> Payment:
        raw = self._found(keys.payment(ref.tenant_id, gateway, payment_id), "payment")
        found = items.record_of(Payment, raw)
        if found.account != ref:
            raise NotFoundError("there is no such payment")
        return found

    def payment_account(self, gateway: str, payment_id: str) -> AccountRef | None:
        raw = self._table.get(keys.payment_pointer(gateway, payment_id))
        if raw is None:
            return None
        pointer = items.read(items.PointerItem, raw)
        return AccountRef(pointer.tenant_id, pointer.account_id)

    def refund(self, ref: AccountRef, gateway: str, payment_id: str, number: int) -> Refund:
        key = keys.refund(ref, gateway, payment_id, number)
        return items.record_of(Refund, self._found(key, "refund"))

    def refunds(self, ref: AccountRef, gateway: str, payment_id: str) -> list[Refund]:
        of_payment = items.RecordItem.sk.startswith(keys.refunds(gateway, payment_id))
        found = self._table.query(keys.things(ref), of_payment, consistent=True)
        return [items.record_of(Refund, raw) for raw in found]

    def dispute(self, ref: AccountRef, gateway: str, dispute_id: str) -> Dispute | None:
        raw = self._table.get(keys.dispute(ref, gateway, dispute_id))
        return None if raw is None else items.record_of(Dispute, raw)

    def entries(
        self,
        account: Account,
        after_sequence: int = 0,
        limit: int | None = None,
        posted_from: datetime | None = None,
    ) -> Iterator[LedgerEntry]:
        after = items.EntryItem.sk > keys.sequence_sk(after_sequence)
        left = limit
        for year, month in _months(posted_from or account.created_at, account.head.posted_at):
            partition = keys.ledger_month(account.ref, year, month)
            for raw in self._table.query(
                partition, after, consistent=True, limit=left, page=ENTRIES_PAGE
            ):
                yield items.entry_of(raw)
                left = None if left is None else left - 1
            if left == 0:
                return

    def recharges(self, ref: AccountRef, before_ordinal: int | None, limit: int) -> list[Recharge]:
        older = items.RecordItem.sk.between(*keys.recharges_before(ref, before_ordinal))
        found = self._table.query(keys.things(ref), older, forward=False, limit=limit)
        return [items.record_of(Recharge, raw) for raw in found]

    def funding_sources(self, ref: AccountRef) -> list[FundingSource]:
        sources = items.RecordItem.sk.startswith(keys.SOURCE_PREFIX)
        found = self._table.query(keys.things(ref), sources, consistent=True)
        return [items.record_of(FundingSource, raw) for raw in found]

    def thing(self, ref: AccountRef, kind: type[T], name: str = "") -> T | None:
        raw = self._table.get(keys.thing(ref, kind.KIND, name))
        return None if raw is None else items.thing_of(kind, raw)

    def things(
        self,
        ref: AccountRef,
        kind: type[T],
        prefix: str = "",
        *,
        before: str | None = None,
        limit: int | None = None,
    ) -> list[T]:
        named: Condition = items.ThingItem.sk.startswith(keys.thing(ref, kind.KIND, prefix).sk)
        wanted = limit
        if before:
            named = items.ThingItem.sk.between(*keys.things_until(kind.KIND, prefix, before))
            # A range has its ends in it, and the one before which they are wanted is no answer.
            wanted = None if limit is None else limit + 1
        found = self._table.query(
            keys.things(ref), named, consistent=True, forward=before is None, limit=wanted
        )
        things = (items.thing_of(kind, raw) for raw in found)
        return list(islice((one for one in things if one.thing_name != before), limit))

    def closed_periods(self, ref: AccountRef, year: int) -> list[ClosedPeriod]:
        periods = items.RecordItem.sk.startswith(keys.PERIOD_PREFIX)
        found = self._table.query(keys.papers(ref, year), periods)
        return [items.record_of(ClosedPeriod, raw) for raw in found]

    def commit(self, change: Change) -> None:
        """See ``Book.commit``. Two outcomes beside those of the port, by what they mean:

        A payment that is in the book already was credited by another Change: the capture is
        credited once, and the outcome is that Change's ``AlreadyRecordedError``. It is read after
        the operation and the calls and before the version, as they are, because a repetition fails
        both. The same payment with another amount, recharge or account is an ``IdConflictError``.

        A tenant that exists already is a ``ConflictError``, read before the version as well.
        """
        if change.item_count > MAX_ITEMS:
            raise ChangeTooLargeError(
                f"a Change of {change.item_count} items is more than {MAX_ITEMS}; split it"
            )
        deletes = [keys.timer(change.after.ref, kind) for kind in change.timers_cleared]
        deletes += map(keys.number_owner, change.numbers_freed)
        deletes += freed_keys(change.members) if change.members else []
        puts = _puts(change)
        updates = [_revised(call) for call in change.revisions]
        count = len(deletes) + len(puts) + len(updates)
        assert count == change.item_count, "every item is counted"
        written = {*deletes, *(put.key for put in puts), *(key for key, _, _ in updates)}
        assert len(written) == change.item_count, "a Change writes each item once"
        try:
            self._table.transact(
                deletes, [(put.item, _condition(put.guard, change)) for put in puts], updates
            )
        except TransactWriteError as error:
            self._refuse(change, puts, error.cancellation_reasons[len(deletes) :], error)

    def _refuse(
        self,
        change: Change,
        puts: Sequence[Put],
        reasons: Sequence[CancellationReason | None],
        error: TransactWriteError,
    ) -> NoReturn:
        """Say why a Change was not written; records first, then the version, then contention."""
        refused: dict[Guard, list[Refused]] = {guard: [] for guard in Guard}
        for put, reason in zip(puts, reasons, strict=False):
            if reason is not None and reason.code == "ConditionalCheckFailed":
                refused[put.guard].append(Refused(put, reason.raw_item))
        if refused[Guard.OPERATION_IS_NEW]:
            raise self._operation_recorded(change, refused[Guard.OPERATION_IS_NEW][0]) from error
        if refused[Guard.CALL_IS_NEW]:
            raise self._calls_recorded(change, refused[Guard.CALL_IS_NEW]) from error
        if refused[Guard.PAYMENT_IS_NEW]:
            raise self._payment_credited(change) from error
        if refused[Guard.TENANT_IS_NEW]:
            tenant_id = change.after.ref.tenant_id
            raise ConflictError(f"tenant {tenant_id} exists already", field="tenant") from error
        if refused[Guard.VERSION_IS_SEEN]:
            raise StaleAccountError(f"account {change.after.ref} has moved on") from error
        if refused[Guard.HOLDS_ARE_SEEN]:
            raise StaleAccountError(f"the holds of {change.after.ref} have moved on") from error
        if refused[Guard.COUNTS_ARE_SEEN]:
            raise StaleAccountError("the tenant's members have moved on") from error
        if refused[Guard.NUMBER_IS_NEW]:
            owner = refused[Guard.NUMBER_IS_NEW][0].put.item.pk
            raise NumberTakenError(
                f"{keys.owned_number(owner)} is taken; choose another"
            ) from error
        if refused[Guard.CLAIM_IS_NEW]:
            (claim, *_) = (one.put.item for one in refused[Guard.CLAIM_IS_NEW])
            assert isinstance(claim, ClaimItem)
            raise MemberExistsError.of(claim.kind) from error
        codes = {error_code(error), *(reason.code for reason in reasons if reason)}
        if codes & CONTENTION_CODES:
            raise BookContendedError(f"the table is busy: {codes & CONTENTION_CODES}") from error
        raise error

    def _operation_recorded(
        self, change: Change, refused: Refused
    ) -> AlreadyRecordedError | IdConflictError:
        assert change.operation is not None
        raw = refused.stored or self._found(refused.put.key, "operation")
        stored = items.record_of(Operation, raw)
        if stored.body_hash == change.operation.body_hash:
            return AlreadyRecordedError(stored)
        return IdConflictError(
            f"operation {stored.operation_id} is recorded with body {stored.body_hash[:12]}…, "
            f"not {change.operation.body_hash[:12]}…"
        )

    def _calls_recorded(self, change: Change, refused: Sequence[Refused]) -> CallsRecordedError:
        if all(one.stored for one in refused):
            recorded = tuple(items.call_of(one.stored) for one in refused if one.stored)
            return CallsRecordedError(recorded)
        # Not every engine hands the old items over.
        wanted = [call.event.key for call in change.calls]
        found = self.calls(change.after.ref.tenant_id, wanted)
        return CallsRecordedError(tuple(found[key] for key in wanted if key in found))

    def _payment_credited(self, change: Change) -> AlreadyRecordedError | IdConflictError:
        payments = (record for record in change.records if isinstance(record, Payment))
        for payment in payments:
            tenant_id = payment.account.tenant_id
            key = keys.payment(tenant_id, payment.gateway, payment.payment_id)
            raw = self._table.get(key)
            if raw is None:
                continue
            stored = items.record_of(Payment, raw)
            if not is_same_payment(payment, stored):
                break
            credited_by = items.read(items.PaymentItem, raw).operation_id
            operation = self.operation(stored.account, credited_by)
            assert operation is not None, "a payment and its operation are written together"
            return AlreadyRecordedError(operation)
        return IdConflictError("this payment was credited otherwise: another account or amount")

    def _found(self, key: Key, what: str) -> Raw:
        raw = self._table.get(key)
        if raw is None:
            raise NotFoundError(f"there is no such {what}")
        return raw


def _puts(change: Change) -> list[Put]:
    ref = change.after.ref
    puts = [Put(items.account_item(change.after), Guard.VERSION_IS_SEEN)]
    if change.operation is not None:
        puts.append(Put(items.operation_item(change.operation), Guard.OPERATION_IS_NEW))
    if change.finished is not None:
        puts.append(Put(items.operation_item(change.finished)))
    puts += [Put(items.call_item(call), Guard.CALL_IS_NEW) for call in change.calls]
    puts += [Put(items.revision_item(call)) for call in change.revisions]
    puts += [Put(items.entry_item(ref, entry)) for entry in change.entries]
    for record in change.records:
        puts += _record_puts(record, change.operation)
    puts += [Put(items.timer_item(timer)) for timer in change.timers_set]
    puts += [Put(items.event_item(change.after.version, event)) for event in change.events]
    if change.holds is not None:
        puts.append(Put(holds_item(change.holds.touched()), Guard.HOLDS_ARE_SEEN))
    puts += [
        Put(items.owner_item(e164, ref), Guard.NUMBER_IS_NEW) for e164 in change.numbers_claimed
    ]
    if change.members is not None:
        puts.append(Put(member_item(change.members)))
        puts.append(Put(counts_item(change.members), Guard.COUNTS_ARE_SEEN))
        puts += [Put(item, Guard.CLAIM_IS_NEW) for item in claim_items(change.members)]
    return puts


def _revised(call: Call) -> tuple[Key, Action, Condition]:
    """Points a call to its next revision. Whoever revised it in between moved the account on."""
    standing = items.CallItem.revision
    is_seen = standing == call.revision - 1 if call.revision > 1 else standing.does_not_exist()
    return (
        keys.call(call.account.tenant_id, call.event.key),
        standing.set(call.revision),
        Item.pk.exists() & is_seen,
    )


def _record_puts(record: Record, operation: Operation | None) -> list[Put]:
    """Records are guarded by their Change's operation and version; what may come by two ways, by
    itself as well."""
    match record:
        case Payment() if record.revision:
            return [Put(items.payment_item(record, record.credited_by))]
        case Payment():
            assert operation is not None, "a payment is credited by an operation"
            return [
                Put(items.payment_item(record, operation.operation_id), Guard.PAYMENT_IS_NEW),
                Put(items.pointer_item(record), Guard.PAYMENT_IS_NEW),
            ]
        case Tenant():
            return [
                Put(items.tenant_item(record), Guard.TENANT_IS_NEW),
                Put(items.directory_item(record)),
            ]
        case (
            Recharge() | Refund() | Dispute() | FundingSource() | ClosedPeriod() | AccountListing()
        ):
            return [Put(items.record_item(record))]
        case AuditRecord():
            # Guarded by its operation as well: who would write over one is a fault of ours.
            return [Put(items.record_item(record), Guard.AUDIT_IS_NEW)]
        case _:
            return [Put(items.thing_item(record))]


def _condition(guard: Guard, change: Change) -> Condition | None:
    if guard is Guard.NONE:
        return None
    if guard is Guard.VERSION_IS_SEEN and change.before is not None:
        return items.AccountItem.version == change.before.version
    if guard is Guard.HOLDS_ARE_SEEN and change.holds is not None and change.holds.version:
        return HoldsItem.version == change.holds.version
    if guard is Guard.COUNTS_ARE_SEEN and change.members and change.members.counts.version:
        return CountsItem.version == change.members.counts.version
    return Item.pk.does_not_exist()


def _months(first: datetime, last: datetime) -> Iterator[tuple[int, int]]:
    """Every UTC month from the one to the other."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    for index in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        year, month = divmod(index, 12)
        yield year, month + 1
