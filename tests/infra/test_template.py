"""What the template promises: isolation, no message lost in silence, nothing open by accident."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.decode.cfn_yaml import load  # type: ignore[import-untyped]

from billing.adapters.bus import SOURCE
from billing.adapters.gateways.registry import WEBHOOKS
from billing.domain.recharge_balance import CYCLE, next_cycle_at
from billing.domain.webhook_deliveries import LEASE
from billing.services.reconcile_payments import OVERDUE_AFTER

TEMPLATE = Path(__file__).parents[2] / "infra" / "template.yaml"

COMMON_VARIABLES = {"STAGE", "LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE", "CLOCK_FILE"}
VARIABLES = {
    "api.handler": {
        "TABLE_NAME",
        "DECKS_BUCKET",
        "DOCUMENTS_BUCKET",
        "USAGE_QUEUE_URL",
        "CONNECTIONS_KEY_ID",
        "CURSOR_SECRET_ARN",
        "PAYMENT_GATEWAY",
        "SANDBOX_TABLE_NAME",
        "STRIPE_KEY_ARN",
        "CORS_ORIGINS",
        "PUBLIC_URL",
        "JWT_ISSUER",
        "JWT_AUDIENCE",
    },
    "usage_ingest.receive": {
        "TABLE_NAME",
        "USAGE_QUEUE_URL",
        "CONNECTIONS_KEY_ID",
        "PUBLIC_URL",
    },
    "usage_ingest.post": {"TABLE_NAME", "DECKS_BUCKET"},
    "usage_ingest.reconcile": {
        "TABLE_NAME",
        "USAGE_QUEUE_URL",
        "RECONCILE_QUEUE_URL",
        "CONNECTIONS_KEY_ID",
        "TWILIO_API_URL",
        "REPLAY_MISSING",
    },
    "usage_ingest.age_quarantine": {"TABLE_NAME"},
    "usage_ingest.sweep": {"TABLE_NAME", "USAGE_QUEUE_URL"},
    "recharge.sweep": {"TABLE_NAME", "RECHARGE_QUEUE_URL"},
    "recharge.collect": {
        "TABLE_NAME",
        "PAYMENT_GATEWAY",
        "SANDBOX_TABLE_NAME",
        "STRIPE_KEY_ARN",
    },
    "recharge.receive": {
        "TABLE_NAME",
        "RECHARGE_QUEUE_URL",
        "PAYMENT_GATEWAY",
        "SANDBOX_TABLE_NAME",
        "SANDBOX_WEBHOOK_SECRET_ARN",
        "STRIPE_KEY_ARN",
        "STRIPE_WEBHOOK_SECRET_ARN",
        "PUBLIC_URL",
    },
    "recharge.reconcile": {"TABLE_NAME", "RECHARGE_QUEUE_URL"},
    "quota_reset.sweep": {"TABLE_NAME", "ROLL_QUEUE_URL"},
    "quota_reset.roll": {"TABLE_NAME", "RECHARGE_QUEUE_URL"},
    "events.publish": {"TABLE_NAME", "EVENT_BUS_NAME", "RECHARGE_QUEUE_URL"},
    "events.project": {"TABLE_NAME"},
    "ledger_proof.prove": {"TABLE_NAME"},
    "events.deliver": {
        "TABLE_NAME",
        "CONNECTIONS_KEY_ID",
        "DELIVERY_QUEUE_URL",
        "EVENT_BUS_NAME",
    },
}
OPEN_ROUTES = {
    "GET /health",
    "GET /openapi.json",
    "GET /docs",
    "OPTIONS /{proxy+}",
    "OPTIONS /v1/{proxy+}",
    # Signed by the provider; the function checks the signature.
    "GET /webhooks/usage/{conn}",
    "POST /webhooks/usage/{conn}",
    "POST /webhooks/payments/{gateway}",
}
TABLES = ("Table", "SandboxTable")
ALARMED_TABLE_METRICS = ("ReadThrottleEvents", "WriteThrottleEvents")
SIX_TIMES = 6
FOURTEEN_DAYS_SECONDS = 14 * 24 * 3600

Node = dict[str, Any]

template: Node = load(str(TEMPLATE))
resources: Node = template["Resources"]


def of_type(kind: str) -> dict[str, Node]:
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == kind
    }


functions = of_type("AWS::Serverless::Function")
queues = of_type("AWS::SQS::Queue")
alarms = of_type("AWS::CloudWatch::Alarm").values()
schedules = of_type("AWS::Scheduler::Schedule")
every_function = pytest.mark.parametrize("name", functions)


def referred(value: Any) -> str:
    """The logical id that a Ref or GetAtt points at."""
    target = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
    assert target in resources, target
    return str(target)


def events_of(name: str) -> list[Node]:
    return list(functions[name].get("Events", {}).values())


def alarm_on(metric: str, dimension: str, resource: str) -> Node:
    found = [
        alarm
        for alarm in alarms
        if alarm["MetricName"] == metric
        and any(
            one["Name"] == dimension and referred(one["Value"]) == resource
            for one in alarm["Dimensions"]
        )
    ]
    assert found, f"no alarm on {metric} of {resource}"
    return found[0]


def assert_dead_letters_are_seen(queue: str) -> None:
    assert queue in queues
    assert queues[queue]["MessageRetentionPeriod"] == FOURTEEN_DAYS_SECONDS
    alarm = alarm_on("ApproximateNumberOfMessagesVisible", "QueueName", queue)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def statements(role: str) -> Iterator[Node]:
    for policy in resources[role]["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(function: str) -> set[str]:
    role = referred(functions[function]["Role"])
    return set(itertools.chain(*(as_list(one["Action"]) for one in allowances(role))))


def allowances(role: str) -> list[Node]:
    return [one for one in statements(role) if one["Effect"] == "Allow"]


def test_cfn_lint_finds_nothing() -> None:
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_the_functions_and_their_variables_are_exactly_these() -> None:
    assert set(template["Globals"]["Function"]["Environment"]["Variables"]) == COMMON_VARIABLES
    found = {}
    for function in functions.values():
        variables = set(function["Environment"]["Variables"])
        found[function["Handler"].removesuffix(".lambda_handler")] = variables
    assert found == {
        handler: variables | {"POWERTOOLS_SERVICE_NAME"} for handler, variables in VARIABLES.items()
    }


@every_function
def test_a_function_has_an_error_alarm(name: str) -> None:
    alarm = alarm_on("Errors", "FunctionName", name)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


@every_function
def test_a_function_logs_to_a_group_of_its_own_that_forgets(name: str) -> None:
    group = referred(functions[name]["LoggingConfig"]["LogGroup"])
    assert resources[group]["Type"] == "AWS::Logs::LogGroup"
    assert "RetentionInDays" in resources[group]["Properties"]
    users = [
        other for other, f in functions.items() if referred(f["LoggingConfig"]["LogGroup"]) == group
    ]
    assert users == [name]


@every_function
def test_a_function_has_a_role_of_its_own(name: str) -> None:
    role = referred(functions[name]["Role"])
    assert [other for other, f in functions.items() if referred(f["Role"]) == role] == [name]
    # Managed policies reach wider than any one function needs.
    assert "ManagedPolicyArns" not in resources[role]["Properties"]


@every_function
def test_a_queue_worker_has_dead_letters_a_retry_limit_and_an_alarm(name: str) -> None:
    for event in events_of(name):
        if event["Type"] != "SQS":
            continue
        assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        queue = queues[referred(event["Properties"]["Queue"])]
        assert queue["VisibilityTimeout"] >= SIX_TIMES * functions[name]["Timeout"]
        assert 1 < queue["RedrivePolicy"]["maxReceiveCount"] <= 10
        dead_letters = referred(queue["RedrivePolicy"]["deadLetterTargetArn"])
        assert queues[dead_letters].get("FifoQueue") == queue.get("FifoQueue")
        assert_dead_letters_are_seen(dead_letters)


@every_function
def test_a_stream_consumer_has_dead_letters_a_retry_limit_and_an_alarm(name: str) -> None:
    for event in events_of(name):
        if event["Type"] != "DynamoDB":
            continue
        mapping = event["Properties"]
        assert 0 < mapping["MaximumRetryAttempts"] <= 10
        assert 0 < mapping["MaximumRecordAgeInSeconds"] <= 24 * 3600
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert_dead_letters_are_seen(
            referred(mapping["DestinationConfig"]["OnFailure"]["Destination"])
        )


def test_every_trigger_is_of_a_kind_that_is_checked() -> None:
    kinds = {event["Type"] for name in functions for event in events_of(name)}
    assert kinds == {"SQS", "DynamoDB"}


@pytest.mark.parametrize("name", schedules)
def test_a_schedule_has_dead_letters_a_retry_limit_and_an_alarm(name: str) -> None:
    target = schedules[name]["Target"]
    assert 0 < target["RetryPolicy"]["MaximumRetryAttempts"] <= 10
    assert 0 < target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 24 * 3600
    assert_dead_letters_are_seen(referred(target["DeadLetterConfig"]["Arn"]))


@pytest.mark.parametrize("name", schedules)
def test_what_a_schedule_hands_over_is_kept_if_the_function_fails(name: str) -> None:
    """Scheduler's work ends when Lambda has taken the event; Lambda's own retries follow."""
    invocation = functions[referred(schedules[name]["Target"]["Arn"])]["EventInvokeConfig"]
    assert 0 < invocation["MaximumRetryAttempts"] <= 2
    assert 0 < invocation["MaximumEventAgeInSeconds"] <= 6 * 3600
    assert_dead_letters_are_seen(
        referred(invocation["DestinationConfig"]["OnFailure"]["Destination"])
    )


def test_no_queue_is_left_without_a_reader_or_an_alarm() -> None:
    read = {
        referred(event["Properties"]["Queue"])
        for name in functions
        for event in events_of(name)
        if event["Type"] == "SQS"
    }
    unread = set(queues) - read
    assert read
    assert unread
    for name in unread:
        assert_dead_letters_are_seen(name)


def test_work_is_in_order_within_an_account_and_named_by_its_cause() -> None:
    for name in ("UsageQueue", "RechargeQueue", "RollQueue"):
        assert queues[name]["FifoQueue"] is True
        assert queues[name]["ContentBasedDeduplication"] is False


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("metric", ALARMED_TABLE_METRICS)
def test_a_throttled_table_raises_an_alarm(table: str, metric: str) -> None:
    alarm_on(metric, "TableName", table)


@pytest.mark.parametrize(
    ("metric", "parameter"),
    [
        ("QuarantineOldestAge", "QuarantineAlarmSeconds"),
        ("QuarantineWaiting", "QuarantineAlarmItems"),
    ],
)
def test_the_quarantine_raises_an_alarm_before_its_grace_is_over(
    metric: str, parameter: str
) -> None:
    """Under the dimensions that the count gives its metrics, and no tenant's."""
    (alarm,) = [one for one in alarms if one["MetricName"] == metric]
    (function,) = [f for f in functions.values() if "age_quarantine" in f["Handler"]]
    service = function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert alarm["Namespace"] == "Talktime"
    assert alarm["Dimensions"] == [
        {"Name": "service", "Value": service},
        {"Name": "stage", "Value": {"Ref": "Stage"}},
    ]
    assert alarm["Threshold"] == {"Ref": parameter}


