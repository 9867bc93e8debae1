"""Below the book: what botocore repeats by itself is done once."""

from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from builders import ACME, USD, a_credit, an_account, an_opening
from contract.beds import Bed


@pytest.mark.cloud
@pytest.mark.parametrize("bed", ["cloud"], indirect=True)
def test_an_answer_lost_on_the_wire_is_asked_for_again_under_the_same_token(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = bed.commit(an_opening(an_account()))
    send = URLLib3Session.send
    sent: list[object] = []

    def lose_the_first_answer(session: URLLib3Session, request: AWSPreparedRequest) -> Any:
        answer = send(session, request)
        sent.append(request.body)
        if len(sent) == 1:
            raise ConnectionClosedError(endpoint_url=str(request.url))
        return answer

    credit = a_credit(account, USD, "credit")
    with monkeypatch.context() as patch:
        patch.setattr(URLLib3Session, "send", lose_the_first_answer)
        bed.book.commit(credit)
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert bed.book.account(ACME) == credit.after
