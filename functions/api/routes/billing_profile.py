"""The billing profile: whom documents name as the buyer."""

from api import auth, etags
from api.accepting import acceptance_of, by
from api.endpoint import Answer, Call, Endpoint
from api.routes.accounts import ACCOUNT_PATH
from api.schemas.billing_profile import ProfileIn, ProfileOut
from billing.domain.account import AccountRef
from billing.domain.billing_profiles import profile_etag

TAG = "Documents"
PATH = f"{ACCOUNT_PATH}/billing-profile"


def get_billing_profile(call: Call) -> Answer:
    return _answer(call, call.account())


def put_billing_profile(call: Call) -> Answer:
    body = call.body_as(ProfileIn)
    ref = call.account()
    service = call.talktime.set_billing_profile
    current = profile_etag(service.read(ref))
    call.precondition.require(current)
    acceptance = acceptance_of(call, body.acceptance)
    service.set(ref, body.wanted(), seen_etag=current, by=by(call, acceptance))
    return _answer(call, ref)


def _answer(call: Call, ref: AccountRef) -> Answer:
    profile = call.talktime.set_billing_profile.read(ref)
    return Answer(200, ProfileOut.of(profile), {"ETag": etags.etag(profile_etag(profile))})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        name="get_billing_profile",
        summary="Read whom documents name as the buyer",
        tag=TAG,
        serve=get_billing_profile,
        roles=auth.ADMINS,
        is_tenants=True,
        answers={200: ProfileOut},
        has_etag=True,
        problems=("not_found",),
    ),
    Endpoint(
        method="PUT",
        path=PATH,
        name="put_billing_profile",
        summary="Set whom documents name as the buyer that are issued from now on",
        tag=TAG,
        serve=put_billing_profile,
        roles=auth.ADMINS,
        is_tenants=True,
        body=ProfileIn,
        answers={200: ProfileOut},
        has_etag=True,
        needs_match=True,
        problems=("not_found", "acceptance_required", "no_catalog"),
    ),
)
