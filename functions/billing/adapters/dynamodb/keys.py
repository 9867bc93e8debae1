"""Every partition and sort key of the table: built here, parsed here, written nowhere else.

``#`` separates the parts of a key. Ids of providers and gateways are text from outside and may hold
one, so ``#`` and ``%`` are percent-encoded in every part: a key has one reading only. The tenant
comes first in every partition that holds anything of a tenant's, so a forged id can only miss.
"""

import hashlib
from datetime import UTC, date, datetime
from typing import NamedTuple

from billing.domain.account import AccountRef
from billing.domain.members import ClaimKind
from billing.domain.periods import Period
from billing.domain.records import EventType, TimerKind
from billing.domain.usage import CallKey
from billing.domain.usage_parts import PartKind

SHARDS = 8
"""Partitions that what would be one hot list is spread over; a reader asks each of them."""

DUE_INDEX = "due"

_SEQUENCE_DIGITS = 12
_REVISION_DIGITS = 6
_ORDINAL_DIGITS = 9
_DECK_VERSION_DIGITS = 6
_CATALOG_VERSION_DIGITS = 6
MAX_CATALOG_VERSION = 10**_CATALOG_VERSION_DIGITS - 1
_GENERATION_DIGITS = 6


class Key(NamedTuple):
    """Where one item is."""

    pk: str
    sk: str


def account_state(ref: AccountRef) -> Key:
    return Key(_join("ACCT", ref.tenant_id, ref.account_id), "STATE")


def state_account(pk: str) -> AccountRef:
    return AccountRef(*_parts(pk, "ACCT", 2))


def holds(ref: AccountRef) -> Key:
    """What is set aside for calls in progress: an item of its own, beside the account's."""
    return Key(_join("HOLDS", ref.tenant_id, ref.account_id), "HOLDS")


def port_day(ref: AccountRef, kind: str, day: date) -> Key:
    """How many ports of a kind were out on a day, beside what is set aside."""
    return Key(holds(ref).pk, _join("PORTS", kind, day.isoformat()))


def ledger_entry(ref: AccountRef, posted_at: datetime, sequence: int) -> Key:
    month = posted_at.astimezone(UTC)
    return Key(ledger_month(ref, month.year, month.month), sequence_sk(sequence))


def ledger_month(ref: AccountRef, year: int, month: int) -> str:
    """The partition of the entries posted in one UTC month."""
    return _join("LEDGER", ref.tenant_id, ref.account_id, f"{year:04d}-{month:02d}")


def ledger_account(pk: str) -> AccountRef:
    tenant_id, account_id, _ = _parts(pk, "LEDGER", 3)
    return AccountRef(tenant_id, account_id)


def is_ledger(pk: str) -> bool:
    return pk.startswith("LEDGER#")


def summaries(ref: AccountRef) -> str:
    """The partition of an account's days."""
    return _join("DAYS", ref.tenant_id, ref.account_id)


def summary_head(ref: AccountRef) -> Key:
    return Key(summaries(ref), "HEAD")


def summary_day(ref: AccountRef, generation: int, day: date) -> Key:
    return Key(summaries(ref), f"{summary_generation(generation)}{day.isoformat()}")


def summary_generation(generation: int) -> str:
    """What the sort keys of one generation's days begin with."""
    assert 0 < generation < 10**_GENERATION_DIGITS, generation
    return f"{generation:0{_GENERATION_DIGITS}d}#"


def summarised_day(sk: str) -> date:
    return date.fromisoformat(sk.partition("#")[2])


def sequence_sk(sequence: int) -> str:
    assert 0 <= sequence < 10**_SEQUENCE_DIGITS, sequence
    return f"{sequence:0{_SEQUENCE_DIGITS}d}"


def call(tenant_id: str, key: CallKey) -> Key:
    pk = _join("CALL", tenant_id, key.provider, key.provider_account, key.call_id)
    return Key(pk, "CALL")


def call_revision(tenant_id: str, key: CallKey, revision: int) -> Key:
    """The call as a correction left it; as it was first posted it is ``call``."""
    assert 0 < revision < 10**_REVISION_DIGITS, revision
    return Key(call(tenant_id, key).pk, f"REV#{revision:0{_REVISION_DIGITS}d}")


