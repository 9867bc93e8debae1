"""Members in the table: in their tenant's partition, beside what they alone may have."""

from collections.abc import Iterator

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from billing.adapters.dynamodb import codec, items, keys
from billing.adapters.dynamodb.items import Item, RecordItem
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.table import Table
from billing.domain.canonical import canonical_json
from billing.domain.errors import NotFoundError
from billing.domain.members import (
    Claim,
    ClaimKind,
    Member,
    MemberCounts,
    Membership,
    MemberState,
)

PAGE = 100
"""Members fetched at once where those of one state are looked for among all."""


class CountsItem(RecordItem):
    """A tenant's counts; every change of a member is written under their version."""

    version = NumberAttribute()


class ClaimItem(Item):
    """Which member has an address, or a subject. Put only where nobody has it."""

    kind = UnicodeAttribute()
    member_id = UnicodeAttribute()


class DynamoDBMembers:
    """Implements ``Members``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def member(self, tenant_id: str, member_id: str) -> Member:
        raw = self._table.get(keys.member(tenant_id, member_id))
        if raw is None:
            raise NotFoundError("there is no such member")
        return items.record_of(Member, raw)

    def of_subject(self, tenant_id: str, subject: str) -> Member:
        claim = Claim(ClaimKind.SUBJECT, subject)
        raw = self._table.get(_claim_key(tenant_id, claim))
        if raw is None:
            raise NotFoundError("there is no such member")
        return self.member(tenant_id, items.read(ClaimItem, raw).member_id)

    def listed(
        self, tenant_id: str, after: str | None, state: MemberState | None, limit: int
    ) -> list[Member]:
        found: list[Member] = []
        for raw in self._table.query(
            keys.tenant_partition(tenant_id),
            RecordItem.sk.between(*keys.members_after(after)),
            consistent=True,
            page=PAGE,
        ):
            member = items.record_of(Member, raw)
            if state in (None, member.state):
                found.append(member)
            if len(found) == limit:
                break
        return found

    def counts(self, tenant_id: str) -> MemberCounts:
        raw = self._table.get(keys.member_counts(tenant_id))
        return MemberCounts(tenant_id) if raw is None else items.record_of(MemberCounts, raw)


def member_item(membership: Membership) -> RecordItem:
    member = membership.after
    key = keys.member(member.tenant_id, member.member_id)
    return RecordItem(*key, body=canonical_json(codec.to_json(member)))


def counts_item(membership: Membership) -> CountsItem:
    counts = membership.counts_after
    return CountsItem(
        *keys.member_counts(counts.tenant_id),
        body=canonical_json(codec.to_json(counts)),
        version=counts.version,
    )


def claim_items(membership: Membership) -> Iterator[ClaimItem]:
    member = membership.after
    for claim in membership.claimed:
        yield ClaimItem(
            *_claim_key(member.tenant_id, claim),
            kind=claim.kind.value,
            member_id=member.member_id,
        )


def freed_keys(membership: Membership) -> list[Key]:
    return [_claim_key(membership.after.tenant_id, claim) for claim in membership.freed]


def _claim_key(tenant_id: str, claim: Claim) -> Key:
    return keys.member_claim(tenant_id, claim.kind, claim.value)
