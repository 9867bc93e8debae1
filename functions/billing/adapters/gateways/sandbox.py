"""The sandbox gateway: charges test tokens, and keeps a book of truth of its own.

How it decides is written once, over anything that keeps a record under a name; the table and the
tests' dictionary are two such things. What it charged can be compared with what was credited.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from billing.domain.canonical import Json, digest
from billing.domain.errors import PaymentUnknownError, TalktimeError
from billing.ports import Captured, ChargeRequest, Declined

NAME = "sandbox"

SUCCEEDS = "tok_succeeds"
DECLINES = "tok_declines"
TIMES_OUT_AFTER_CHARGING = "tok_times_out_after_charging"
TIMES_OUT_WITHOUT_CHARGING = "tok_times_out_without_charging"
TOKENS = (SUCCEEDS, DECLINES, TIMES_OUT_AFTER_CHARGING, TIMES_OUT_WITHOUT_CHARGING)


class SandboxKeyReusedError(TalktimeError):
    """This idempotency key came before with other parameters. Nothing was charged."""

    code = "gateway_key_reused"


@dataclass(frozen=True, slots=True)
class SandboxCharge:
    """Money the sandbox has collected.

    Args:
        metadata: What the request said about itself, such as tenant and account.
    """

    payment_id: str
    idempotency_key: str
    amount_minor: int
    currency: str
    source_token: str
    metadata: Mapping[str, str]


class Outcome(StrEnum):
    CAPTURED = "captured"
    DECLINED = "declined"
    CLOSED = "closed"  # Looked up before anything was charged: nothing will be any more.


@dataclass(frozen=True, slots=True)
class SandboxRecord:
    """One line of the sandbox's book; never changed once written.

    Args:
        name: ``REQUEST#`` binds a key to its parameters, ``OUTCOME#`` holds what became of it.
        request_hash: Digest of the parameters; empty where no request was seen.
        outcome: None for a binding.
        code: Why it was declined.
        charge: What was collected.
    """

    name: str
    request_hash: str = ""
    outcome: Outcome | None = None
    code: str = ""
    charge: SandboxCharge | None = None


class SandboxBook(Protocol):
    """Where the sandbox keeps its records."""

    def get(self, name: str) -> SandboxRecord | None:
        """The record of that name, read consistently."""
        ...

    def put_if_absent(self, record: SandboxRecord) -> SandboxRecord | None:
        """Keep a record unless its name is taken; the one that took it, or None."""
        ...

    def charges(self) -> list[SandboxCharge]:
        """Everything collected, by payment id."""
        ...


class SandboxGateway:
    """A payment gateway whose source tokens say how it will behave.

    Each key is bound to its parameters first, and its outcome is written once: of any number of
    calls at once, one decides and the others answer the same.
    """

    name = NAME

    def __init__(self, book: SandboxBook) -> None:
        self._book = book

    def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Collect once per idempotency key, as the source token says.

        Raises:
            SandboxKeyReusedError: The key came before with other parameters.
            PaymentUnknownError: The token asks for it, or the sandbox's book did not answer.
        """
        request_hash = _request_hash(request)
        binding = SandboxRecord(_request_name(request.idempotency_key), request_hash)
        bound = self._book.put_if_absent(binding)
        if bound is not None and bound.request_hash != request_hash:
            raise SandboxKeyReusedError(
                f"idempotency key {request.idempotency_key} was used with other parameters"
            )
        is_first = bound is None
        if is_first and request.source_token == TIMES_OUT_WITHOUT_CHARGING:
            raise PaymentUnknownError("the sandbox gateway timed out")
        decided = _decide(request, request_hash)
        outcome = self._book.put_if_absent(decided) or decided
        if is_first and request.source_token == TIMES_OUT_AFTER_CHARGING:
            raise PaymentUnknownError("the sandbox gateway timed out")
        return _answer(outcome) or Declined("key_closed")

    def find(self, idempotency_key: str) -> Captured | Declined | None:
        """What became of a key. None closes it, so that a charge still on its way cannot follow.

        Raises:
            PaymentUnknownError: The sandbox's book did not answer.
        """
        name = _outcome_name(idempotency_key)
        closed = SandboxRecord(name, outcome=Outcome.CLOSED)
        outcome = self._book.get(name) or self._book.put_if_absent(closed) or closed
        return _answer(outcome)

    def captured(self) -> list[SandboxCharge]:
        """Everything it has collected, by payment id: the other side of every comparison."""
        return self._book.charges()


def _decide(request: ChargeRequest, request_hash: str) -> SandboxRecord:
    key = request.idempotency_key
    code = _decline_code(request)
    if code:
        return SandboxRecord(_outcome_name(key), request_hash, Outcome.DECLINED, code)
    charge = SandboxCharge(
        payment_id=f"sbx_{hashlib.sha256(key.encode()).hexdigest()[:24]}",
        idempotency_key=key,
        amount_minor=request.amount_minor,
        currency=request.currency,
        source_token=request.source_token,
        metadata=dict(request.metadata),
    )
    return SandboxRecord(_outcome_name(key), request_hash, Outcome.CAPTURED, charge=charge)


def _decline_code(request: ChargeRequest) -> str:
    if request.source_token not in TOKENS:
        return "invalid_source"
    if request.amount_minor <= 0:
        return "invalid_amount"
    return "insufficient_funds" if request.source_token == DECLINES else ""


def _answer(record: SandboxRecord) -> Captured | Declined | None:
    if record.charge is not None:
        return Captured(record.charge.payment_id)
    return Declined(record.code) if record.outcome is Outcome.DECLINED else None


def _request_hash(request: ChargeRequest) -> str:
    metadata: Json = dict(request.metadata)
    return digest([request.amount_minor, request.currency, request.source_token, metadata])


def _request_name(idempotency_key: str) -> str:
    return f"REQUEST#{idempotency_key}"


def _outcome_name(idempotency_key: str) -> str:
    return f"OUTCOME#{idempotency_key}"
