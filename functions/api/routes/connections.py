"""Provider connections: the operator's, with secrets that go in and never come out."""

from api import etags
from api.endpoint import DEFAULT_ACCOUNT, Answer, Call, Endpoint
from api.problems import FieldError, RequestError
from api.routes import lists
from api.schemas.base import AccountName, Page, PageQuery
from api.schemas.connections import ConnectionIn, ConnectionOut
from billing.domain.account import AccountRef
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.ports import Connection
from billing.services.save_connection import NewConnection

TAG = "Connections"
PATH = "/v1/connections"
CONNECTION_PATH = f"{PATH}/{{conn}}"


def put_connection(call: Call) -> Answer:
    body = call.body_as(ConnectionIn)
    seen = _current(call)
    call.precondition.require_version(seen.version if seen else 0)
    connection = call.talktime.save_connection.save(
        NewConnection(
            connection_id=call.path["conn"],
            provider=body.provider,
            secrets=_secrets(body),
            account=_ref(call, "account", body.account) if body.account else None,
            accounts={
                name: _ref(call, f"accounts/{name}", account)
                for name, account in body.accounts.items()
            },
        ),
        seen,
    )
    return _answer(200 if seen else 201, connection)


def list_connections(call: Call) -> Answer:
    after = lists.position(call)
    found = [
        connection
        for connection in call.talktime.connections.all()
        if after is None or connection.connection_id > str(after)
    ]
    return lists.page(
        call,
        found[: lists.limit(call) + 1],
        ConnectionOut.of,
        lambda connection: connection.connection_id,
    )


def get_connection(call: Call) -> Answer:
    return _answer(200, call.talktime.connections.get(call.path["conn"]))


def delete_connection(call: Call) -> Answer:
    connections = call.talktime.connections
    connections.delete(connections.get(call.path["conn"]).connection_id)
    return Answer(204)


def _current(call: Call) -> Connection | None:
    try:
        return call.talktime.connections.get(call.path["conn"])
    except NotFoundError:
        return None


def _answer(status: int, connection: Connection) -> Answer:
    headers = {"ETag": etags.etag(connection.version)}
    return Answer(status, ConnectionOut.of(connection), headers)


def _secrets(body: ConnectionIn) -> tuple[str, ...] | None:
    if body.secret is not None and body.secrets is not None:
        raise RequestError(
            "invalid_input",
            "Send secret, or secrets.",
            errors=[FieldError("/secret", "not beside secrets")],
        )
    if body.secret is not None:
        return (body.secret,)
    return None if body.secrets is None else tuple(body.secrets)


def _ref(call: Call, field: str, named: AccountName) -> AccountRef:
    if named.account != DEFAULT_ACCOUNT:
        return AccountRef(named.tenant, named.account)
    try:
        return call.talktime.first_account(named.tenant)
    except NotFoundError:
        raise InvalidInputError(f"tenant {named.tenant!r} has no account", field=field) from None


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="list_connections",
        summary="List provider connections",
        tag=TAG,
        serve=list_connections,
        query=PageQuery,
        answers={200: Page[ConnectionOut]},
    ),
    Endpoint(
        method="PUT",
        path=CONNECTION_PATH,
        name="put_connection",
        summary="Create or replace a provider connection; its secret is never returned",
        tag=TAG,
        serve=put_connection,
        body=ConnectionIn,
        answers={200: ConnectionOut, 201: ConnectionOut},
        has_etag=True,
        needs_match=True,
        creates=True,
    ),
    Endpoint(
        method="GET",
        path=CONNECTION_PATH,
        name="get_connection",
        summary="Read a provider connection",
        tag=TAG,
        serve=get_connection,
        answers={200: ConnectionOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="DELETE",
        path=CONNECTION_PATH,
        name="delete_connection",
        summary="Forget a provider connection; its webhooks are refused from then on",
        tag=TAG,
        serve=delete_connection,
        answers={204: None},
        problems=("not_found",),
    ),
)
