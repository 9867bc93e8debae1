"""Quotes in memory, where the book reads them."""

from billing.domain.orders import Quote
from fakes.book import InMemoryBook


class InMemoryQuotes:
    """Implements Quotes."""

    def __init__(self, book: InMemoryBook) -> None:
        self._book = book

    def save(self, quote: Quote) -> None:
        self._book.keep(quote)