@pytest.mark.parametrize(
    ("metric", "handler"),
    [("PaymentsOverdue", "recharge.reconcile"), ("PaymentMismatches", "recharge.receive")],
)
def test_a_payment_that_nobody_can_settle_raises_an_alarm(metric: str, handler: str) -> None:
    """Under the dimensions that the function gives its metrics, and no tenant's."""
    (alarm,) = [one for one in alarms if one["MetricName"] == metric]
    (function,) = [f for f in functions.values() if f["Handler"] == f"{handler}.lambda_handler"]
    service = function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    assert alarm["Namespace"] == "Talktime"
    assert alarm["Dimensions"] == [
        {"Name": "service", "Value": service},
        {"Name": "stage", "Value": {"Ref": "Stage"}},
    ]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_recharges_begin_when_the_account_says_they_do() -> None:
    """The next cycle an account is told of is a time at which the sweep runs."""
    schedule = schedules["RechargeSchedule"]
    hours = CYCLE // timedelta(hours=1)
    assert schedule["ScheduleExpression"] == f"cron(0 0/{hours} * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    midnight = datetime(2026, 3, 14, tzinfo=UTC)
    assert next_cycle_at(midnight - timedelta(seconds=1)) == midnight


def test_payments_are_looked_after_as_often_as_they_count_as_overdue() -> None:
    minutes = OVERDUE_AFTER // timedelta(minutes=1)
    assert schedules["PaymentsSchedule"]["ScheduleExpression"] == f"rate({minutes} minutes)"
    (alarm,) = [one for one in alarms if one["MetricName"] == "PaymentsOverdue"]
    assert alarm["Period"] == OVERDUE_AFTER.total_seconds()


