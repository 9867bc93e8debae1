"""A DynamoDB in memory, as far as our adapters use it: held to the contract suite like every other
place a book is kept in. Unlike the emulators it honours a client request token, as the service
does, and refuses whatever it does not know."""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from wire.expressions import Item, Test, UnsupportedError, Value, condition, update

Asked = Mapping[str, Any]
Answer = dict[str, Any]

MAX_TRANSACTION = 100
MAX_BATCH_GET = 100
MAX_ITEM_BYTES = 400 * 1024
MAX_PAGE_BYTES = 1024 * 1024
MAX_DIGITS = 38

IGNORED = frozenset({"ReturnConsumedCapacity", "ReturnItemCollectionMetrics"})
EXPRESSION = frozenset({"ExpressionAttributeNames", "ExpressionAttributeValues"})
WRITE = EXPRESSION | {"TableName", "ConditionExpression", "ReturnValuesOnConditionCheckFailure"}
KNOWN = {
    "GetItem": frozenset({"TableName", "Key", "ConsistentRead"}),
    "BatchGetItem": frozenset({"RequestItems"}),
    "Query": EXPRESSION
    | {
        "TableName",
        "IndexName",
        "KeyConditionExpression",
        "ConsistentRead",
        "ScanIndexForward",
        "Limit",
        "ExclusiveStartKey",
    },
    "Scan": frozenset({"TableName", "ConsistentRead", "ExclusiveStartKey"}),
    "PutItem": WRITE | {"Item", "ReturnValues"},
    "DeleteItem": WRITE | {"Key", "ReturnValues"},
    "UpdateItem": WRITE | {"Key", "UpdateExpression", "ReturnValues"},
    "TransactWriteItems": frozenset({"TransactItems", "ClientRequestToken"}),
    "CreateTable": frozenset(
        {
            "TableName",
            "BillingMode",
            "AttributeDefinitions",
            "KeySchema",
            "GlobalSecondaryIndexes",
        }
    ),
}

OF_TRANSACTION = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
}


class ServiceError(Exception):
    """What the service answers instead."""

    def __init__(self, code: str, message: str = "", **more: Any) -> None:
        super().__init__(code)
        self.body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
        self.body |= more


@dataclass
class Stored:
    """One table: its keys, and its items by them."""

    keys: tuple[str, ...]
    indexes: dict[str, tuple[str, ...]]
    items: dict[tuple[str, ...], Item] = field(default_factory=dict)

    def key_of(self, item: Item) -> tuple[str, ...]:
        try:
            return tuple(item[name]["S"] for name in self.keys)
        except KeyError:
            raise ServiceError("ValidationException", "a key is missing or no text") from None

    def copy(self) -> "Stored":
        return Stored(self.keys, self.indexes, dict(self.items))


@dataclass(frozen=True)
class Write:
    """One item's write, checked already: what becomes of it where its condition holds."""

    table: Stored
    key: tuple[str, ...]
    becomes: Callable[[Item], Item | None]
    test: Test | None
    is_old_wanted: bool

    @property
    def old(self) -> Item | None:
        return self.table.items.get(self.key)

    @property
    def holds(self) -> bool:
        return self.test is None or self.test(self.old or {})

    def apply(self) -> None:
        after = self.becomes(self.old or {})
        if after is None:
            self.table.items.pop(self.key, None)
        else:
            self.table.items[self.key] = after


