"""The committed description is what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

from api.openapi import document, problem_codes
from api.problems import KINDS
from api.routes import ENDPOINTS

ROOT = Path(__file__).parents[3]


def generator() -> ModuleType:
    path = ROOT / "scripts" / "generate_openapi.py"
    spec = importlib.util.spec_from_file_location("generate_openapi", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_description_is_in_step() -> None:
    found = generator()
    assert found.TARGET.read_text(encoding="utf-8") == found.generate(), "run `make openapi`"


def test_every_endpoint_is_described_once() -> None:
    paths = document(ENDPOINTS, "")["paths"]
    described = {
        (method.upper(), path): operation
        for path, item in paths.items()
        for method, operation in item.items()
    }
    assert set(described) == {(e.method, e.path) for e in ENDPOINTS}
    names = [operation["operationId"] for operation in described.values()]
    assert len(set(names)) == len(names)


def test_a_parameter_of_a_query_has_its_bounds_and_is_never_null() -> None:
    operations = [
        one for item in document(ENDPOINTS, "")["paths"].values() for one in item.values()
    ]
    queries = {
        (operation["operationId"], one["name"]): one["schema"]
        for operation in operations
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    }
    assert queries["list_audit", "limit"] == {
        "title": "Limit",
        "type": "integer",
        "default": 25,
        "minimum": 1,
        "maximum": 100,
    }
    assert queries["list_audit", "actor"] == {
        "title": "Actor",
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
    }
    for name, schema in queries.items():
        assert not {"ge", "gt", "le", "lt"} & schema.keys(), name
        assert {"type": "null"} not in schema.get("anyOf", ()), name


def test_every_problem_is_in_the_table() -> None:
    for endpoint in ENDPOINTS:
        assert problem_codes(endpoint) <= set(KINDS), endpoint.name


def test_every_reference_leads_somewhere() -> None:
    found = document(ENDPOINTS, "")
    followed: list[str] = []

    def follow(value: object) -> None:
        if isinstance(value, list):
            for item in value:
                follow(item)
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str):
                target = found
                for part in reference.removeprefix("#/").split("/"):
                    target = target[part]
                followed.append(reference)
            for item in value.values():
                follow(item)

    follow(found)
    assert len(set(followed)) > len(ENDPOINTS)
