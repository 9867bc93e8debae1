"""The items of the table, and how domain values become items and values again."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

from billing.adapters.dynamodb import keys, upgrades
from billing.adapters.dynamodb.codec import V, Value, from_json, to_json
from billing.adapters.dynamodb.packing import pack, pack_calls, unpack, unpack_calls
from billing.domain.account import Account, AccountRef, Standing
from billing.domain.alerting import Alerting
from billing.domain.canonical import Json, canonical_json
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
    Refund,
    Tenant,
    Timer,
    TimerKind,
)
from billing.domain.things import Thing, forgotten_at
from billing.domain.usage import Call

Raw = Mapping[str, Mapping[str, Any]]
"""An item as DynamoDB speaks it: attribute to type to value."""

SCHEMA: Final = 1
"""The form items are written in."""

READABLE_SCHEMA: Final = 1
"""The latest form that is read; a later one might be written back maimed. A release that reads the
next form goes out before the one that writes it, so that the second can be rolled back."""


class Item(Model):
    """What every item has. No table is named here: models only give items their form."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    schema = NumberAttribute(default=SCHEMA)


class AccountItem(Item):
    """The account state. Its own attributes can be read in a console, and conditioned on."""

    version = NumberAttribute()
    wallet_micros = NumberAttribute()
    currency = UnicodeAttribute()
    packed = BinaryAttribute(legacy_encoding=False)


class PackedItem(Item):
    """A call as a correction left it: packed, like whatever may be written often."""

    packed = BinaryAttribute(legacy_encoding=False)


class CallItem(PackedItem):
    """A call as it was first posted, and the number of the revision that stands now."""

    revision = NumberAttribute(null=True)


class EntryItem(PackedItem):
    """A ledger entry, and the keys of the calls it charges."""

    calls = BinaryAttribute(legacy_encoding=False, null=True)


class RecordItem(Item):
    """Written seldom, so kept as JSON that can be read in a console."""

    body = UnicodeAttribute()


class ThingItem(RecordItem):
    """A thing, by its kind and name.

    Args:
        expires_at: Seconds since 1970: when DynamoDB may drop it.
    """

    expires_at = NumberAttribute(null=True)


class TenantItem(RecordItem):
    """A tenant; renamed under its version."""

    version = NumberAttribute()


class PaymentItem(RecordItem):
    """A payment, and the operation that credited it."""

    operation_id = UnicodeAttribute()


class PointerItem(Item):
    """Whose payment it is."""

    tenant_id = UnicodeAttribute()
    account_id = UnicodeAttribute()


class TimerItem(Item):
    """A timer; the index of what is due holds nothing but its keys."""

    due_pk = UnicodeAttribute()
    due_at = UnicodeAttribute()


class UnknownSchemaError(Exception):
    """A younger release wrote this item. Finish the deployment, or the rollback, first."""


M = TypeVar("M", bound=Item)
T = TypeVar("T", bound=Thing)


def read(model: type[M], raw: Raw) -> M:
    """
    Raises:
        UnknownSchemaError: See there.
    """
    item = model()
    item.deserialize({name: dict(value) for name, value in raw.items()})
    if int(item.schema) > READABLE_SCHEMA:
        raise UnknownSchemaError(f"{item.pk} / {item.sk} has schema {item.schema}")
    return item


def account_item(account: Account) -> AccountItem:
    stored = to_json(account)
    for told in ("ref", "version", "wallet_micros", "currency"):
        del stored[told]
    stored["daily_spend"] = _packed_days(account.daily_spend)
    stored["recharging"] = upgrades.without_defaults(account.recharging)
    if not account.hourly_spend:
        del stored["hourly_spend"]
    if account.alerting == Alerting():
        del stored["alerting"]
    else:
        stored["alerting"] = upgrades.alerting_without_names(account.alerting)
    stored["plan"] = upgrades.plan_without_defaults(account.plan)
    if account.next_plan is None:
        del stored["next_plan"]
    else:
        stored["next_plan"] = upgrades.plan_without_defaults(account.next_plan)
    if account.standing is Standing.GOOD:
        del stored["standing"]
    stored["totals"] = totals = to_json(account.totals)
    if not account.totals.metered:
        # Nearly every account: it pays for no field that says nothing.
        del totals["metered"]
    return AccountItem(
        *keys.account_state(account.ref),
        version=account.version,
        wallet_micros=account.wallet_micros,
        currency=account.currency,
        packed=pack(stored),
    )


