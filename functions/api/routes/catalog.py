"""The catalogue: one document, replaced as a whole by whoever has seen it."""

import re

from api import auth, etags, limits
from api.endpoint import Answer, Call, Endpoint
from api.routes import lists
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.base import Page, PageQuery
from api.schemas.catalog import CatalogIn, CatalogListed, CatalogOut
from api.schemas.offers import OffersOut
from billing.domain.errors import NotFoundError
from billing.ports import StoredCatalog

TAG = "Catalogue"
PATH = "/v1/catalog"
VERSIONS_PATH = f"{PATH}/versions"

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def get_catalog(call: Call) -> Answer:
    return _answer(200, call.talktime.catalogs.current())


def put_catalog(call: Call) -> Answer:
    save = call.talktime.save_catalog
    catalog = call.body_as(CatalogIn).to_catalog()
    # Who adds a card sends this back, where a card's number is looked for most closely.
    limits.refuse_card_numbers({"terms_version": catalog.terms_version}, is_near_cards=True)
    seen_version = call.precondition.require_version(save.current_version())
    return _answer(200 if seen_version else 201, save.save(catalog, seen_version))


def list_versions(call: Call) -> Answer:
    """The newest first. All of them are kept, so their numbers are a list already."""
    after = lists.position(call)
    newest = after - 1 if isinstance(after, int) else call.talktime.save_catalog.current_version()
    numbers = range(newest, max(0, newest - lists.limit(call) - 1), -1)
    found = [call.talktime.catalogs.version(number) for number in numbers]
    return lists.page(call, found, CatalogListed.of, lambda stored: stored.version)


def get_version(call: Call) -> Answer:
    """
    Raises:
        NotFoundError: There never was such a version.
    """
    given = call.path["version"]
    if not _NUMBER.fullmatch(given):
        raise NotFoundError(f"{given[:40]!r} is no version")
    return Answer(200, CatalogOut.of(call.talktime.catalogs.version(int(given))))


def get_offers(call: Call) -> Answer:
    return Answer(200, OffersOut.of(call.talktime.read_offers.read(call.account())))


def _answer(status: int, stored: StoredCatalog) -> Answer:
    return Answer(status, CatalogOut.of(stored), {"ETag": etags.etag(stored.version)})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="get_catalog",
        summary="Read the catalogue",
        tag=TAG,
        serve=get_catalog,
        answers={200: CatalogOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=PATH,
        name="put_catalog",
        summary="Replace the catalogue; what is sold keeps the version it was sold under",
        tag=TAG,
        serve=put_catalog,
        body=CatalogIn,
        answers={200: CatalogOut, 201: CatalogOut},
        has_etag=True,
        needs_match=True,
        creates=True,
    ),
    Endpoint(
        method="GET",
        path=VERSIONS_PATH,
        name="list_catalog_versions",
        summary="List the versions of the catalogue, the newest first",
        tag=TAG,
        serve=list_versions,
        query=PageQuery,
        answers={200: Page[CatalogListed]},
    ),
    Endpoint(
        method="GET",
        path=f"{VERSIONS_PATH}/{{version}}",
        name="get_catalog_version",
        summary="Read one version of the catalogue, as it was",
        tag=TAG,
        serve=get_version,
        answers={200: CatalogOut},
        problems=("not_found",),
    ),
    Endpoint(
        method="GET",
        path=f"{ACCOUNT_PATH}/offers",
        name="get_offers",
        summary="Read what the account can buy now, in its currency",
        tag=TAG,
        serve=get_offers,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: OffersOut},
        problems=("not_found",),
    ),
)
