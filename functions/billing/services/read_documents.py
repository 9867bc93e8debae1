"""Read documents, with what stood on them when they were issued, and have them printed."""

from datetime import datetime

from billing.domain.account import Account, AccountRef
from billing.domain.billing_profiles import BillingProfile, Series, profile_on
from billing.domain.documents import CreditNote, Invoice, Receipt
from billing.domain.errors import NotFoundError
from billing.domain.papers import Paper, paper_of, series_of
from billing.domain.parties import Party
from billing.domain.things import SEQUENCE_DIGITS, numbered
from billing.ports import Book, Catalogs, PaperLink, PaperStore, Printer

Document = Invoice | CreditNote | Receipt

KINDS: dict[Series, type[Invoice] | type[CreditNote] | type[Receipt]] = {
    Series.INVOICES: Invoice,
    Series.CREDIT_NOTES: CreditNote,
    Series.RECEIPTS: Receipt,
}


class ReadDocuments:
    """Reads only: a document is printed when somebody first asks for it."""

    def __init__(
        self, *, book: Book, catalogs: Catalogs, papers: PaperStore, printer: Printer
    ) -> None:
        self._book = book
        self._catalogs = catalogs
        self._papers = papers
        self._print = printer

    def page(
        self, ref: AccountRef, series: Series, before: int | None, limit: int
    ) -> list[Document]:
        """Documents of a series, newest first.

        Args:
            before: Only those of a lower number; None: from the last one.

        Raises:
            NotFoundError: No such account.
        """
        self._book.account(ref)
        name = "" if before is None else numbered(before)
        return list[Document](self._book.things(ref, KINDS[series], before=name, limit=limit))

    def paper(self, ref: AccountRef, series: Series, number: int) -> tuple[Document, Paper]:
        """One document, and all that stands on it.

        Raises:
            NotFoundError: No such account, or no such document.
        """
        account = self._book.account(ref)
        is_possible = 0 < number < 10**SEQUENCE_DIGITS
        found = self._book.thing(ref, KINDS[series], numbered(number)) if is_possible else None
        if found is None:
            raise NotFoundError("there is no such document")
        return found, self._paper(account, found)

    def link(self, ref: AccountRef, series: Series, number: int) -> PaperLink:
        """Where the print of a document can be fetched; it is made if this is the first time.

        Raises:
            NotFoundError: No such account, or no such document.
        """
        _, paper = self.paper(ref, series, number)
        if not self._papers.has(paper.name):
            self._papers.keep(paper.name, self._print(paper))
        return self._papers.link(paper.name, paper.file_name)

    def _paper(self, account: Account, document: Document) -> Paper:
        profiles = self._book.things(account.ref, BillingProfile, before="")
        profile = profile_on(profiles, series_of(document), document.number)
        return paper_of(account, document, profile, self._seller(document.issued_at))

    def _seller(self, at: datetime) -> Party:
        """Whom the catalogue named that was current then.

        Versions are found by halves: an old document takes as many reads as a catalogue's age has
        binary digits.
        """
        try:
            newest = self._catalogs.current()
        except NotFoundError:
            return Party()
        first, last = 1, newest.version
        while first < last:
            middle = (first + last + 1) // 2
            saved_at = self._catalogs.version(middle).catalog.saved_at
            if saved_at is None or saved_at <= at:
                first = middle
            else:
                last = middle - 1
        return self._catalogs.version(first).catalog.seller