class InMemoryDynamoDB:
    """Answers one request after another. Items are never changed in place: snapshots are cheap."""

    WRITES: ClassVar[frozenset[str]] = frozenset(
        {"PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems"}
    )

    def __init__(self) -> None:
        self.tables: dict[str, Stored] = {}
        self._tokens: dict[str, Asked] = {}

    def snapshot(self) -> Any:
        return {name: table.copy() for name, table in self.tables.items()}, dict(self._tokens)

    def restore(self, snapshot: Any) -> None:
        tables, tokens = snapshot
        self.tables = {name: table.copy() for name, table in tables.items()}
        self._tokens = dict(tokens)

    def answer(self, operation: str, asked: Asked) -> Answer:
        """
        Raises:
            ServiceError: What the service would refuse.
            UnsupportedError: An operation or a parameter that is not known here.
        """
        _refuse_unknown(operation, asked)
        match operation:
            case "GetItem":
                return self._get(asked)
            case "BatchGetItem":
                return self._get_many(asked)
            case "Query":
                return self._query(asked)
            case "Scan":
                table = self._table(asked)
                return _page(table.items.values(), table.keys, asked)
            case "TransactWriteItems":
                return self._transact(asked)
            case "CreateTable":
                return self._create(asked)
        return self._write(operation, asked)

    def _table(self, asked: Asked) -> Stored:
        found = self.tables.get(asked["TableName"])
        if found is None:
            raise ServiceError("ResourceNotFoundException", "there is no such table")
        return found

    def _create(self, asked: Asked) -> Answer:
        indexes = {
            index["IndexName"]: _names(index["KeySchema"])
            for index in asked.get("GlobalSecondaryIndexes", ())
        }
        self.tables[asked["TableName"]] = Stored(_names(asked["KeySchema"]), indexes)
        return {"TableDescription": {"TableName": asked["TableName"], "TableStatus": "ACTIVE"}}

    def _get(self, asked: Asked) -> Answer:
        table = self._table(asked)
        found = table.items.get(table.key_of(asked["Key"]))
        return {} if found is None else {"Item": found}

    def _get_many(self, asked: Asked) -> Answer:
        answers: dict[str, list[Item]] = {}
        for name, wanted in asked["RequestItems"].items():
            table = self._table({"TableName": name})
            keys = [table.key_of(key) for key in wanted["Keys"]]
            if len(set(keys)) != len(keys) or not 0 < len(keys) <= MAX_BATCH_GET:
                raise ServiceError("ValidationException", "too many keys, or one twice")
            if set(wanted) - {"Keys", "ConsistentRead"}:
                raise UnsupportedError(f"BatchGetItem with {sorted(wanted)}")
            answers[name] = [table.items[key] for key in keys if key in table.items]
        return {"Responses": answers, "UnprocessedKeys": {}}

    def _query(self, asked: Asked) -> Answer:
        table = self._table(asked)
        names = table.keys
        if index := asked.get("IndexName"):
            names = table.indexes[index]
            if asked.get("ConsistentRead"):
                raise ServiceError("ValidationException", "an index is not read consistently")
        test = condition(asked, "KeyConditionExpression")
        assert test is not None
        found = [item for item in table.items.values() if names[0] in item and test(item)]
        order = [*names[1:], *table.keys]
        found.sort(
            key=lambda item: [item[name]["S"] for name in order if name in item],
            reverse=not asked.get("ScanIndexForward", True),
        )
        answer = _page(found, tuple(dict.fromkeys((*names, *table.keys))), asked)
        if index:
            shown = {*names, *table.keys}
            answer["Items"] = [
                {name: value for name, value in item.items() if name in shown}
                for item in answer["Items"]
            ]
        return answer

    def _write(self, operation: str, asked: Asked) -> Answer:
        write = self._checked(operation, asked)
        if asked.get("ReturnValues", "NONE") != "NONE":
            raise UnsupportedError(f"ReturnValues {asked['ReturnValues']}")
        if not write.holds:
            more = {"Item": write.old} if write.is_old_wanted and write.old else {}
            raise ServiceError(
                "ConditionalCheckFailedException", "The conditional request failed", **more
            )
        write.apply()
        return {}

    def _transact(self, asked: Asked) -> Answer:
        token = asked["ClientRequestToken"]
        if token in self._tokens:
            if self._tokens[token] != asked:
                raise ServiceError("IdempotentParameterMismatchException")
            return {}
        writes = []
        for line in asked["TransactItems"]:
            ((kind, wanted),) = line.items()
            if kind not in OF_TRANSACTION:
                raise UnsupportedError(f"{kind} in a transaction")
            _refuse_unknown(OF_TRANSACTION[kind], wanted)
            writes.append(self._checked(OF_TRANSACTION[kind], wanted))
        places = {(id(write.table), write.key) for write in writes}
        if len(places) != len(writes) or not 0 < len(writes) <= MAX_TRANSACTION:
            raise ServiceError("ValidationException", "too many items, or one twice")
        if not all(write.holds for write in writes):
            raise ServiceError(
                "TransactionCanceledException",
                "Transaction cancelled",
                CancellationReasons=[_reason(write) for write in writes],
            )
        for write in writes:
            write.apply()
        self._tokens[token] = asked
        return {}

    def _checked(self, operation: str, asked: Asked) -> Write:
        table = self._table(asked)
        is_old_wanted = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        test = condition(asked)
        if operation == "PutItem":
            item: Item = asked["Item"]
            _check_item(item)
            return Write(table, table.key_of(item), lambda _: item, test, is_old_wanted)
        key = asked["Key"]
        if operation == "DeleteItem":
            return Write(table, table.key_of(key), lambda _: None, test, is_old_wanted)
        wanted = update(asked)

        def updated(old: Item) -> Item:
            after = wanted.of({**old, **key})
            _check_item(after)
            return after

        return Write(table, table.key_of(key), updated, test, is_old_wanted)


