"""See, or spoil, every call that any botocore client of this process makes.

Each pynamodb connection has a client of its own, and so a hook on one client misses the others;
the class that all of them share misses none.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

Params = Mapping[str, Any]
Proceed = Callable[[], dict[str, Any]]
Interceptor = Callable[[str, str, Params, Proceed], dict[str, Any]]
"""Takes the service, the operation, its parameters, and what makes the call; gives the answer."""


@contextmanager
def intercepted(interceptor: Interceptor) -> Iterator[None]:
    """Put the interceptor around every call made meanwhile, by clients old and new."""
    # botocore's stubs leave this one out; pynamodb and moto's own documentation rely on it.
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: BaseClient, operation: str, params: Params) -> dict[str, Any]:
        def proceed() -> dict[str, Any]:
            answer: dict[str, Any] = original(client, operation, params)
            return answer

        service = client.meta.service_model.service_name
        return interceptor(service, operation, params, proceed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield


def client_error(
    operation: str, code: str, reasons: list[dict[str, Any]] | None = None
) -> ClientError:
    """An error as the service answers it."""
    response: Any = {"Error": {"Code": code, "Message": code}}
    if reasons is not None:
        response["CancellationReasons"] = reasons
    return ClientError(response, operation)