def account_of(raw: Raw) -> Account:
    item = read(AccountItem, raw)
    stored = unpack(item.packed)
    stored["ref"] = to_json(keys.state_account(item.pk))
    stored["version"] = int(item.version)
    stored["wallet_micros"] = int(item.wallet_micros)
    stored["currency"] = item.currency
    stored["daily_spend"] = _unpacked_days(stored["daily_spend"])
    stored["plan"] = upgrades.plan(stored["plan"])
    if "next_plan" in stored:
        stored["next_plan"] = upgrades.plan(stored["next_plan"])
    stored["recharging"] = upgrades.recharging(stored["recharging"])
    if "alerting" in stored:
        stored["alerting"] = upgrades.alerting(stored["alerting"])
    return from_json(Account, stored)


def entry_item(ref: AccountRef, entry: LedgerEntry) -> EntryItem:
    stored = to_json(entry)
    usage = dict(to_json(entry.usage))
    del usage["calls"]
    if not entry.usage.revisions:
        del usage["revisions"]
    if not entry.usage.metered:
        del usage["metered"]
    stored["usage"] = usage
    return EntryItem(
        *keys.ledger_entry(ref, entry.posted_at, entry.sequence),
        packed=pack(stored),
        calls=pack_calls(entry.usage.calls) if entry.usage.calls else None,
    )


def entry_of(raw: Raw) -> LedgerEntry:
    item = read(EntryItem, raw)
    stored = unpack(item.packed)
    calls = unpack_calls(item.calls) if item.calls else ()
    stored["usage"]["calls"] = [to_json(key) for key in calls]
    return from_json(LedgerEntry, stored)


def call_item(call: Call) -> CallItem:
    assert call.corrected is None, "a revision is an item of its own"
    return CallItem(
        *keys.call(call.account.tenant_id, call.event.key), packed=pack(_stored_call(call))
    )


def revision_item(call: Call) -> PackedItem:
    key = keys.call_revision(call.account.tenant_id, call.event.key, call.revision)
    return PackedItem(*key, packed=pack(_stored_call(call)))


def _stored_call(call: Call) -> dict[str, Json]:
    stored = to_json(call)
    event = dict(to_json(call.event))
    del event["key"]
    stored["event"] = event
    if call.corrected is None:
        # Nearly every call: its item pays for no field that says nothing.
        del stored["corrected"]
    return stored


def revision_of(raw: Raw) -> int:
    """Which revision of a call stands; 0: as it was first posted."""
    return int(read(CallItem, raw).revision or 0)


def call_of(raw: Raw) -> Call:
    item = read(PackedItem, raw)
    stored = unpack(item.packed)
    stored["event"]["key"] = to_json(keys.call_key(item.pk))
    return from_json(Call, stored)


def operation_item(operation: Operation) -> RecordItem:
    key = keys.operation(operation.account, operation.operation_id)
    return RecordItem(*key, body=_body(operation))


def record_of(kind: type[V], raw: Raw) -> V:
    """What is kept as JSON: operations, recharges, sources, periods, tenants, listings, events."""
    return from_json(kind, upgrades.record(kind, json.loads(read(RecordItem, raw).body)))


def thing_of(kind: type[T], raw: Raw) -> T:
    # A thing is a dataclass of the domain, see ``thing_item``.
    return from_json(kind, json.loads(read(RecordItem, raw).body))  # type: ignore[type-var]