def test_who_collects_is_the_sandbox_until_somebody_says_otherwise() -> None:
    gateway = template["Parameters"]["PaymentGateway"]
    assert (gateway["Default"], gateway["AllowedValues"]) == ("sandbox", ["sandbox", "stripe"])
    assert set(gateway["AllowedValues"]) == set(WEBHOOKS)


@pytest.mark.parametrize("secret", ["StripeKey", "StripeWebhookSecret"])
def test_stripes_secrets_are_put_in_by_people_and_kept(secret: str) -> None:
    properties = resources[secret]["Properties"]
    assert not {"SecretString", "GenerateSecretString"} & set(properties)
    assert resources[secret]["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize(
    ("secret", "readers"),
    [
        ("StripeKey", {"ApiFunction", "CollectFunction", "PaymentsFunction"}),
        ("StripeWebhookSecret", {"PaymentsFunction"}),
        ("SandboxWebhookSecret", {"PaymentsFunction"}),
        ("CursorSecret", {"ApiFunction"}),
    ],
)
def test_a_secret_is_read_by_whoever_needs_it_and_nobody_else(
    secret: str, readers: set[str]
) -> None:
    assert {name for name in functions if secret in secrets_of(name)} == readers


def secrets_of(function: str) -> set[str]:
    role = referred(functions[function]["Role"])
    return {
        referred(resource)
        for one in statements(role)
        if "secretsmanager:GetSecretValue" in as_list(one["Action"])
        for resource in as_list(one["Resource"])
    }