def call_key(pk: str) -> CallKey:
    _, provider, provider_account, call_id = _parts(pk, "CALL", 4)
    return CallKey(provider, provider_account, call_id)


def call_tenant(pk: str) -> str:
    return _parts(pk, "CALL", 4)[0]


PART_PREFIX = "PART#"


def call_part(tenant_id: str, key: CallKey, kind: PartKind, part_digest: str) -> Key:
    """One report of one part of a call. Reports that differ stand beside each other."""
    return Key(call(tenant_id, key).pk, f"{PART_PREFIX}{kind.value}#{part_digest}")


def part_due_pk(pk: str) -> str:
    """Where the parts of that call stand in the index of what is due."""
    return part_due_shard(shard(pk))


def part_due_shard(number: int) -> str:
    """Told apart from every kind of timer: a part belongs to a call, not to an account."""
    return f"part#{number}"


def call_cost(tenant_id: str, key: CallKey) -> Key:
    """What the call's carrier bills for it."""
    return Key(call(tenant_id, key).pk, "COST")


def operation(ref: AccountRef, operation_id: str) -> Key:
    """An operation id is unique within its account: two accounts may use the same."""
    return Key(_join("OP", ref.tenant_id, operation_hash(ref, operation_id)), "OP")


def operation_hash(ref: AccountRef, operation_id: str) -> str:
    return hashlib.sha256(_join(ref.account_id, operation_id).encode()).hexdigest()


def timer(ref: AccountRef, kind: TimerKind) -> Key:
    return Key(_join("TIMER", ref.tenant_id, ref.account_id), kind.value)


def timer_account(pk: str) -> AccountRef:
    return AccountRef(*_parts(pk, "TIMER", 2))


def due_pk(ref: AccountRef, kind: TimerKind) -> str:
    """Where the account's timer of that kind stands in the index of what is due."""
    return due_shard(kind, shard(f"{ref.tenant_id}#{ref.account_id}"))


def due_shard(kind: TimerKind, number: int) -> str:
    return f"{kind.value}#{number}"


def event(ref: AccountRef, version: int, event_type: EventType) -> Key:
    """``version``: of the account, as the event's Change leaves it."""
    pk = _join("EVENT", ref.tenant_id, ref.account_id)
    return Key(pk, f"{sequence_sk(version)}#{event_type.value}")


def is_event(pk: str) -> bool:
    return pk.startswith("EVENT#")


def things(ref: AccountRef) -> str:
    """The partition of what an account owns: recharges, funding sources."""
    return _join("THINGS", ref.tenant_id, ref.account_id)


RECHARGE_PREFIX = "RECHARGE#"
SOURCE_PREFIX = "SOURCE#"


def recharge(ref: AccountRef, ordinal: int) -> Key:
    assert 0 <= ordinal < 10**_ORDINAL_DIGITS, ordinal
    return Key(things(ref), f"{RECHARGE_PREFIX}{ordinal:0{_ORDINAL_DIGITS}d}")


def recharges_before(ref: AccountRef, ordinal: int | None) -> tuple[str, str]:
    """The first and last sort key that recharges older than the given one may have."""
    last = 10**_ORDINAL_DIGITS if ordinal is None else ordinal
    # Ordinals begin at 1, so there is no recharge 0.
    return recharge(ref, 0).sk, recharge(ref, max(0, last - 1)).sk


def funding_source(ref: AccountRef, source_id: str) -> Key:
    return Key(things(ref), SOURCE_PREFIX + _escape(source_id))


def refund(ref: AccountRef, gateway: str, payment_id: str, number: int) -> Key:
    return Key(things(ref), _join("REFUND", gateway, payment_id, f"{number:06d}"))


def refunds(gateway: str, payment_id: str) -> str:
    """What the sort keys of a payment's refunds begin with."""
    return _join("REFUND", gateway, payment_id) + "#"


def dispute(ref: AccountRef, gateway: str, dispute_id: str) -> Key:
    return Key(things(ref), _join("DISPUTE", gateway, dispute_id))


def number_owner(e164: str) -> Key:
    """Whose a phone number is: one account's in the whole deployment."""
    return Key(_join("NUMBER", e164), "OWNER")


