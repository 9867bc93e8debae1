"""What a tenant stores: told by the operator's own software, and read by its admins."""

from api import auth
from api.accepting import by
from api.endpoint import Answer, Call, Endpoint
from api.schemas.storage import StorageIn, StorageOut

TAG = "Storage"
PATH = "/v1/storage"


def put_storage(call: Call) -> Answer:
    used_bytes = call.body_as(StorageIn).used_bytes
    view = call.talktime.gauge_storage.tell(call.tenant, used_bytes, by(call, None))
    return Answer(200, StorageOut.of(view))


def get_storage(call: Call) -> Answer:
    return Answer(200, StorageOut.of(call.talktime.gauge_storage.read(call.tenant)))


ENDPOINTS = (
    Endpoint(
        method="PUT",
        path=PATH,
        name="put_storage",
        summary="Tell how many bytes the tenant stores",
        tag=TAG,
        serve=put_storage,
        roles=auth.MACHINES,
        is_tenants=True,
        body=StorageIn,
        machine_ids=frozenset({"/used_bytes"}),
        answers={200: StorageOut},
        problems=("not_found", "no_catalog", "not_sold"),
    ),
    Endpoint(
        method="GET",
        path=PATH,
        name="get_storage",
        summary="Read what the tenant stores, and what that costs",
        tag=TAG,
        serve=get_storage,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: StorageOut},
        problems=("not_found", "no_catalog"),
    ),
)
