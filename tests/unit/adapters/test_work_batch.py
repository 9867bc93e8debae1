"""A batch of work fails message by message, and says what failed and why."""

import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from billing.adapters.work_batch import process_accounts
from billing.domain.account import AccountRef


def a_message(message_id: str, tenant_id: str) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "body": json.dumps({"tenant": tenant_id, "account": "main"}),
        "attributes": {"MessageGroupId": f"{tenant_id}#main", "ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def test_a_message_that_fails_is_named_and_holds_back_its_own_account_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: list[AccountRef] = []

    def work(ref: AccountRef) -> None:
        if ref.tenant_id == "acme":
            raise RuntimeError("the gateway burned down")
        done.append(ref)

    records = [a_message("1", "acme"), a_message("2", "globex"), a_message("3", "acme")]
    answer = process_accounts({"Records": records}, work, Logger(service="test"))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["1", "3"]
    assert done == [AccountRef("globex", "main")]
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["messages"], line["exception_name"]) for line in logged] == [
        (["1"], "RuntimeError")
    ]


def test_a_batch_that_fails_whole_is_named_whole_and_not_raised() -> None:
    def work(ref: AccountRef) -> None:
        raise RuntimeError(ref)

    records = [a_message("1", "acme"), a_message("2", "globex")]
    answer = process_accounts({"Records": records}, work, Logger(service="test"))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["1", "2"]


def test_a_message_that_is_none_comes_again_until_its_dead_letters_take_it() -> None:
    record = {**a_message("1", "acme"), "body": "not json"}
    answer = process_accounts({"Records": [record]}, lambda _ref: None, Logger(service="test"))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["1"]