def test_every_alarm_tells_whoever_asked_to_be_told() -> None:
    for alarm in alarms:
        assert alarm["AlarmActions"]["Fn::If"][0] == "NotifyOfAlarms"


@pytest.mark.parametrize("role", of_type("AWS::IAM::Role"))
def test_no_role_has_a_wildcard_action_or_an_unscoped_resource(role: str) -> None:
    for statement in statements(role):
        for action in as_list(statement["Action"]):
            assert "*" not in action, action
        for resource in as_list(statement["Resource"]):
            assert_is_one_of_ours(resource)


def test_documents_are_read_and_written_by_the_api_alone_and_never_deleted() -> None:
    roles = [name for name, one in resources.items() if one["Type"] == "AWS::IAM::Role"]
    allowed = [
        (role, tuple(as_list(statement["Action"])))
        for role in roles
        if role != "ScheduleRole"
        for statement in statements(role)
        if "DocumentsBucket" in str(statement["Resource"])
    ]
    assert allowed == [("ApiRole", ("s3:GetObject", "s3:PutObject"))]


def assert_is_one_of_ours(resource: Any) -> None:
    """A GetAtt of one resource, or what lies under one: its index, its objects."""
    if isinstance(resource, dict) and "Fn::Sub" in resource:
        text = resource["Fn::Sub"]
        below = ("${DecksBucket.Arn}/*", "${DocumentsBucket.Arn}/documents/*")
        assert text in ("${Table.Arn}/index/due", *below), text
    else:
        assert "Fn::GetAtt" in resource, resource
        assert referred(resource) in resources


def test_the_key_policy_names_every_action() -> None:
    for statement in resources["ConnectionsKey"]["Properties"]["KeyPolicy"]["Statement"]:
        assert not any("*" in action for action in as_list(statement["Action"]))


