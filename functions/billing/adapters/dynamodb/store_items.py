"""The items of the operator's stores: one document under one key, and how several are written."""

from collections.abc import Sequence

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.items import Item
from billing.adapters.dynamodb.keys import Key
from billing.adapters.dynamodb.table import CONTENTION_CODES, Table, error_code
from billing.domain.errors import BookContendedError, ConflictError


class StoreItem(Item):
    """A document of the operator's. A line that only lists something has none."""

    version = NumberAttribute(null=True)
    document = UnicodeAttribute(null=True)
    secrets = BinaryAttribute(null=True, legacy_encoding=False)


def read(table: Table, key: Key) -> StoreItem | None:
    """One item, strongly consistent."""
    raw = table.get(key)
    return None if raw is None else items.read(StoreItem, raw)


def query(
    table: Table, pk: str, condition: Condition | None = None, limit: int | None = None
) -> list[StoreItem]:
    """Items of one partition in order, strongly consistent."""
    found = table.query(pk, condition, consistent=True, limit=limit)
    return [items.read(StoreItem, raw) for raw in found]


def is_new() -> Condition:
    """Nothing stands under this key yet."""
    return Item.pk.does_not_exist()


def is_at_version(seen_version: int) -> Condition:
    """What stands there is what was seen; version 0 is nothing."""
    return StoreItem.version == seen_version if seen_version else is_new()


def write_together(
    table: Table,
    puts: Sequence[tuple[Item, Condition | None]],
    deletes: Sequence[Key] = (),
    *,
    conflict: str = "it was changed since it was read; read it again",
) -> None:
    """Write all or nothing.

    Args:
        conflict: What to say where a condition does not hold.

    Outcomes, in order of precedence:
        ConflictError: A condition does not hold. Nothing was written.
        BookContendedError: Another writer was at the same items at once. Nothing was written.
        written: All of it.
    """
    try:
        table.transact(deletes, puts)
    except TransactWriteError as error:
        codes = {reason.code for reason in error.cancellation_reasons if reason}
        if "ConditionalCheckFailed" in codes:
            raise ConflictError(conflict) from error
        if {error_code(error), *codes} & CONTENTION_CODES:
            raise BookContendedError("the table is busy; try again shortly") from error
        raise
