"""Quotes: kept beside the account's Changes, since a quote uses nothing up."""

from typing import Protocol

from billing.domain.orders import Quote


class Quotes(Protocol):
    """New quotes. ``Book.thing`` reads them, until they are forgotten."""

    def save(self, quote: Quote) -> None:
        """Keep a quote.

        Outcomes, in order of precedence:
            ConflictError: There is one of that id. Nothing was written.
            BookContendedError: Throttled. Nothing was written.
            written: Nothing else of the account has changed.
        """
        ...
