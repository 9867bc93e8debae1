"""The sandbox gateway's book of truth in a table of its own, apart from ours."""

import json
from collections.abc import Callable, Mapping
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
from billing.adapters.gateways.sandbox_records import Document
from billing.domain.canonical import canonical_json
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
    """One document."""

    pk = UnicodeAttribute(hash_key=True)
    document = UnicodeAttribute()


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
    """The sandbox's documents, each written once under a condition."""

    def __init__(self, table_name: str) -> None:
        self._items = sandbox_items(table_name)

    @unknown_when_unreachable
    def get(self, name: str) -> Document | None:
        try:
            return _document(self._items.get(name, consistent_read=True))
        except self._items.DoesNotExist:
            return None

    @unknown_when_unreachable
    def put_if_absent(self, name: str, document: Document) -> Document | None:
        item = self._items(name, document=canonical_json(document))
        try:
            item.save(condition=SandboxItem.pk.does_not_exist())
        except PutError as error:
            if error_code(error) != CONDITION_FAILED_CODE:
                raise
            return _document(self._items.get(name, consistent_read=True))
        return None

    @unknown_when_unreachable
    def documents(self) -> Mapping[str, Document]:
        return {item.pk: _document(item) for item in self._items.scan(consistent_read=True)}


def _document(item: SandboxItem) -> Document:
    document: Document = json.loads(item.document)
    return document