def test_only_those_who_change_accounts_may_write_the_table() -> None:
    writers = {name for name in functions if "dynamodb:PutItem" in allowed(name)}
    assert writers == {
        "ApiFunction",
        "ReceiveFunction",
        "PostFunction",
        "ReconcileFunction",
        "PartsSweepFunction",
        "AgeQuarantineFunction",
        "CollectFunction",
        "PaymentsFunction",
        "RollFunction",
        # Summaries alone, which its role says.
        "ProjectFunction",
        # Deliveries, and that an endpoint is gone.
        "DeliverFunction",
    }
    assert not any("dynamodb:Scan" in allowed(name) for name in functions)


@pytest.mark.parametrize(
    ("role", "action", "partitions"),
    [
        pytest.param("ApiRole", "dynamodb:UpdateItem", "CALL#*", id="the API corrects calls"),
        pytest.param("ReceiveRole", "dynamodb:GetItem", "CONN#*", id="receive reads connections"),
        pytest.param("ReceiveRole", "dynamodb:Query", "CALL#*", id="receive reads parts of calls"),
        pytest.param(
            "ReceiveRole",
            "dynamodb:PutItem",
            "CALL#* QUARANTINE#*",
            id="receive keeps parts and parks usage",
        ),
        pytest.param(
            "PartsSweepRole",
            "dynamodb:PutItem",
            "CALL#* QUARANTINE#*",
            id="the parts sweep settles parts and parks usage",
        ),
        pytest.param(
            "ReconcileRole", "dynamodb:PutItem", "QUARANTINE#*", id="reconcile parks usage"
        ),
        pytest.param(
            "AgeQuarantineRole", "dynamodb:Query", "QUARANTINE#*", id="the count finds what is open"
        ),
        pytest.param(
            "AgeQuarantineRole", "dynamodb:PutItem", "QUARANTINE#*", id="the count closes items"
        ),
        pytest.param("PublishRole", "dynamodb:DeleteItem", "EVENT#*", id="publish deletes events"),
        pytest.param("ProjectRole", "dynamodb:PutItem", "DAYS#*", id="project writes summaries"),
        pytest.param("DeliverRole", "dynamodb:PutItem", "HOOKS#*", id="deliver writes deliveries"),
        pytest.param("DeliverRole", "dynamodb:Query", "delivery#*", id="deliver finds what is due"),
    ],
)
def test_who_faces_the_outside_reaches_only_its_own_partitions(
    role: str, action: str, partitions: str
) -> None:
    (statement,) = [one for one in allowances(role) if action in as_list(one["Action"])]
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": partitions.split()}
    }


