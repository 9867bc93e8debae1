"""Users of the demo tenants in the stack's own Cognito pool, and the tokens they sign in for."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.deploy import ClientFactory, Outputs

Tokens = Mapping[str, str]


@dataclass(frozen=True)
class Person:
    """A user as the pool knows it. The operator's people belong to no tenant."""

    name: str
    role: str
    tenant_id: str | None

    @property
    def email(self) -> str:
        return f"{self.name.replace('_', '-')}@talktime.example"


def people(acme_id: str, globex_id: str) -> tuple[Person, ...]:
    return (
        OPERATOR,
        Person("acme_admin", "billing-admin", acme_id),
        Person("acme_member", "member", acme_id),
        Person("globex_admin", "billing-admin", globex_id),
        Person("acme_service", "service", acme_id),
    )


OPERATOR = Person("operator", "operator", None)


def sign_in(client: ClientFactory, outputs: Outputs, person: Person) -> str:
    """An ID token, valid for a day on the stage local. Creates the user on first use."""
    cognito = client("cognito-idp")
    pool = outputs["UserPoolId"]
    # A new password at each sign-in: none has to be kept anywhere.
    password = f"Aa1-{secrets.token_urlsafe(24)}"
    create(cognito, pool, person)
    cognito.admin_set_user_password(
        UserPoolId=pool, Username=person.email, Password=password, Permanent=True
    )
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=outputs["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": person.email, "PASSWORD": password},
    )
    # The ID token, not the access token: only it carries custom:tenant_id.
    token: str = answer["AuthenticationResult"]["IdToken"]
    return token


# Any: a boto3 client.
def create(cognito: Any, pool: str, person: Person) -> None:
    attributes = [
        {"Name": "email", "Value": person.email},
        {"Name": "email_verified", "Value": "true"},
    ]
    if person.tenant_id is not None:
        attributes.append({"Name": "custom:tenant_id", "Value": person.tenant_id})
    try:
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=person.email,
            UserAttributes=attributes,
            MessageAction="SUPPRESS",
        )
    except cognito.exceptions.UsernameExistsException:
        return
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=person.email, GroupName=person.role)


def tokens(client: ClientFactory, outputs: Outputs, acme_id: str, globex_id: str) -> Tokens:
    return {person.name: sign_in(client, outputs, person) for person in people(acme_id, globex_id)}
