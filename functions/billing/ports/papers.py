"""Printed documents: made once, kept for good, fetched by a link."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing.domain.papers import Paper

Printer = Callable[[Paper], bytes]
"""Makes the PDF of a paper; of equal papers, the same bytes."""


@dataclass(frozen=True, slots=True)
class PaperLink:
    """Where a printed document can be fetched, by whoever has the link.

    Args:
        url: Signed.
        expires_at: When it leads nowhere any more.
    """

    url: str
    expires_at: datetime


class PaperStore(Protocol):
    """Prints, by their papers' names."""

    def has(self, name: str) -> bool:
        """Whether there is such a print."""
        ...

    def keep(self, name: str, content: bytes) -> None:
        """Keep a print. What is there under the name stays: a print never changes."""
        ...

    def link(self, name: str, file_name: str) -> PaperLink:
        """A link to a print that there is.

        Args:
            file_name: What whoever follows it is told that the file is called.
        """
        ...
