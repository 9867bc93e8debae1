"""The ledger of an account, and its proof."""

from api import auth
from api.endpoint import Answer, Call, Endpoint
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page
from api.schemas.ledger import EntryOut, LedgerQuery, ProofOut

TAG = "Ledger"
PATH = f"{ACCOUNT_PATH}/ledger"


def list_entries(call: Call) -> Answer:
    """Sequences have no gaps, so a page of either order is a range of them."""
    position = lists.position(call)
    limit = lists.limit(call)
    book = call.talktime.book
    account = book.account(call.account())
    if call.query_as(LedgerQuery).order == "oldest":
        after = position if isinstance(position, int) else 0
        entries = list(book.entries(account, after, limit + 1))
    else:
        last = position - 1 if isinstance(position, int) else account.head.sequence
        first = max(0, last - limit - 1)
        entries = list(book.entries(account, first, last - first))[::-1]
    return lists.page(call, entries, EntryOut.of, lambda entry: entry.sequence)


def verify_ledger(call: Call) -> Answer:
    return Answer(200, ProofOut.of(call.talktime.prove_ledger.prove(call.account())))


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_ledger_entries",
        summary="List ledger entries",
        tag=TAG,
        serve=list_entries,
        roles=auth.ADMINS,
        is_tenants=True,
        query=LedgerQuery,
        answers={200: Page[EntryOut]},
        csv_rows=EntryOut,
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/verify",
        name="verify_ledger",
        summary="Prove the ledger: gapless, chained, and summing to the balance",
        tag=TAG,
        serve=verify_ledger,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: ProofOut},
        problems=("not_found",),
    ),
)
