"""The resolver, filled from the table of endpoints: the only way a route comes about."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from api.endpoint import Answer, Endpoint
from api.routes import ENDPOINTS
from api.serving import Server, render


def create_app(server: Server) -> APIGatewayHttpResolver:
    """A resolver that serves every endpoint of the table, and refuses all else with problems."""
    app = APIGatewayHttpResolver(debug=False)
    for endpoint in ENDPOINTS:
        rule = endpoint.path.replace("{", "<").replace("}", ">")
        app.route(rule, method=endpoint.method)(_view(app, server, endpoint))

    @app.not_found
    def refuse(_error: Exception) -> Response[str]:
        event = app.current_event.raw_event
        return _response(server.refuse(event, allowed_at(app.current_event.path)))

    return app


def allowed_at(path: str) -> tuple[str, ...]:
    """The methods that endpoints answer at a path."""
    return tuple(
        sorted({e.method for e in ENDPOINTS if _matches(e.path.split("/"), path.split("/"))})
    )


def _view(
    app: APIGatewayHttpResolver, server: Server, endpoint: Endpoint
) -> Callable[..., Response[str]]:
    def view(**path: str) -> Response[str]:
        return _response(server.serve(endpoint, app.current_event.raw_event, path))

    return view


def _matches(template: list[str], path: list[str]) -> bool:
    return len(template) == len(path) and all(
        (part.startswith("{") and bool(given)) or part == given
        for part, given in zip(template, path, strict=True)
    )


def _response(answer: Answer) -> Response[str]:
    headers: Mapping[str, Any] = answer.headers
    return Response(
        status_code=answer.status,
        content_type=answer.content_type if answer.body is not None else None,
        body=render(answer.body),
        headers=dict(headers),
        compress=answer.is_compressible or None,
    )
