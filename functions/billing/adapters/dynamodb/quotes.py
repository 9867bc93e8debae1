"""Quotes in the table: one put beside the account's Changes, read by the book like any thing."""

from billing.adapters.dynamodb import items
from billing.adapters.dynamodb.store_items import is_new
from billing.adapters.dynamodb.table import Table
from billing.domain.orders import Quote


class DynamoDBQuotes:
    """Implements ``Quotes``."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, quote: Quote) -> None:
        self._table.put(items.thing_item(quote), is_new())
