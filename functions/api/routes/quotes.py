"""Quotes: what a purchase or change would come to."""

from uuid import uuid4

from api import auth, limits
from api.endpoint import Answer, Call, Endpoint
from api.problems import RequestError
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.quotes import QuoteIn, QuoteOut
from billing.domain.catalog import Catalog
from billing.domain.errors import NotFoundError
from billing.domain.orders import Quote

TAG = "Orders"
PATH = f"{ACCOUNT_PATH}/quotes"

QUOTE_PREFIX = "quo_"
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""An id of a quote is of letters alone: no digits of it could be taken for a card's."""


def post_quote(call: Call) -> Answer:
    """A quote moves no money and uses nothing up: asked for twice, there are two."""
    ref = call.account()
    call.talktime.book.account(ref)
    catalog = _catalog(call)
    wants = call.body_as(QuoteIn).parse()
    quote_id = QUOTE_PREFIX + uuid4().hex.translate(_LETTERS)
    quote = call.talktime.quote_order.quote(ref, wants, quote_id)
    location = call.url(f"{PATH.format(acct=ref.account_id)}/{quote_id}")
    return Answer(201, QuoteOut.of(quote, catalog), {"Location": location})


def get_quote(call: Call) -> Answer:
    ref = call.account()
    book = call.talktime.book
    book.account(ref)
    quote = book.thing(ref, Quote, call.path["id"])
    if quote is None:
        raise NotFoundError("there is no such quote")
    return Answer(200, QuoteOut.of(quote, _catalog(call)))


def _catalog(call: Call) -> Catalog:
    """The current one; an order has to accept its terms.

    Raises:
        RequestError: ``no_catalog``.
    """
    try:
        return call.talktime.catalogs.current().catalog
    except NotFoundError:
        raise RequestError("no_catalog", "The operator has not uploaded a catalogue yet.") from None


ENDPOINTS = (
    Endpoint(
        method="POST",
        path=PATH,
        name="post_quote",
        summary="Say what a purchase or change would come to; it uses nothing up",
        tag=TAG,
        serve=post_quote,
        roles=auth.ADMINS,
        is_tenants=True,
        body=QuoteIn,
        body_limit_bytes=limits.FORM_BYTES,
        answers={201: QuoteOut},
        problems=(
            "not_found",
            "no_catalog",
            "not_sold",
            "plan_limit",
            "contact_sales",
            "below_contracted_minimum",
        ),
    ),
    Endpoint(
        method="GET",
        path=f"{PATH}/{{id}}",
        name="get_quote",
        summary="A quote, as it was given",
        tag=TAG,
        serve=get_quote,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: QuoteOut},
        problems=("not_found", "no_catalog"),
    ),
)