def owned_number(pk: str) -> str:
    return _parts(pk, "NUMBER", 1)[0]


def thing(ref: AccountRef, kind: str, name: str) -> Key:
    """A thing by its kind and name."""
    return Key(things(ref), thing_prefix(kind) + _escape(name))


def thing_prefix(kind: str) -> str:
    """What the sort keys of one kind of things begin with."""
    return f"{kind}#"


def things_until(kind: str, prefix: str, name: str) -> tuple[str, str]:
    """The first and last sort key of things of that kind, up to and with a name."""
    return thing_prefix(kind) + _escape(prefix), thing_prefix(kind) + _escape(name)


def payment(tenant_id: str, gateway: str, payment_id: str) -> Key:
    return Key(_join("PAY", tenant_id, gateway, payment_id), "PAYMENT")


def payment_pointer(gateway: str, payment_id: str) -> Key:
    """Whose payment it is: a gateway's webhook names no tenant."""
    return Key(_join("PAY", gateway, payment_id), "POINTER")


PERIOD_PREFIX = "PERIOD#"


def papers(ref: AccountRef, year: int) -> str:
    """The partition of one calendar year's (UTC) documents and audit records."""
    return _join("PAPERS", ref.tenant_id, ref.account_id, f"{year:04d}")


def closed_period(ref: AccountRef, period: Period) -> Key:
    """A period belongs to the year in which it turned."""
    end_at = period.end_at.astimezone(UTC)
    return Key(papers(ref, end_at.year), PERIOD_PREFIX + instant(end_at))


def audit(ref: AccountRef, at: datetime, operation_id: str) -> Key:
    sk = f"AUDIT#{instant(at)}#{operation_hash(ref, operation_id)}"
    return Key(papers(ref, at.astimezone(UTC).year), sk)


def audit_between(begin_at: datetime, end_at: datetime) -> tuple[str, str]:
    """The first and last sort key that records of ``[begin_at, end_at)`` may have: an instant alone
    sorts before every record of that instant."""
    return f"AUDIT#{instant(begin_at)}", f"AUDIT#{instant(end_at)}"


def tenant(tenant_id: str) -> Key:
    return Key(tenant_partition(tenant_id), "PROFILE")


def tenant_partition(tenant_id: str) -> str:
    return _join("TENANT", tenant_id)


LISTING_PREFIX = "ACCT#"


def account_listing(ref: AccountRef) -> Key:
    return Key(tenant_partition(ref.tenant_id), LISTING_PREFIX + _escape(ref.account_id))


def listings_after(account_id: str | None) -> tuple[str, str]:
    """The first and last sort key that listings after the given account may have.

    A blank sorts before every character of an id, and ``$`` comes next after ``#``.
    """
    after = LISTING_PREFIX if account_id is None else f"{LISTING_PREFIX}{_escape(account_id)} "
    return after, "ACCT$"


MEMBER_PREFIX = "MEMBER#"


def member(tenant_id: str, member_id: str) -> Key:
    return Key(tenant_partition(tenant_id), MEMBER_PREFIX + _escape(member_id))


def members_after(member_id: str | None) -> tuple[str, str]:
    """The first and last sort key that members after the given one may have."""
    after = MEMBER_PREFIX if member_id is None else f"{MEMBER_PREFIX}{_escape(member_id)} "
    return after, "MEMBER$"


def member_counts(tenant_id: str) -> Key:
    return Key(tenant_partition(tenant_id), "MEMBERS")


def member_claim(tenant_id: str, kind: ClaimKind, value: str) -> Key:
    """What one member of the tenant alone has. Hashed: a key is no place for an address."""
    hashed = hashlib.sha256(value.encode()).hexdigest()
    return Key(tenant_partition(tenant_id), f"{kind.upper()}#{hashed}")


def directory(tenant_id: str) -> Key:
    """The line that lists a tenant. Ids sort in it as they are."""
    return Key(directory_shard(shard(tenant_id)), _escape(tenant_id))


def directory_shard(number: int) -> str:
    return f"DIRECTORY#{number}"


def directory_tenant(sk: str) -> str:
    return _unescape(sk)


