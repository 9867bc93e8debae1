"""The catalogue: one document, replaced as a whole by whoever has seen it."""

from api import etags, limits
from api.endpoint import Answer, Call, Endpoint
from api.schemas.catalog import CatalogIn, CatalogOut
from billing.ports import StoredCatalog

TAG = "Catalogue"
PATH = "/v1/catalog"


def get_catalog(call: Call) -> Answer:
    return _answer(200, call.talktime.catalogs.current())


def put_catalog(call: Call) -> Answer:
    save = call.talktime.save_catalog
    catalog = call.body_as(CatalogIn).to_catalog()
    # Who adds a card sends this back, where a card's number is looked for most closely.
    limits.refuse_card_numbers({"terms_version": catalog.terms_version}, is_near_cards=True)
    seen_version = call.precondition.require_version(save.current_version())
    return _answer(200 if seen_version else 201, save.save(catalog, seen_version))


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
)
