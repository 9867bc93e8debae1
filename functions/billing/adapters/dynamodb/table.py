"""One DynamoDB table: how it is spoken to, and what its errors mean."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.connection import TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.exceptions import PutError, PynamoDBException
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from billing.adapters.dynamodb.items import Item, Raw
from billing.adapters.dynamodb.keys import DUE_INDEX, Key
from billing.domain.errors import BookContendedError, ConflictError

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 8

RETRIES = 1
"""botocore's own, under the same client request token. One hides a connection that went stale while
the worker slept; whoever decides what is written owns every other repetition."""

BATCH_GET_KEYS = 100
"""Keys one BatchGetItem takes (service quota)."""

UNPROCESSED_ATTEMPTS = 8
"""Rounds of one batch before it counts as throttled: about two seconds in the mean."""

BACKOFF_BASE_SECONDS = 0.02
BACKOFF_CAP_SECONDS = 1.0

CONFLICT_CODES = frozenset({"TransactionConflict", "TransactionConflictException"})

CONTENTION_CODES = CONFLICT_CODES | {
    "InternalServerError",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionInProgressException",
}
"""What goes away by itself, as an error's code or as a cancelled transaction's reason."""

CONDITION_FAILED_CODE = "ConditionalCheckFailedException"

# Known beforehand, so that no worker has to ask for it.
_FORM = {
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "due_pk", "due_at")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": DUE_INDEX,
            "KeySchema": [
                {"AttributeName": "due_pk", "KeyType": "HASH"},
                {"AttributeName": "due_at", "KeyType": "RANGE"},
            ],
        }
    ],
}


class Table:
    """A table by its name. Region, credentials and endpoint are botocore's to find.

    The client is built on first use: constructing a Table asks nothing of the world.

    Args:
        name: The table's.
        sleep: Waits so many seconds.
    """

    def __init__(self, name: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.name = name
        self._sleep = sleep
        self._connection = TableConnection(
            name,
            connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
            read_timeout_seconds=READ_TIMEOUT_SECONDS,
            max_retry_attempts=RETRIES,
            meta_table=MetaTable({"TableName": name, **_FORM}),
        )

    def get(self, key: Key) -> Raw | None:
        """One item, read consistently."""
        with _contention():
            answer = self._connection.get_item(key.pk, key.sk, consistent_read=True)
        item: Raw | None = answer.get("Item")
        return item

    def get_many(self, keys: Iterable[Key]) -> list[Raw]:
        """Those of the items that exist, read consistently, in no particular order.

        Raises:
            BookContendedError: DynamoDB kept leaving some of them out.
        """
        wanted = list(dict.fromkeys(keys))
        found: list[Raw] = []
        for start in range(0, len(wanted), BATCH_GET_KEYS):
            found += self._get_batch(wanted[start : start + BATCH_GET_KEYS])
        return found

    def _get_batch(self, keys: Sequence[Key]) -> list[Raw]:
        # pynamodb's signature says text; what it takes, and DynamoDB leaves out, are maps.
        asked: Any = [{"pk": key.pk, "sk": key.sk} for key in keys]
        found: list[Raw] = []
        for attempt in range(UNPROCESSED_ATTEMPTS):
            with _contention():
                answer = self._connection.batch_get_item(asked, consistent_read=True)
            found += answer["Responses"].get(self.name, [])
            asked = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys")
            if not asked:
                return found
            bound = min(BACKOFF_CAP_SECONDS, BACKOFF_BASE_SECONDS * 2**attempt)
            self._sleep(random.uniform(0, bound))  # noqa: S311  # spreads load, guards nothing
        raise BookContendedError(f"{len(asked)} items could not be read; try again shortly")

    def query(
        self,
        pk: str,
        condition: Condition | None = None,
        *,
        index: str | None = None,
        consistent: bool = False,
        forward: bool = True,
        limit: int | None = None,
        page: int | None = None,
    ) -> Iterator[Raw]:
        """Items of one partition in order, fetched page by page as they are taken.

        Args:
            pk: The partition; of the index, if one is named.
            condition: On the sort key.
            consistent: An index cannot be read so.
            limit: The most items wanted.
            page: The most items fetched at once; None leaves it to DynamoDB.
        """
        start: Any = None
        left = limit
        while left is None or left > 0:
            fetch = min((n for n in (page, left) if n is not None), default=None)
            with _contention():
                answer = self._connection.query(
                    pk,
                    range_key_condition=condition,
                    consistent_read=consistent,
                    exclusive_start_key=start,
                    index_name=index,
                    limit=fetch,
                    scan_index_forward=forward,
                )
            items = answer["Items"]
            yield from items
            start = answer.get("LastEvaluatedKey")
            if start is None:
                return
            left = None if left is None else left - len(items)

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """
        Raises:
            ConflictError: The condition does not hold. Nothing was written.
        """
        attributes = item.serialize()
        try:
            with _contention():
                self._connection.put_item(
                    item.pk, range_key=item.sk, attributes=attributes, condition=condition
                )
        except PutError as error:
            if error_code(error) == CONDITION_FAILED_CODE:
                raise ConflictError("it was changed since it was read; read it again") from error
            raise

    def delete(self, key: Key, condition: Condition | None = None) -> None:
        with _contention():
            self._connection.delete_item(key.pk, key.sk, condition=condition)

    def transact(
        self,
        deletes: Sequence[Key],
        puts: Sequence[tuple[Item, Condition | None]],
        updates: Sequence[tuple[Key, Action, Condition]] = (),
    ) -> None:
        """Delete, put and update all of it or nothing; a cancellation's reasons come in this order.

        Raises:
            TransactWriteError: Nothing is decided here about what it means.
        """
        self._connection.connection.transact_write_items(
            condition_check_items=[],
            delete_items=[self._connection.get_operation_kwargs(key.pk, key.sk) for key in deletes],
            put_items=[self._put_request(item, condition) for item, condition in puts],
            update_items=[
                self._connection.get_operation_kwargs(
                    key.pk, key.sk, actions=[action], condition=condition
                )
                for key, action, condition in updates
            ],
        )

    def _put_request(self, item: Item, condition: Condition | None) -> dict[str, Any]:
        return self._connection.get_operation_kwargs(
            item.pk,
            item.sk,
            key="Item",
            attributes=item.serialize(),
            condition=condition,
            # What stands in the way is the answer to a repetition: no second read for it.
            return_values_on_condition_failure="ALL_OLD" if condition is not None else None,
        )


@contextmanager
def _contention() -> Iterator[None]:
    """Throttling in the house's own word; every other error as it is."""
    try:
        yield
    except PynamoDBException as error:
        if (code := error_code(error)) in CONTENTION_CODES:
            raise BookContendedError(f"the table is busy: {code}") from error
        raise


def error_code(error: PynamoDBException) -> str | None:
    """What DynamoDB answered; None if it did not.

    pynamodb 6.1's ``cause_response_code`` fails on a lost connection, whose error has a response of
    None.
    """
    if not isinstance(error.cause, ClientError):
        return None
    return error.cause.response.get("Error", {}).get("Code")
