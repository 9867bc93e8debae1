"""Dependencies point inward: handler -> services -> ports <- adapters <- bootstrap."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
ENTRY_PACKAGES = ("api", "events", "ledger_proof", "quota_reset", "recharge", "usage_ingest")
HANDLERS = (
    "api.handler",
    "events.deliver",
    "events.project",
    "events.publish",
    "ledger_proof.prove",
    "quota_reset.roll",
    "quota_reset.sweep",
    "recharge.collect",
    "recharge.receive",
    "recharge.reconcile",
    "recharge.sweep",
    "usage_ingest.age_quarantine",
    "usage_ingest.post",
    "usage_ingest.receive",
    "usage_ingest.reconcile",
    "usage_ingest.sweep",
)
MODULES = sorted(
    ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts)
    for path in FUNCTIONS.rglob("*.py")
    if path.name != "__init__.py"
)


def imports(module: str) -> Iterator[str]:
    """What a module imports when it runs; imports for type checkers alone do not count."""
    tree = ast.parse((FUNCTIONS / (module.replace(".", "/") + ".py")).read_text())
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)


def ours(name: str) -> bool:
    return name.split(".")[0] in ("billing", *ENTRY_PACKAGES)


def may_import(module: str, name: str) -> bool:
    """Whether the arrows allow one import of ours."""
    if module.startswith("billing.domain."):
        return name.startswith("billing.domain.")
    if module.startswith("billing.ports."):
        return name.startswith(("billing.domain.", "billing.ports."))
    if module.startswith("billing.services."):
        return name.startswith(("billing.domain.", "billing.ports.", "billing.services."))
    if module.startswith("billing.adapters."):
        return name.startswith(("billing.domain", "billing.ports", "billing.adapters."))
    package = module.split(".")[0]
    if name.startswith(f"{package}.") or name == f"{package}.bootstrap":
        return True
    if module == f"{package}.bootstrap":
        return name.startswith("billing.")
    # An entry point may read its own queue's, stream's or webhook's messages; it builds no adapter.
    return name.startswith(
        (
            "billing.domain.",
            "billing.ports.",
            "billing.services.",
            "billing.adapters.delivery_queue.",
            "billing.adapters.money_metrics.",
            "billing.adapters.queues.",
            "billing.adapters.webhook_http.",
            "billing.adapters.work_batch.",
            "billing.adapters.dynamodb.ledger_stream",
            "billing.adapters.dynamodb.outbox",
        )
    )


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_inward(module: str) -> None:
    wrong = [name for name in imports(module) if ours(name) and not may_import(module, name)]
    assert not wrong, f"{module} imports {wrong}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("billing.domain.")])
def test_the_domain_imports_the_standard_library_alone(module: str) -> None:
    foreign = {name.split(".")[0] for name in imports(module) if not ours(name)}
    assert foreign <= sys.stdlib_module_names
    # No clock, no environment, no input and output, no chance.
    assert not foreign & {"os", "time", "socket", "subprocess", "random", "secrets", "pathlib"}


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("billing.domain.")])
def test_the_domain_reads_no_clock_and_makes_no_float(module: str) -> None:
    tree = ast.parse((FUNCTIONS / (module.replace(".", "/") + ".py")).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today", "timestamp"}, ast.unparse(node)
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "float", ast.unparse(node)
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), node.value
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), (
            f"a division that names no rounding: {ast.unparse(node)}"
        )


@pytest.mark.parametrize("module", MODULES)
def test_only_bootstraps_read_the_environment_or_build_clients(module: str) -> None:
    if module.endswith(".bootstrap"):
        return
    source = (FUNCTIONS / (module.replace(".", "/") + ".py")).read_text()
    assert "os.environ" not in source
    assert "boto3.client" not in source
    assert "boto3.resource" not in source


def loaded_by(handler: str) -> set[str]:
    """Every module in memory once a handler is imported, in an empty environment."""
    script = f"import sys, {handler}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    return {handler: loaded_by(handler) for handler in HANDLERS}


def test_every_handler_imports_in_an_empty_environment(loaded: dict[str, set[str]]) -> None:
    assert all(handler in modules for handler, modules in loaded.items())


PRINTING = {"babel", "fontTools", "fpdf", "PIL", "uharfbuzz"}
FORBIDDEN = {
    "api.handler": {"stripe", "twilio", "moto", "aws_xray_sdk", "phonenumbers", *PRINTING},
    **{
        handler: {
            "pydantic",
            "stripe",
            "twilio",
            "moto",
            "aws_xray_sdk",
            "awscrt",
            "phonenumbers",
            *PRINTING,
        }
        for handler in HANDLERS
        if handler != "api.handler"
    },
}


@pytest.mark.parametrize("handler", HANDLERS)
def test_an_entry_point_loads_only_what_it_uses(loaded: dict[str, set[str]], handler: str) -> None:
    assert not loaded[handler] & FORBIDDEN[handler]


def test_every_handler_of_the_tree_is_known_here() -> None:
    found = {
        module
        for module in MODULES
        if "def lambda_handler(" in (FUNCTIONS / (module.replace(".", "/") + ".py")).read_text()
    }
    assert found == set(HANDLERS)
