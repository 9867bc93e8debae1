"""An endpoint is declared in one place: who may call it, what goes in, what comes out.

Routing, checks and the OpenAPI document all come from the declaration, so there is no route that
lacks one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from api import auth, idempotency, limits
from api.auth import Principal, Role
from api.etags import Precondition
from api.schemas.base import Query, Schema
from api.wiring import Talktime
from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.records import Origin

JSON = "application/json"
CSV = "text/csv"
PDF = "application/pdf"

DEFAULT_ACCOUNT = "default"

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    Args:
        body: A schema, text of its own content type, or nothing.
        is_replayed: It is the first answer to the same key, again.
        is_compressible: Large text, sent compressed to whoever takes that.
    """

    status: int
    body: Schema | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    is_replayed: bool = False
    is_compressible: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request that has passed the checks its endpoint declares.

    Args:
        principal: None where no token is asked for.
        tenant_id: Whose things it is about; None for what is the operator's.
        key: The idempotency key; the request's own where a key is optional and missing.
        origin: Where it came from, as API Gateway saw it; a header that claims it is not looked at.
    """

    endpoint: "Endpoint"
    talktime: Talktime
    request_id: str
    path: Mapping[str, str]
    url_path: str
    headers: Mapping[str, str]
    raw_query: tuple[tuple[str, str], ...]
    query: Query | None
    content: bytes
    body: Schema | None
    principal: Principal | None
    tenant_id: str | None
    key: str
    precondition: Precondition
    origin: Origin

    @property
    def actor(self) -> Principal:
        assert self.principal is not None, "this endpoint asks for no token"
        return self.principal

    @property
    def tenant(self) -> str:
        assert self.tenant_id is not None, "this endpoint is the operator's"
        return self.tenant_id

    def body_as(self, model: type[Model]) -> Model:
        assert isinstance(self.body, model)
        return self.body

    def query_as(self, model: type[Model]) -> Model:
        assert isinstance(self.query, model)
        return self.query

    def account(self) -> AccountRef:
        """The account of the path; ``default`` is the tenant's first.

        Raises:
            NotFoundError: The tenant has none. Whether a named one exists shows when it is read.
        """
        account_id = self.path["acct"]
        if account_id == DEFAULT_ACCOUNT:
            return self.talktime.first_account(self.tenant)
        return AccountRef(self.tenant, account_id)

    def operation_id(self, account_id: str) -> str:
        """The operation this request is, within an account."""
        route = f"{self.endpoint.method} {self.endpoint.path}"
        return idempotency.operation_id(self.tenant_id or "", account_id, route, self.key)

    def url(self, path: str) -> str:
        return self.talktime.settings.public_url + path

    def accepts_csv(self) -> bool:
        return self.accepts(CSV)

    def accepts(self, media_type: str) -> bool:
        """Whether that is asked for by its name."""
        accepted = self.headers.get("accept", "").lower()
        return any(part.partition(";")[0].strip() == media_type for part in accepted.split(","))

    def cursor_scope(self) -> Json:
        """What a cursor of this list is bound to."""
        filters: list[Json] = [
            [name, value] for name, value in sorted(self.raw_query) if name not in PAGING
        ]
        return [self.tenant_id, self.endpoint.path, dict(self.path), filters]


PAGING = frozenset({"limit", "cursor"})

Serve = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path.

    Args:
        path: Template, as in OpenAPI; ``{acct}`` is an account of the caller's tenant.
        name: The operation's id in OpenAPI.
        roles: Who may call; None: anybody, without a token.
        is_tenants: It is about one tenant's things: the tenant is the token's, or named by the
            operator. Otherwise it is the operator's own.
        is_near_cards: People paste card numbers here: they are looked for more closely.
        body: The JSON body's schema.
        machine_ids: Pointers into it, or to the query, of ids that machines made: a long number is
            no card's there.
        uploads: The media type of a body that is no JSON.
        reads: The media types of a JSON body that the endpoint itself takes apart, so that one
            wrong item does not stop the others; each with the schema it is described by.
        answers: Statuses with their schema; a status that is not here is never answered.
        media_type: What success answers.
        csv_rows: The rows of a list that is also answered as ``text/csv``.
        key: Whether it takes an Idempotency-Key.
        has_etag: The answer carries an ETag.
        needs_match: Changing it needs If-Match. ``creates``: what is not there yet needs none.
        problems: Codes it refuses with, beyond those that follow from the above.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: str
    serve: Serve
    answers: Mapping[int, type[Schema] | None]
    roles: frozenset[Role] | None = auth.OPERATORS
    is_tenants: bool = False
    is_near_cards: bool = False
    query: type[Query] | None = None
    body: type[Schema] | None = None
    machine_ids: frozenset[str] = frozenset()
    uploads: str | None = None
    reads: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    body_limit_bytes: int = limits.JSON_BYTES
    media_type: str = JSON
    csv_rows: type[Schema] | None = None
    key: idempotency.Needs = idempotency.Needs.NONE
    has_etag: bool = False
    needs_match: bool = False
    creates: bool = False
    problems: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the path, in order."""
        parts = self.path.split("/")
        return tuple(part[1:-1] for part in parts if part.startswith("{"))
