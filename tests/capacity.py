"""Counts what DynamoDB would bill, from the requests themselves.

Neither moto nor the local cloud can be asked: the one counts wrongly, the other ignores the size of
what is read. The rules are those of the DynamoDB developer guide, "Read and write capacity" and
"Item sizes" (2026).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from aws_calls import Params, Proceed, intercepted

WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
TRANSACTION_FACTOR = 2
INDEX_KEY = "due_pk"

ItemId = tuple[str, str, str]


@dataclass
class Capacity:
    """Units since counting began.

    Args:
        largest: The largest item written, by the first part of its partition key.
        calls: How often each operation was called.
    """

    write_units: int = 0
    index_write_units: int = 0
    read_units: Fraction = Fraction(0)
    largest: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def all_write_units(self) -> int:
        return self.write_units + self.index_write_units


class Accountant:
    """Keeps the size of every item it has seen written: a write is billed by the larger image.

    It must see the items it bills from their beginning; keep one for as long as the table.
    """

    def __init__(self) -> None:
        self._items: dict[ItemId, Mapping[str, Any]] = {}
        self._counting: list[Capacity] = []

    @contextmanager
    def watching(self) -> Iterator["Accountant"]:
        """See every call made meanwhile."""
        with intercepted(self._intercept):
            yield self

    @contextmanager
    def counting(self) -> Iterator[Capacity]:
        """Count what is used meanwhile."""
        capacity = Capacity()
        self._counting.append(capacity)
        try:
            yield capacity
        finally:
            self._counting.remove(capacity)

    def _intercept(
        self, service: str, operation: str, params: Params, proceed: Proceed
    ) -> dict[str, Any]:
        if service != "dynamodb":
            return proceed()
        for capacity in self._counting:
            capacity.calls[operation] = capacity.calls.get(operation, 0) + 1
        writes = list(self._writes(operation, params))
        # A refused write is billed as well.
        for table, put, key in writes:
            self._bill_write(operation, table, put, key)
        answer = proceed()
        for table, put, key in writes:
            self._items[_item_id(table, put or key)] = put or {}
        self._bill_read(operation, params, answer)
        return answer

    def _bill_write(
        self, operation: str, table: str, put: Mapping[str, Any] | None, key: Mapping[str, Any]
    ) -> None:
        before = self._items.get(_item_id(table, put or key), {})
        after = put or {}
        factor = TRANSACTION_FACTOR if operation == "TransactWriteItems" else 1
        units = factor * _units(max(item_size(before), item_size(after)), WRITE_UNIT_BYTES)
        for capacity in self._counting:
            capacity.write_units += units
            capacity.index_write_units += _index_writes(before, after)
            if after:
                kind = str(after["pk"]["S"]).split("#", 1)[0]
                capacity.largest[kind] = max(capacity.largest.get(kind, 0), item_size(after))

    def _writes(
        self, operation: str, params: Params
    ) -> Iterator[tuple[str, Mapping[str, Any] | None, Mapping[str, Any]]]:
        if operation in ("PutItem", "DeleteItem"):
            yield params["TableName"], params.get("Item"), params.get("Key", {})
        elif operation == "TransactWriteItems":
            for request in params["TransactItems"]:
                ((kind, part),) = request.items()
                assert kind in ("Put", "Delete", "Update"), f"{kind} is not billed here yet"
                put = self._updated(part) if kind == "Update" else part.get("Item")
                yield part["TableName"], put, part.get("Key", {})
        elif operation in ("UpdateItem", "BatchWriteItem"):
            raise NotImplementedError(f"{operation} is not billed here yet")

    def _updated(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """The item after an update, which here only ever sets one attribute."""
        match = re.fullmatch(r"SET (#\w+) = (:\w+)", part["UpdateExpression"])
        assert match is not None, part["UpdateExpression"]
        name = part["ExpressionAttributeNames"][match[1]]
        before = self._items.get(_item_id(part["TableName"], part["Key"]), part["Key"])
        return {**before, name: part["ExpressionAttributeValues"][match[2]]}

    def _bill_read(self, operation: str, params: Params, answer: Mapping[str, Any]) -> None:
        units = Fraction(0)
        if operation == "GetItem":
            units = _read_units(item_size(answer.get("Item", {})), params)
        elif operation == "Query":
            units = _read_units(sum(map(item_size, answer["Items"])), params)
        elif operation == "BatchGetItem":
            for table, asked in params["RequestItems"].items():
                found = answer["Responses"].get(table, [])
                units += sum((_read_units(item_size(item), asked) for item in found), Fraction(0))
                # What is not there is billed as the smallest item.
                units += (len(asked["Keys"]) - len(found)) * _read_units(0, asked)
        for capacity in self._counting:
            capacity.read_units += units


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes an item is billed by."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(str(content).encode())
    if kind == "B":
        return len(bytes(content))
    if kind == "N":
        number = str(content)
        digits = number.lstrip("-").strip("0")
        return (len(digits) + 1) // 2 + 1 + number.startswith("-")
    raise NotImplementedError(f"items here hold text, bytes and numbers, not {kind}")


def _item_id(table: str, item: Mapping[str, Any]) -> ItemId:
    return table, item["pk"]["S"], item["sk"]["S"]


def _index_writes(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """Entries of the index taken out and put in; one that stays as it is costs nothing."""
    entries = [
        {name: item[name] for name in ("due_pk", "due_at")} if INDEX_KEY in item else None
        for item in (before, after)
    ]
    if entries[0] == entries[1]:
        return 0
    return sum(entry is not None for entry in entries)


def _read_units(size: int, params: Mapping[str, Any]) -> Fraction:
    price = Fraction(1) if params.get("ConsistentRead") else Fraction(1, 2)
    return price * _units(size, READ_UNIT_BYTES)


def _units(size: int, unit_bytes: int) -> int:
    return max(1, -(-size // unit_bytes))