@pytest.mark.parametrize("role", of_type("AWS::IAM::Role"))
@pytest.mark.parametrize("action", ["dynamodb:DeleteItem", "dynamodb:UpdateItem"])
def test_no_role_takes_back_the_ledger_or_the_audit(role: str, action: str) -> None:
    """Who may delete or change items at all is kept from papers and ledgers: by a list of what he
    reaches, or by a refusal that no allowance outweighs."""
    for one in allowances(role):
        if action not in as_list(one["Action"]):
            continue
        reached = one.get("Condition", {}).get("ForAllValues:StringLike", {})
        if partitions := reached.get("dynamodb:LeadingKeys"):
            assert not [name for name in partitions if name.startswith(("*", "PAPERS", "LEDGER"))]
            continue
        (refusal,) = [
            other
            for other in statements(role)
            if other["Effect"] == "Deny" and action in as_list(other["Action"])
        ]
        assert refusal["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
        assert refusal["Condition"] == {
            "ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["LEDGER#*", "PAPERS#*"]}
        }


def test_payment_webhooks_reach_accounts_and_what_is_written_with_them_alone() -> None:
    """No connection, deck, call or quarantined usage, and no other stack's. What a payment was
    collected for is delivered under the catalogue, or its numbers are given up."""
    reached = {
        partition
        for one in statements("PaymentsRole")
        if as_list(one["Resource"]) == [{"Fn::GetAtt": ["Table", "Arn"]}]
        for partition in one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    }
    assert reached == {
        f"{kind}#*"
        for kind in ("ACCT", "EVENT", "LEDGER", "NUMBER", "OP", "PAPERS", "PAY", "THINGS", "TIMER")
    } | {"CATALOG"}


@pytest.mark.parametrize("role", ["RechargeSweepRole", "ReconcilePaymentsRole", "QuotaSweepRole"])
def test_a_sweep_reads_nothing_but_the_index_of_what_is_due(role: str) -> None:
    (statement,) = [one for one in statements(role) if "dynamodb:Query" in as_list(one["Action"])]
    assert statement["Resource"] == {"Fn::Sub": "${Table.Arn}/index/due"}


def test_every_route_needs_a_token_but_the_named_ones() -> None:
    routes = of_type("AWS::ApiGatewayV2::Route").values()
    unguarded = set()
    for route in routes:
        if route["AuthorizationType"] == "JWT":
            assert resources[referred(route["AuthorizerId"])]["Type"].endswith("::Authorizer")
        else:
            unguarded.add(route["RouteKey"])
    assert unguarded == OPEN_ROUTES
    assert {route["RouteKey"] for route in routes} - unguarded == {"ANY /v1/{proxy+}"}


def test_the_api_is_throttled() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(stage["DefaultRouteSettings"])


def test_nobody_signs_himself_up_or_chooses_his_tenant() -> None:
    (pool,) = of_type("AWS::Cognito::UserPool").values()
    (client,) = of_type("AWS::Cognito::UserPoolClient").values()
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    (tenant,) = pool["Schema"]
    assert (tenant["Name"], tenant["Mutable"]) == ("tenant_id", False)
    assert "custom:tenant_id" in client["ReadAttributes"]
    assert "custom:tenant_id" not in client["WriteAttributes"]


def test_every_event_of_the_bus_goes_to_the_queue_of_deliveries_or_is_kept() -> None:
    (rule,) = of_type("AWS::Events::Rule").values()
    assert referred(rule["EventBusName"]) == "EventBus"
    assert rule["EventPattern"] == {"source": [SOURCE]}
    (target,) = rule["Targets"]
    assert referred(target["Arn"]) == "DeliveryQueue"
    assert_dead_letters_are_seen(referred(target["DeadLetterConfig"]["Arn"]))
    (policy,) = of_type("AWS::SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert {referred(resource) for resource in statement["Resource"]} == {
        "DeliveryQueue",
        "DeliveryDeadLetters",
    }
    source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert resources[referred(source)]["Type"] == "AWS::Events::Rule"


def test_a_delivery_outlives_the_worker_that_claimed_it() -> None:
    (function,) = [f for f in functions.values() if f["Handler"].startswith("events.deliver.")]
    assert timedelta(seconds=function["Timeout"]) < LEASE


def test_there_is_a_group_for_every_role() -> None:
    groups = {group["GroupName"] for group in of_type("AWS::Cognito::UserPoolGroup").values()}
    assert groups == {"operator", "billing-admin", "member", "service"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_encrypted_restorable_and_hard_to_delete(name: str) -> None:
    table = resources[name]["Properties"]
    assert table["SSESpecification"]["SSEEnabled"] is True
    restorable = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert restorable["Fn::FindInMap"][0] == "Stages"
    assert table["DeletionProtectionEnabled"]["Fn::FindInMap"][0] == "Stages"
    assert resources[name]["DeletionPolicy"].startswith("Retain")
    assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_production_is_protected() -> None:
    prod = template["Mappings"]["Stages"]["prod"]
    assert prod["DeletionProtection"] is True
    assert prod["PointInTimeRecovery"] is True
    assert prod["UserPoolProtection"] == "ACTIVE"


def test_queues_buckets_and_key_are_encrypted_and_private() -> None:
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    for name in ("DecksBucket", "DocumentsBucket"):
        assert resources[name]["UpdateReplacePolicy"] == "Retain"
        bucket = resources[name]["Properties"]
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert resources["ConnectionsKey"]["Properties"]["EnableKeyRotation"] is True


def test_time_moves_on_the_local_stage_alone() -> None:
    clock = template["Globals"]["Function"]["Environment"]["Variables"]["CLOCK_FILE"]
    assert clock == {"Fn::If": ["MoveTime", {"Ref": "ClockFile"}, {"Ref": "AWS::NoValue"}]}
    assert {"Condition": "IsLocal"} in template["Conditions"]["MoveTime"]["Fn::And"]
