"""Deploy ``infra/template.yaml`` through CloudFormation: the same file that goes to AWS."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import paths

STACK = "talktime"
BUCKET = "talktime-artifacts"
CODE_URI = "CodeUri: ../functions/"
TTL_ATTRIBUTE = "expires_at"
TIMEOUT_SECONDS = 120.0
POLL_SECONDS = 0.1

Outputs = Mapping[str, str]
# Any: boto3 clients of many services, each with its own type.
ClientFactory = Callable[[str], Any]


class DeployError(Exception):
    """CloudFormation refused the stack or rolled it back."""


def deploy(client: ClientFactory, archive: Path, parameters: Mapping[str, str]) -> Outputs:
    """Create the stack or update it, wait, and return its outputs."""
    code = upload(client, archive)
    template = paths.TEMPLATE.read_text()
    assert template.count(CODE_URI) == 1, "the template names its code once, in Globals"
    packaged = template.replace(CODE_URI, f"CodeUri: {code}")
    request = {
        "StackName": STACK,
        "TemplateURL": upload_template(client, packaged),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    cloudformation = client("cloudformation")
    if exists(cloudformation):
        update(cloudformation, request)
    else:
        cloudformation.create_stack(**request)
    outputs = wait(cloudformation)
    enable_ttl(client("dynamodb"), outputs["TableName"])
    return outputs


def upload(client: ClientFactory, archive: Path) -> str:
    """Put the archive under its own name, which holds its digest: new code is a new address."""
    s3 = client("s3")
    make_bucket(s3)
    s3.upload_file(str(archive), BUCKET, archive.name)
    return f"s3://{BUCKET}/{archive.name}"


def upload_template(client: ClientFactory, template: str) -> str:
    """By URL, as ``sam deploy`` does: a template in the request may not exceed 51,200 bytes."""
    s3 = client("s3")
    s3.put_object(Bucket=BUCKET, Key="template.yaml", Body=template.encode())
    return f"{s3.meta.endpoint_url}/{BUCKET}/template.yaml"


def make_bucket(s3: Any) -> None:
    try:
        s3.head_bucket(Bucket=BUCKET)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        s3.create_bucket(Bucket=BUCKET)


def exists(cloudformation: Any) -> bool:
    try:
        cloudformation.describe_stacks(StackName=STACK)
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def update(cloudformation: Any, request: Mapping[str, Any]) -> None:
    try:
        cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise


def wait(cloudformation: Any) -> Outputs:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
        if not status.endswith("_IN_PROGRESS") or "ROLLBACK" in status:
            raise DeployError(f"{STACK} is {status}:\n{failures(cloudformation)}")
        time.sleep(POLL_SECONDS)
    raise DeployError(f"{STACK} is still {status} after {TIMEOUT_SECONDS:.0f} seconds")


def failures(cloudformation: Any) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    return "\n".join(
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
    )


def enable_ttl(dynamodb: Any, table: str) -> None:
    """The local cloud ignores this part of the template."""
    described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if described["TimeToLiveStatus"] == "ENABLED":
        return
    dynamodb.update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
    )
