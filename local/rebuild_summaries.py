"""Make usage summaries again from the ledger: ``make rebuild-summaries``.

Invokes the deployed function: the one that is named, with the caller's own AWS credentials; without
a name, the local stack's. Safe at any time: what is read stays what it was until the new summaries
have caught up, and a rebuild that was cut off is begun again.

    make rebuild-summaries
    make rebuild-summaries TENANT=acme ACCOUNT=main
    make rebuild-summaries TENANT=acme ACCOUNT=main FUNCTION=talktime-ProjectFunction-1ABC
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local import stack
from local.api import Api, ApiError
from local.cloud import REGION, ROOT_KEYS

ANSWER_TIMEOUT_SECONDS = 180
"""The function is given two minutes."""

MISSING = """\
No local stack with this function: start it with `make run`, or name a deployed one:
TENANT=… ACCOUNT=… FUNCTION=<output ProjectFunctionName>"""


class RebuildError(Exception):
    """It could not be done; the message says why."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make rebuild-summaries", description=__doc__)
    parser.add_argument("--tenant", default="", help="without it, all of the local stack's")
    parser.add_argument("--account", default="", help="all accounts of the tenant, locally")
    parser.add_argument("--function", default="", help="of AWS; without it, the local stack's")
    wanted = parser.parse_args()
    try:
        client, function, accounts = deployed(wanted.function, wanted.tenant, wanted.account)
        for tenant, account in accounts:
            entries = rebuild(client, function, tenant, account)
            print(f"{tenant} {account}: {entries} ledger entries")
    except (RebuildError, ApiError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


# Any: a boto3 client of Lambda.
def deployed(
    function: str, tenant: str, account: str
) -> tuple[Any, str, Iterator[tuple[str, str]]]:
    """A client, the function's name, and the accounts that are meant."""
    # A repetition would begin another rebuild beside the first.
    config = Config(read_timeout=ANSWER_TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    if function:
        if not (tenant and account):
            raise RebuildError("Name the account as well: TENANT=… ACCOUNT=…")
        return boto3.client("lambda", config=config), function, iter([(tenant, account)])
    try:
        found = stack.read()
        function = found.outputs["ProjectFunctionName"]
    except (OSError, KeyError) as error:
        raise RebuildError(MISSING) from error
    client = boto3.client(
        "lambda",
        endpoint_url=found.endpoint_url,
        region_name=REGION,
        config=config,
        **ROOT_KEYS,  # type: ignore[call-overload]
    )
    operator = Api(found.api_url, found.tokens["operator"])
    return client, function, accounts_of(operator, tenant, account)


def accounts_of(operator: Api, tenant: str, account: str) -> Iterator[tuple[str, str]]:
    """Whatever is not named means all."""
    if tenant and account:
        yield tenant, account
        return
    tenants = [tenant] if tenant else [row["tenant"] for row in operator.rows("/v1/tenants")]
    for each in tenants:
        path: str | None = "/v1/accounts?limit=100"
        while path is not None:
            page = operator.request("GET", path, headers={"Talktime-Tenant": each}).body
            yield from ((each, row["account"]) for row in page["data"])
            cursor = page["next_cursor"]
            path = f"/v1/accounts?limit=100&cursor={cursor}" if cursor else None


def rebuild(client: Any, function: str, tenant: str, account: str) -> int:
    """Rebuild one account's summaries, in as many goes as it takes.

    Returns:
        How many ledger entries they hold.

    Raises:
        RebuildError: The function refused or failed; carries its message.
    """
    asked: Mapping[str, Any] = {"tenant": tenant, "account": account}
    while True:
        payload = json.dumps({"rebuild": asked}).encode()
        answer = client.invoke(FunctionName=function, Payload=payload)
        asked = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RebuildError(asked.get("errorMessage") or json.dumps(asked))
        if asked["is_done"]:
            return int(asked["sequence"])


if __name__ == "__main__":
    sys.exit(main())
