"""Which licences of an account whoever asks may see."""

from api.endpoint import Call
from api.schemas.licences import LicenceOut
from billing.domain.account import AccountRef
from billing.domain.errors import NotFoundError


def licences_of(call: Call, ref: AccountRef) -> list[LicenceOut]:
    """Every kind with its numbers, for who sees money; for a member, the kinds that he may use.

    Raises:
        NotFoundError: No such account.
    """
    licences = call.talktime.read_licences
    if call.actor.sees_money:
        return [LicenceOut.of(counts) for counts in licences.counts(ref)]
    try:
        himself = call.talktime.members.of_subject(call.tenant, call.actor.sub)
    except NotFoundError:
        call.talktime.book.account(ref)
        return []
    if himself.account != ref:
        call.talktime.book.account(ref)
        return []
    return [LicenceOut.of_kind(kind) for kind in licences.of_member(ref, himself.member_id)]
