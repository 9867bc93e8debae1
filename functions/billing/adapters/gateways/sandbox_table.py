"""The sandbox gateway's book of truth in a table of its own, apart from ours."""

import json
from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PutError, PynamoDBException
from pynamodb.models import Model

from billing.adapters.dynamodb.table import (
    CONDITION_FAILED_CODE,
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    RETRIES,
    error_code,
)
from billing.adapters.gateways.sandbox import Outcome, SandboxCharge, SandboxRecord
from billing.domain.canonical import Json, canonical_json
from billing.domain.errors import PaymentUnknownError

# A worker asks within its own time-out, and would rather not know than not finish.
_PATIENCE = {
    "connect_timeout_seconds": CONNECT_TIMEOUT_SECONDS,
    "read_timeout_seconds": READ_TIMEOUT_SECONDS,
    "max_retry_attempts": RETRIES,
}

P = ParamSpec("P")
T = TypeVar("T")


class SandboxItem(Model):
    """One record."""

    pk = UnicodeAttribute(hash_key=True)
    request_hash = UnicodeAttribute()
    outcome = UnicodeAttribute(null=True)
    code = UnicodeAttribute()
    charge = UnicodeAttribute(null=True)


@cache
def sandbox_items(table_name: str) -> type[SandboxItem]:
    """The model bound to its table, made once with its client."""
    meta = type("Meta", (), {"table_name": table_name, **_PATIENCE})
    return type("BoundSandboxItem", (SandboxItem,), {"Meta": meta})


def unknown_when_unreachable(call: Callable[P, T]) -> Callable[P, T]:
    """To whoever asks the gateway, its table out of reach is a gateway that does not answer."""

    @wraps(call)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except PynamoDBException as error:
            raise PaymentUnknownError("the sandbox gateway did not answer") from error

    return asked


class TableSandboxBook:
    """The sandbox's records, each written once under a condition."""

    def __init__(self, table_name: str) -> None:
        self._items = sandbox_items(table_name)

    @unknown_when_unreachable
    def get(self, name: str) -> SandboxRecord | None:
        try:
            return _record(self._items.get(name, consistent_read=True))
        except self._items.DoesNotExist:
            return None

    @unknown_when_unreachable
    def put_if_absent(self, record: SandboxRecord) -> SandboxRecord | None:
        item = self._items(
            record.name,
            request_hash=record.request_hash,
            outcome=record.outcome,
            code=record.code,
            charge=_charge_document(record.charge),
        )
        try:
            item.save(condition=SandboxItem.pk.does_not_exist())
        except PutError as error:
            if error_code(error) != CONDITION_FAILED_CODE:
                raise
            return _record(self._items.get(record.name, consistent_read=True))
        return None

    @unknown_when_unreachable
    def charges(self) -> list[SandboxCharge]:
        records = map(_record, self._items.scan(consistent_read=True))
        found = (record.charge for record in records if record.charge)
        return sorted(found, key=lambda charge: charge.payment_id)


def _charge_document(charge: SandboxCharge | None) -> str | None:
    if charge is None:
        return None
    document: dict[str, Json] = {
        "payment": charge.payment_id,
        "key": charge.idempotency_key,
        "amount_minor": charge.amount_minor,
        "currency": charge.currency,
        "source": charge.source_token,
        "metadata": dict(charge.metadata),
    }
    return canonical_json(document)


def _record(item: SandboxItem) -> SandboxRecord:
    return SandboxRecord(
        name=item.pk,
        request_hash=item.request_hash,
        outcome=Outcome(item.outcome) if item.outcome else None,
        code=item.code,
        charge=_charge(item.charge) if item.charge else None,
    )


def _charge(text: str) -> SandboxCharge:
    document = json.loads(text)
    return SandboxCharge(
        payment_id=document["payment"],
        idempotency_key=document["key"],
        amount_minor=document["amount_minor"],
        currency=document["currency"],
        source_token=document["source"],
        metadata=document["metadata"],
    )
