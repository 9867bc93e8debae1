"""How a secret of the deployment is read."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from billing.adapters.secrets import KEPT_SECONDS, ChangingSecret, StoredSecret, gateway_key
from billing.domain.errors import PaymentUnknownError
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


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_secret_that_people_change_is_read_again_after_a_while() -> None:
    with moto() as aws:
        client, elapsed = aws.client("secretsmanager"), Stopwatch()
        arn = client.create_secret(Name="webhook", SecretString="old")["ARN"]
        secret = ChangingSecret(arn, client, elapsed)
        assert secret.value() == "old"
        client.put_secret_value(SecretId=arn, SecretString="old new")
        elapsed.seconds += KEPT_SECONDS - 1
        assert secret.values() == ("old",)
        elapsed.seconds += 1
        assert secret.values() == ("old", "new")


@pytest.mark.parametrize(
    ("written", "values"),
    [("", ()), (" \n", ()), ("one\n", ("one",)), ("one two", ("one", "two"))],
)
def test_a_secret_is_what_stands_between_the_blanks(written: str, values: tuple[str, ...]) -> None:
    class Written:
        # Any: it stands in for boto3's client, made at run time.
        def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803 boto3's own name
            return {"SecretString": written}

    client: Any = Written()
    assert ChangingSecret("arn", client).values() == values


def test_a_secret_nobody_has_put_in_yet_is_empty_until_somebody_does() -> None:
    with moto() as aws:
        client, elapsed = aws.client("secretsmanager"), Stopwatch()
        arn = client.create_secret(Name="key")["ARN"]
        secret = ChangingSecret(arn, client, elapsed)
        key = gateway_key(secret)
        assert secret.values() == ()
        with pytest.raises(PaymentUnknownError, match="no key yet"):
            key()
        client.put_secret_value(SecretId=arn, SecretString="rk_1\n")
        elapsed.seconds += KEPT_SECONDS
        assert key() == "rk_1"


def test_a_key_that_cannot_be_read_leaves_a_payment_unknown() -> None:
    class Unreachable:
        class exceptions:  # noqa: N801 boto3's own name
            ResourceNotFoundException = KeyError

        def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803 boto3's own name
            raise EndpointConnectionError(endpoint_url="https://secretsmanager")

    client: Any = Unreachable()
    with pytest.raises(PaymentUnknownError, match="cannot be read"):
        gateway_key(ChangingSecret("arn", client))()
