"""What the sandbox gateway writes down: names, and the documents kept under them.

Every document is written once and never changed. What is decided later is a document of its own,
so that of any number of calls at once one decides and the others read what it decided.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from billing.domain.canonical import Json
from billing.domain.declines import DeclineGroup

Document: TypeAlias = Mapping[str, Json]


class SandboxBook(Protocol):
    """Where the sandbox keeps its documents."""

    def get(self, name: str) -> Document | None:
        """The document of that name, read consistently."""
        ...

    def put_if_absent(self, name: str, document: Document) -> Document | None:
        """Keep a document unless its name is taken; the one that took it, or None."""
        ...

    def documents(self) -> Mapping[str, Document]:
        """Everything kept, by name."""
        ...


class Standing(StrEnum):
    """How a payment stands; the first two and the last are for good."""

    CAPTURED = "captured"
    DECLINED = "declined"
    PROCESSING = "processing"
    WAITING = "waiting"  # For its customer.
    CLOSED = "closed"  # Looked up before anything was charged: nothing will be any more.


@dataclass(frozen=True, slots=True)
class SandboxCharge:
    """What the sandbox was asked to collect, and of the captured ones has.

    Args:
        source_token: None: a payment that its customer approves.
        metadata: What the request said about itself, such as tenant and account.
        refunded_minor: What of it was given back.
    """

    payment_id: str
    idempotency_key: str
    amount_minor: int
    currency: str
    source_token: str | None
    metadata: Mapping[str, str]
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the sandbox decided about a payment, at first or in the end.

    Args:
        charge: None: the key was closed before any charge came.
        at: When it was decided; aware UTC.
        code: Why it is declined; while it is processing: why it will be, empty: it will not.
        due_at: When a payment under way is known, or one that waits expires; None: it is for good.
    """

    standing: Standing
    at: datetime
    charge: SandboxCharge | None = None
    code: str = ""
    group: DeclineGroup = DeclineGroup.RETRY_LATER
    due_at: datetime | None = None

    def to_document(self) -> Document:
        return {
            "standing": self.standing,
            "at": self.at.isoformat(),
            "charge": None if self.charge is None else _charge_document(self.charge),
            "code": self.code,
            "group": self.group,
            "due_at": None if self.due_at is None else self.due_at.isoformat(),
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Decision":
        return Decision(
            standing=Standing(document["standing"]),
            at=datetime.fromisoformat(document["at"]),
            charge=_charge(document["charge"]) if document["charge"] else None,
            code=document["code"],
            group=DeclineGroup(document["group"]),
            due_at=datetime.fromisoformat(document["due_at"]) if document["due_at"] else None,
        )


def _charge_document(charge: SandboxCharge) -> Document:
    return {
        "payment": charge.payment_id,
        "key": charge.idempotency_key,
        "amount_minor": charge.amount_minor,
        "currency": charge.currency,
        "source": charge.source_token,
        "metadata": dict(charge.metadata),
    }


def _charge(document: Mapping[str, Any]) -> SandboxCharge:
    return SandboxCharge(
        payment_id=document["payment"],
        idempotency_key=document["key"],
        amount_minor=document["amount_minor"],
        currency=document["currency"],
        source_token=document["source"],
        metadata=document["metadata"],
    )


class RefundStanding(StrEnum):
    """What one line of a payment's refunds says."""

    REFUNDED = "refunded"
    REFUSED = "refused"
    CLOSED = "closed"  # Looked up before it was refunded: it will not be any more.
    FAILED = "failed"  # Given back, and sent back by the customer's bank.


@dataclass(frozen=True, slots=True)
class RefundLine:
    """One line of a payment's refunds, which are numbered without a gap.

    Args:
        refund_id: Of the refund; for a failure, of the one that failed.
        idempotency_key: What it was asked under; empty: not through us.
        total_minor: Everything given back of the payment, this line included.
        code: Why it was refused.
    """

    standing: RefundStanding
    refund_id: str
    idempotency_key: str
    amount_minor: int
    total_minor: int
    at: datetime
    metadata: Mapping[str, str]
    code: str = ""

    def to_document(self) -> Document:
        return {
            "standing": self.standing,
            "refund": self.refund_id,
            "key": self.idempotency_key,
            "amount_minor": self.amount_minor,
            "total_minor": self.total_minor,
            "at": self.at.isoformat(),
            "metadata": dict(self.metadata),
            "code": self.code,
        }

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "RefundLine":
        return RefundLine(
            standing=RefundStanding(document["standing"]),
            refund_id=document["refund"],
            idempotency_key=document["key"],
            amount_minor=document["amount_minor"],
            total_minor=document["total_minor"],
            at=datetime.fromisoformat(document["at"]),
            metadata=document["metadata"],
            code=document["code"],
        )


REQUEST, OUTCOME, END = "REQUEST", "OUTCOME", "END"
"""Of a payment: what its key is bound to, what was decided at first, and in the end."""

REFUND_REQUEST, REFUND = "REFUND_REQUEST", "REFUND"
DISPUTE, DISPUTE_END = "DISPUTE", "DISPUTE_END"
SETUP, SETUP_END = "SETUP", "SETUP_END"
GONE = "GONE"
"""A saved source that was forgotten or revoked."""


def named(kind: str, *ids: str | int) -> str:
    return "#".join((kind, *map(str, ids)))


def kind_of(name: str) -> str:
    return name.partition("#")[0]


def subject_of(name: str) -> str:
    """The payment, setup or source that a document is about."""
    return name.split("#")[1]


def derived_id(prefix: str, cause: str) -> str:
    """An id that its cause alone determines: the same request again is the same thing."""
    return f"{prefix}_{hashlib.sha256(cause.encode()).hexdigest()[:24]}"


def payment_id_of(idempotency_key: str) -> str:
    return derived_id("sbx", idempotency_key)