def _reason(write: Write) -> dict[str, Any]:
    if write.holds:
        return {"Code": "None"}
    reason = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    return {**reason, "Item": write.old} if write.is_old_wanted and write.old else reason


def _refuse_unknown(operation: str, asked: Asked) -> None:
    if operation not in KNOWN:
        raise UnsupportedError(f"operation {operation}")
    if unknown := set(asked) - KNOWN[operation] - IGNORED:
        raise UnsupportedError(f"{operation} with {sorted(unknown)}")


def _names(schema: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(key["AttributeName"] for key in schema)


def _page(items: Iterable[Item], keys: tuple[str, ...], asked: Asked) -> Answer:
    """As many as are wanted or fit, from where the last page ended."""
    found = list(items)
    if start := asked.get("ExclusiveStartKey"):
        places = [place for place, item in enumerate(found) if _key(item, keys) == start]
        if not places:
            raise UnsupportedError("a page that begins after an item that is gone")
        found = found[places[0] + 1 :]
    sizes = itertools.accumulate(map(_size, found)) if len(found) > 1 else (0,)
    fitting = sum(1 for size in sizes if size <= MAX_PAGE_BYTES)
    taken = found[: min(asked.get("Limit", len(found)), max(fitting, 1))]
    answer: Answer = {"Items": taken, "Count": len(taken), "ScannedCount": len(taken)}
    # As the service does: a page that was full to the limit is followed, if only by an empty one.
    if taken and (len(taken) < len(found) or len(taken) == asked.get("Limit")):
        answer["LastEvaluatedKey"] = _key(taken[-1], keys)
    return answer


def _key(item: Item, keys: tuple[str, ...]) -> Item:
    return {name: item[name] for name in keys}


def _size(item: Item) -> int:
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(value: Value) -> int:
    ((_, held),) = value.items()
    return len(held.encode()) if isinstance(held, str) else len(json.dumps(held))


def _check_item(item: Item) -> None:
    for name, value in item.items():
        ((kind, held),) = value.items()
        if kind not in ("S", "N", "B", "BOOL", "NULL"):
            raise UnsupportedError(f"{name} of type {kind}")
        if kind == "N":
            number = Decimal(held)
            if len(number.normalize().as_tuple().digits) > MAX_DIGITS:
                raise ServiceError("ValidationException", "a number has at most 38 digits")
    if _size(item) > MAX_ITEM_BYTES:
        raise ServiceError("ValidationException", "Item size has exceeded the maximum allowed size")
