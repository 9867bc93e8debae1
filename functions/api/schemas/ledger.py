"""The ledger, and the proof that it is whole."""

from typing import Literal

from api.schemas.base import Instant, MeteredOut, MoneyOut, PageQuery, Schema
from billing.domain.ledger import LedgerEntry
from billing.services.prove_ledger import Proven


class LedgerQuery(PageQuery):
    order: Literal["oldest", "newest"] = "oldest"


class EntryUsage(Schema):
    """What the calls of one posting came to."""

    calls: int
    voice_seconds: int
    granted_voice_seconds: int
    messages: int
    granted_messages: int
    metered: list[MeteredOut] | None = None


class EntryOut(Schema):
    """One immutable posting: the amount goes from one ledger account to another."""

    sequence: int
    posted_at: Instant
    kind: str
    cause: str
    debit: str
    credit: str
    amount: MoneyOut
    balance: MoneyOut
    usage: EntryUsage | None
    previous_hash: str
    hash: str

    @staticmethod
    def of(entry: LedgerEntry) -> "EntryOut":
        usage = entry.usage
        return EntryOut(
            sequence=entry.sequence,
            posted_at=entry.posted_at,
            kind=entry.kind.value,
            cause=entry.cause,
            debit=entry.debit,
            credit=entry.credit,
            amount=MoneyOut.of(entry.amount_micros, entry.currency),
            balance=MoneyOut.of(entry.balance_micros, entry.currency),
            usage=EntryUsage(
                calls=len(usage.calls),
                voice_seconds=usage.voice_seconds,
                granted_voice_seconds=usage.granted_voice_seconds,
                messages=usage.messages,
                granted_messages=usage.granted_messages,
                **MeteredOut.given(usage.metered),
            )
            if usage.calls
            else None,
            previous_hash=entry.previous_hash,
            hash=entry.hash,
        )


class ProofOut(Schema):
    """Gapless, chained, in order of time, and summing to the balance: or what is wrong."""

    is_sound: bool
    entries: int
    sum: MoneyOut
    balance: MoneyOut
    head_hash: str
    problems: list[str]

    @staticmethod
    def of(proven: Proven) -> "ProofOut":
        account, proof = proven.account, proven.proof
        return ProofOut(
            is_sound=proof.is_sound,
            entries=proof.entries,
            sum=MoneyOut.of(proof.balance_micros, account.currency),
            balance=MoneyOut.of(account.wallet_micros, account.currency),
            head_hash=account.head.hash,
            problems=list(proof.problems),
        )
