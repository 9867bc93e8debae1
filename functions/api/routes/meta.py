"""What needs no token: health, the API's own description, and a page to read it on."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

from aws_lambda_powertools.event_handler.openapi.swagger_ui import generate_swagger_html

from api import openapi
from api.endpoint import JSON, Answer, Call, Endpoint
from api.schemas.base import Schema

HTML = "text/html; charset=utf-8"
TAG = "About"

DOCS_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Everything is on the page itself; nothing is fetched from anywhere but this API."""

_SWAGGER = "aws_lambda_powertools.event_handler.openapi.swagger_ui"

Table = Callable[[], Sequence[Endpoint]]


class Health(Schema):
    status: Literal["ok"]


class About:
    """What the API says about itself; each text is made once.

    Args:
        table: Every endpoint, these included.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._description = cache(self._describe)
        self._page = cache(self._lay_out)

    def health(self, _call: Call) -> Answer:
        return Answer(200, Health(status="ok"))

    def description(self, call: Call) -> Answer:
        url = call.talktime.settings.public_url
        return Answer(200, self._description(url), is_compressible=True)

    def page(self, call: Call) -> Answer:
        return Answer(
            200,
            self._page(call.talktime.settings.public_url),
            {"Content-Security-Policy": DOCS_POLICY},
            HTML,
            is_compressible=True,
        )

    def _describe(self, url: str) -> str:
        return openapi.as_text(openapi.document(self._table(), url))

    def _lay_out(self, url: str) -> str:
        # The page is one script: nothing in it may end it early.
        return generate_swagger_html(
            self._description(url).replace("</", "<\\/"),
            _swagger_file("swagger-ui-bundle.min.js"),
            _swagger_file("swagger-ui.min.css"),
            "",
            None,
        )


def endpoints(table: Table) -> tuple[Endpoint, ...]:
    """The endpoints about the API itself.

    Args:
        table: Every endpoint, these included.
    """
    about = About(table)
    return (
        Endpoint(
            method="GET",
            path="/health",
            name="get_health",
            summary="Whether the API answers",
            tag=TAG,
            serve=about.health,
            answers={200: Health},
            roles=None,
        ),
        Endpoint(
            method="GET",
            path="/openapi.json",
            name="get_openapi",
            summary="This description",
            tag=TAG,
            serve=about.description,
            answers={200: None},
            roles=None,
            media_type=JSON,
        ),
        Endpoint(
            method="GET",
            path="/docs",
            name="get_docs",
            summary="This description, to read and try",
            tag=TAG,
            serve=about.page,
            answers={200: None},
            roles=None,
            media_type="text/html",
        ),
    )


def _swagger_file(name: str) -> str:
    return (files(_SWAGGER) / name).read_text(encoding="utf-8")
