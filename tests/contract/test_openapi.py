"""openapi.yaml and the collector say the same."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import httpx
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from collecting import RunningCollector, StartCollector, Tenant
from sitevault.collector.app import ROUTES
from sitevault.reasons import EXPLAINED

DOCUMENT: dict[str, Any] = yaml.safe_load(files("sitevault.collector").joinpath("openapi.yaml").read_text("utf-8"))
BY_STATUS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "TooLarge",
    415: "UnsupportedEncoding",
    429: "TooManyRequests",
    503: "Unavailable",
}


# A schema cannot say "no U+0000", so some data that fit it are refused; keys are tested in test_keys_and_origins.
NOT_OUR_PROMISE = [positive_data_acceptance, ignored_auth]


@pytest.fixture
def collector(start_collector: StartCollector) -> RunningCollector:
    """No worker runs here, so whoever waits for the vault waits in vain; let it be short."""
    return start_collector(wait_timeout_seconds=0.01)


schema = schemathesis.openapi.from_dict(DOCUMENT)


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_documented(
    case: schemathesis.Case, collector: RunningCollector, tenant: Tenant
):
    excluded = list(NOT_OUR_PROMISE)
    for name in [name for name in case.headers if name.lower() in ("authorization", "x-api-key")]:
        del case.headers[name]
    if "key" in case.path_parameters:
        case.path_parameters["key"] = tenant.secret
    else:
        case.headers["X-Api-Key"] = tenant.secret
    if "key" in case.path_parameters or case.operation.path.endswith(("/batch", "/bulk")):
        # We mended the one thing that was wrong; and a batch with one good event is a 200, whatever else it holds.
        excluded.append(negative_data_rejection)
    case.call_and_validate(base_url=collector.url, excluded_checks=excluded)


def test_the_document_is_served_as_it_is(client: httpx.Client):
    answer = client.get("/openapi.yaml")
    assert answer.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(answer.text) == DOCUMENT


def test_every_code_of_the_door_is_documented_under_its_status():
    codes = {
        reason.value: explained.http_status for reason, explained in EXPLAINED.items() if explained.http_status
    }
    assert set(DOCUMENT["components"]["schemas"]["Code"]["enum"]) == set(codes)
    responses = DOCUMENT["components"]["responses"]
    for code, status in codes.items():
        assert code in responses[BY_STATUS[status]]["description"]


def test_every_route_is_documented_and_nothing_else(client: httpx.Client):
    for path, operations in DOCUMENT["paths"].items():
        for method in operations.keys() - {"parameters"}:
            answer = client.request(method.upper(), path.replace("{event_id}", "x").replace("{key}", "x"))
            assert answer.status_code not in (404, 405), (method, path)
    documented = {path.replace("{event_id}", "") for path in DOCUMENT["paths"] if not path.startswith("/k/")}
    assert documented == set(ROUTES)