def catalog() -> Key:
    return Key(CATALOG, "CURRENT")


def catalog_version(version: int) -> Key:
    """One version of the catalogue; the current one's number stands in ``catalog()``."""
    assert 0 < version <= MAX_CATALOG_VERSION, version
    return Key(CATALOG, f"V#{version:0{_CATALOG_VERSION_DIGITS}d}")


CATALOG = "CATALOG"
"""The operator's own partition: the catalogue, and the lists of decks and connections."""

DECK_PREFIX = "DECK#"
CONNECTION_PREFIX = "CONN#"


def deck_listing(deck_id: str) -> Key:
    """The line that lists a deck."""
    return Key(CATALOG, DECK_PREFIX + _escape(deck_id))


def deck_listed(sk: str) -> str:
    (deck_id,) = _parts(sk, "DECK", 1)
    return deck_id


def deck(deck_id: str) -> str:
    """The partition of one deck's versions."""
    return _join("DECK", deck_id)


def deck_version(deck_id: str, version: int) -> Key:
    assert 0 <= version < 10**_DECK_VERSION_DIGITS, version
    return Key(deck(deck_id), f"{version:0{_DECK_VERSION_DIGITS}d}")


def connection(connection_id: str) -> Key:
    return Key(_join("CONN", connection_id), "CONNECTION")


def connection_listing(connection_id: str) -> Key:
    """The line that lists a connection, without its secrets."""
    return Key(CATALOG, CONNECTION_PREFIX + _escape(connection_id))


def connection_listed(sk: str) -> str:
    (connection_id,) = _parts(sk, "CONN", 1)
    return connection_id


def quarantine(parked_id: str) -> Key:
    """Parked ids are digests in hexadecimal: spread over the shards by their first digit, so that
    reading one shard after the other reads them in order."""
    return Key(quarantine_shard(quarantine_number(parked_id)), parked_id)


def quarantine_shard(number: int) -> str:
    return f"QUARANTINE#{number}"


def is_quarantine(pk: str) -> bool:
    return pk.startswith("QUARANTINE#")


def quarantine_number(parked_id: str) -> int:
    return int(parked_id[0], 16) * SHARDS // 16


WEBHOOK_DELIVERY_PREFIX = "DELIVERY#"


def webhook_endpoints(ref: AccountRef) -> Key:
    return Key(webhooks(ref), "ENDPOINTS")


def webhooks(ref: AccountRef) -> str:
    """The partition of an account's webhook endpoints, and of what is delivered to them."""
    return _join("HOOKS", ref.tenant_id, ref.account_id)


def webhook_delivery(ref: AccountRef, delivery_id: str) -> Key:
    return Key(webhooks(ref), WEBHOOK_DELIVERY_PREFIX + _escape(delivery_id))


def delivered(key: Key) -> tuple[AccountRef, str]:
    """Whose delivery it is, and its id."""
    (delivery_id,) = _parts(key.sk, "DELIVERY", 1)
    return AccountRef(*_parts(key.pk, "HOOKS", 2)), delivery_id


def delivery_due_pk(delivery_id: str) -> str:
    """Where a delivery stands in the index of what is due."""
    return delivery_due_shard(shard(delivery_id))


def delivery_due_shard(number: int) -> str:
    """Told apart from every kind of timer, as parts of calls are."""
    return f"delivery#{number}"


def shard(name: str) -> int:
    """The same on every worker, today and after an upgrade; Python's own ``hash`` is neither."""
    return hashlib.sha256(name.encode()).digest()[0] % SHARDS


def instant(at: datetime) -> str:
    """UTC in a fixed width, so that text sorts as time does."""
    assert at.tzinfo is not None, at
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def _join(*parts: str) -> str:
    return "#".join(map(_escape, parts))


def _parts(key: str, kind: str, count: int) -> list[str]:
    found, *parts = key.split("#")
    assert found == kind, key
    assert len(parts) == count, key
    return [_unescape(part) for part in parts]


def _escape(part: str) -> str:
    return part.replace("%", "%25").replace("#", "%23")


def _unescape(part: str) -> str:
    return part.replace("%23", "#").replace("%25", "%")
