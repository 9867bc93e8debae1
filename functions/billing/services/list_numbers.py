"""List an account's numbers, each with what its next renewal costs."""

from dataclasses import dataclass
from datetime import UTC, datetime

from billing.domain.account import Account, AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.number_renewing import included_in, renewal_line
from billing.domain.numbers import PhoneNumber, is_renewed
from billing.ports import Book, Catalogs
from billing.services.read_numbers import ReadNumbers


@dataclass(frozen=True, slots=True)
class PricedNumber:
    """A number, and the net price of its next renewal; zero where the plan includes it.

    Args:
        due_micros: What is paid for it by itself when the period turns, tax included.
    """

    number: PhoneNumber
    price_micros: int
    currency: str
    due_micros: int = 0


class ListNumbers:
    """Reads, and changes nothing."""

    def __init__(self, book: Book, catalogs: Catalogs) -> None:
        self._book = book
        self._numbers = ReadNumbers(book, catalogs)

    def all(self, ref: AccountRef) -> list[PricedNumber]:
        """Every number the account has or had, in E.164's order.

        Raises:
            NotFoundError: No such account.
        """
        return self._priced(self._book.account(ref))

    def held(self, account: Account) -> list[PricedNumber]:
        """Those of an account that was read before that are its own still: on hold first, by when
        they are released, then in the order in which they were ordered."""
        if not self._book.things(account.ref, PhoneNumber, limit=1):
            return []
        found = [one for one in self._priced(account) if one.number.state.is_held]
        return sorted(found, key=_on_hold_first)

    def _priced(self, account: Account) -> list[PricedNumber]:
        known, plan = self._numbers.of(account)
        included = included_in(plan, known.all)
        found = []
        for one in known.all:
            line = renewal_line(account, one, known.catalogs[one.e164], account.period)
            price = tax = 0
            if one.e164 not in included:
                price, tax = line.amount_micros, line.tax_micros
            due = price + tax if is_renewed(one) else 0
            found.append(PricedNumber(one, price, account.currency, due))
        return found

    def one(self, ref: AccountRef, e164: str) -> PricedNumber:
        """
        Raises:
            NotFoundError: No such account, or it never had such a number.
        """
        found = next((one for one in self.all(ref) if one.number.e164 == e164), None)
        if found is None:
            raise NotFoundError("there is no such number")
        return found


def _on_hold_first(priced: PricedNumber) -> tuple[datetime, datetime, str]:
    number = priced.number
    never = datetime.max.replace(tzinfo=UTC)
    return number.release_at or never, number.ordered_at, number.e164