def owner_item(e164: str, ref: AccountRef) -> PointerItem:
    return PointerItem(*keys.number_owner(e164), tenant_id=ref.tenant_id, account_id=ref.account_id)


def timer_item(timer: Timer) -> TimerItem:
    return TimerItem(
        *keys.timer(timer.account, timer.kind),
        due_pk=keys.due_pk(timer.account, timer.kind),
        due_at=keys.instant(timer.due_at),
    )


def timer_of(raw: Raw) -> Timer:
    """From the index, which holds the keys alone."""
    pk, sk, due_at = (str(raw[name]["S"]) for name in ("pk", "sk", "due_at"))
    return Timer(TimerKind(sk), keys.timer_account(pk), keys.parse_instant(due_at))


def event_item(version: int, event: Event) -> RecordItem:
    return RecordItem(*keys.event(event.account, version, event.type), body=_body(event))


def tenant_item(tenant: Tenant) -> TenantItem:
    return TenantItem(*keys.tenant(tenant.tenant_id), body=_body(tenant), version=tenant.version)


def directory_item(tenant: Tenant) -> Item:
    """Lists the tenant; what it is called is read from its profile."""
    return Item(*keys.directory(tenant.tenant_id))


def payment_item(payment: Payment, operation_id: str) -> PaymentItem:
    key = keys.payment(payment.account.tenant_id, payment.gateway, payment.payment_id)
    return PaymentItem(*key, body=_body(payment), operation_id=operation_id)


def pointer_item(payment: Payment) -> PointerItem:
    return PointerItem(
        *keys.payment_pointer(payment.gateway, payment.payment_id),
        tenant_id=payment.account.tenant_id,
        account_id=payment.account.account_id,
    )


def thing_item(thing: Thing) -> ThingItem:
    gone_at = forgotten_at(thing)
    return ThingItem(
        *keys.thing(thing.account, thing.KIND, thing.thing_name),
        # Every thing is a frozen dataclass, which the two protocols cannot say of each other.
        body=_body(thing),  # type: ignore[arg-type]
        expires_at=None if gone_at is None else int(gone_at.timestamp()),
    )


Kept = Recharge | Refund | Dispute | FundingSource | ClosedPeriod | AuditRecord | AccountListing
"""Records that are kept as JSON, one item each."""


def record_item(record: Kept) -> RecordItem:
    return RecordItem(*_record_key(record), body=_body(record))


def _record_key(record: Kept) -> keys.Key:
    match record:
        case Recharge(account=ref, ordinal=ordinal):
            return keys.recharge(ref, ordinal)
        case Refund(account=ref, gateway=gateway, payment_id=payment_id, number=number):
            return keys.refund(ref, gateway, payment_id, number)
        case Dispute(account=ref, gateway=gateway, dispute_id=dispute_id):
            return keys.dispute(ref, gateway, dispute_id)
        case FundingSource(account=ref, source_id=source_id):
            return keys.funding_source(ref, source_id)
        case ClosedPeriod(account=ref, period=period):
            return keys.closed_period(ref, period)
        case AuditRecord(account=ref, at=at, operation_id=operation_id):
            return keys.audit(ref, at, operation_id)
        case AccountListing(account=ref):
            return keys.account_listing(ref)


def _body(value: Value) -> str:
    return canonical_json(to_json(value))


def _packed_days(days: tuple[tuple[date, int], ...]) -> Json:
    """The first day, and what was spent on each from there on: a date a day would not fit."""
    if not days:
        return {}
    first = days[0][0]
    spent = [0] * ((days[-1][0] - first).days + 1)
    for day, micros in days:
        spent[(day - first).days] = micros
    return {"from": first.isoformat(), "spent": spent}


def _unpacked_days(stored: Mapping[str, Any]) -> list[tuple[str, int]]:
    if not stored:
        return []
    first = date.fromisoformat(stored["from"])
    return [
        ((first + timedelta(days=number)).isoformat(), micros)
        for number, micros in enumerate(stored["spent"])
        if micros
    ]
