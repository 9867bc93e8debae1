"""How a secret of the deployment is read."""

from typing import Any

from billing.adapters.secrets import StoredSecret
from contract.aws import moto


def test_a_secret_is_read_by_its_arn() -> None:
    with moto() as aws:
        client = aws.client("secretsmanager")
        made = client.create_secret(Name="cursors", SecretString="s3cret")
        assert StoredSecret(made["ARN"], client).value() == "s3cret"


class CountingSecrets:
    def __init__(self) -> None:
        self.asked = 0

    # Any: it stands in for boto3's client, made at run time.
    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803 boto3's own name
        self.asked += 1
        return {"SecretString": SecretId}


def test_a_secret_is_asked_for_when_needed_and_once() -> None:
    counting = CountingSecrets()
    client: Any = counting
    secret = StoredSecret("arn", client)
    assert counting.asked == 0
    assert [secret.value(), secret.value()] == ["arn", "arn"]
    assert counting.asked == 1
