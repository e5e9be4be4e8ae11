"""The rules of validation and of the quality score."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from landed import PAGE_VIEW, RECEIVED, SECRET, TENANT, codes, findings, landed, page_view, page_view_with, stage
from sitevault.reasons import EXPLAINED, Severity
from sitevault.staging.model import TenantRules
from sitevault.staging.rules import RULES, Effect
from sitevault.staging.stage import Stager
from sitevault.staging.suspicion import suspicions

GUIDE = [
    {
        "event_type": event_type,
        "page_url": f"https://theonespa.com{path}",
        "timestamp": f"2026-01-15T09:5{minute}:00Z",
        "event_data": {
            "session_id": f"sess_{minute}",
            "user_id": f"user_{minute}",
            "page_title": title,
            "device_type": device,
            "scroll_depth": 75,
        },
    }
    for minute, (event_type, path, title, device) in enumerate(
        [
            ("page_view", "/", "The ONE Spa", "desktop"),
            ("page_view", "/treatments", "Treatments", "mobile"),
            ("form_submit", "/booking", "Book", "mobile"),
            ("page_view", "/booking/thanks", "Thank you", "tablet"),
            ("button_click", "/gift-cards", "Gift cards", "desktop"),
        ]
    )
]

LACKING: dict[str, tuple[dict[str, Any], str]] = {
    "event_type_missing": (page_view(event_type=None), "0.50"),
    "event_type_malformed": (page_view(event_type="(nothing)"), "0.50"),
    "session_missing": (page_view_with(session_id=None), "0.80"),
    "page_missing": (page_view(page_url=None), "0.70"),
    "page_malformed": (page_view(page_url="app://home"), "0.80"),
    "visitor_missing": (page_view_with(visitor_id=None), "0.95"),
    "timestamp_missing": (page_view(timestamp=None), "0.90"),
    "timestamp_malformed": (page_view(timestamp="yesterday"), "0.90"),
    "timestamp_in_future": (page_view(timestamp="2026-01-16T10:00:02Z"), "0.90"),
    "timestamp_too_old": (page_view(timestamp="1970-01-01T00:00:00Z"), "0.90"),
    "field_type": (page_view_with(page_title=["Pricing"]), "0.90"),
    "field_length": (page_view_with(page_title="x" * 513), "0.95"),
    "characters": (page_view_with(page_title="a\0b"), "0.95"),
    "markup": (page_view_with(page_title="<script>alert(1)</script>"), "0.80"),
    "sql": (page_view(page_url="https://example.com/?id=1' OR '1'='1"), "0.80"),
    "traversal": (page_view(page_url="https://example.com/?f=../../etc/passwd"), "0.80"),
}
BY_ID = {rule.id: rule for rule in RULES}


def test_every_rule_has_an_example_here() -> None:
    assert list(LACKING) == [rule.id for rule in RULES]


@pytest.mark.parametrize("rule_id", list(LACKING))
def test_a_rule_fires_alone_and_costs_exactly_its_deduction(rule_id: str) -> None:
    payload, score = LACKING[rule_id]
    rule = BY_ID[rule_id]
    event = stage(payload)
    assert codes(event) == [rule.reason]
    assert str(event.quality_score) == score
    assert event.quality_score == 1 - Decimal(rule.deduction) / 100
    assert (
        event.validation_status
        == {
            Effect.SCORE: "VALID",
            Effect.SUSPICIOUS: "SUSPICIOUS",
            Effect.INVALID: "INVALID",
        }[rule.effect]
    )


def test_a_faultless_event_scores_one() -> None:
    event = stage(PAGE_VIEW)
    assert (event.validation_status, str(event.quality_score), event.validation_errors) == ("VALID", "1.00", b"[]")


def test_rules_are_named_once_and_explained() -> None:
    assert len(BY_ID) == len(RULES) == len({rule.reason for rule in RULES})
    assert all(rule.about.endswith(".") for rule in RULES)


def test_only_errors_make_an_event_invalid() -> None:
    for rule in RULES:
        assert (rule.effect is Effect.INVALID) == (EXPLAINED[rule.reason].severity is Severity.ERROR)


def test_a_click_needs_no_page() -> None:
    assert codes(stage(page_view(event_type="click", page_url=None))) == []


def test_a_user_id_counts_as_a_known_visitor() -> None:
    assert codes(stage(page_view_with(visitor_id=None, user_id="u-1"))) == []


@pytest.mark.parametrize(
    "event_type", ["Order Completed", "$identify", "cart.add", "ns:thing/other-1", "größe", "x" * 128]
)
def test_a_short_name_is_an_event_type(event_type: str) -> None:
    assert stage(page_view(event_type=event_type)).event_type == event_type


@pytest.mark.parametrize("event_type", ["<b>", "a\nb", "-dash", "x" * 129, "a;b", "😀"])
def test_anything_else_is_not(event_type: str) -> None:
    event = stage(page_view(event_type=event_type))
    assert event.validation_status == "INVALID"
    assert codes(event)[0] == "validate.event_type_malformed"
    assert len(event.event_type or "") <= 128


def test_below_thirty_hundredths_an_event_is_invalid() -> None:
    event = stage({"event_type": "page_view", "title": [], "session_id": [], "url": "https://e.com/<script>"})
    assert codes(event)[-1] == "validate.quality_too_low" or event.quality_score >= Decimal("0.30")
    worst = stage({"event_type": "page_view", "page_url": [], "title": "<script>' or 1=1 --\0" + "x" * 600})
    assert worst.quality_score < Decimal("0.30")
    assert worst.validation_status == "INVALID"
    assert codes(worst)[-1] == "validate.quality_too_low"


def test_an_empty_event_scores_nothing_less_than_zero() -> None:
    event = stage({"timestamp": [], "url": True, "title": {}, "session_id": [], "user_id": [], "language": []})
    assert event.validation_status == "INVALID"
    assert event.quality_score >= 0


@pytest.mark.parametrize("payload", GUIDE, ids=lambda payload: payload["event_data"]["session_id"])
def test_the_guides_events_are_valid_enriched_and_better_than_the_guide_found_them(
    payload: dict[str, Any],
) -> None:
    event = stage(payload)
    assert (event.validation_status, event.enrichment_status) == ("VALID", "ENRICHED")
    assert event.quality_score >= Decimal("0.80")
    assert event.session_id == payload["event_data"]["session_id"]
    assert event.page_title == payload["event_data"]["page_title"]
    assert event.device_class == payload["event_data"]["device_type"]
    assert json.loads(event.properties or b"{}") == {"event_data": {"scroll_depth": 75}}


PRICE_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["price"],
    "properties": {"price": {"type": "number", "minimum": 0}, "at": {"type": "string", "format": "date-time"}},
}
SELLING = TenantRules(TENANT, SECRET, schemas={"purchase": PRICE_SCHEMA})


def test_an_event_that_keeps_its_contract_is_valid() -> None:
    event = stage(page_view(event_type="purchase", price=3), rules=SELLING)
    assert (event.validation_status, codes(event)) == ("VALID", [])


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({}, "/required"),
        ({"price": "four-secret-words"}, "/properties/price/type"),
        ({"price": -1}, "/properties/price/minimum"),
        ({"price": 1, "at": "yesterday"}, "/properties/at/format"),
    ],
)
def test_a_broken_contract_is_invalid_and_names_the_schemas_path_only(broken: dict[str, Any], path: str) -> None:
    event = stage(page_view(event_type="purchase", **broken), rules=SELLING)
    assert event.validation_status == "INVALID"
    assert findings(event) == [("validate.schema_violated", path)]
    assert b"secret" not in event.validation_errors


def test_a_contract_binds_only_its_own_event_type() -> None:
    assert stage(page_view(event_type="refund"), rules=SELLING).validation_status == "VALID"


def test_a_contract_may_name_the_type_as_the_client_does() -> None:
    rules = TenantRules(TENANT, SECRET, schemas={"pageview": {"required": ["price"]}})
    assert stage(page_view(event_type="pageview"), rules=rules).validation_status == "INVALID"


def test_a_contract_holds_against_whole_numbers_of_any_size() -> None:
    assert stage(page_view(event_type="purchase", price=10**40), rules=SELLING).validation_status == "VALID"


@pytest.mark.parametrize("unusable", [{"type": "nonsense"}, {"$ref": "https://example.com/schema.json"}])
def test_a_contract_that_cannot_be_used_fails_its_events_and_no_others(unusable: dict[str, Any]) -> None:
    rules = TenantRules(TENANT, SECRET, schemas={"purchase": unusable})
    bought, seen = landed(page_view(event_type="purchase")), landed(PAGE_VIEW, number=1)
    batch = Stager().stage_batch([bought, seen], {TENANT: rules})
    assert [event.raw_event_id for event in batch.staged] == [seen.raw_event_id]
    assert [event for event, _ in batch.failed] == [bought]
    assert "in judge" in batch.failed[0][1]


@pytest.mark.parametrize(
    "text",
    [
        "Select from our menu", "Union Square - select your hotel", "Rock & Roll -- it's on!", "Tom's 1=1 story",
        "50% off; drop by our table", "C:\\> a guide", "Prices <20 €", "John and Mary's", "Sleep better (guide)",
        "Update: new schema.org types", "O'Reilly and sons", "Sign up; create a table",
        "What is ../ in a path?", "Online = on time", "form <-> function", "data: text and numbers",
    ],
)  # fmt: skip
def test_an_ordinary_title_is_not_suspicious(text: str) -> None:
    assert stage(page_view_with(page_title=text)).validation_status == "VALID"


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("page_title", "<ScRiPt src=//evil>", "validate.markup_suspicious"),
        ("page_title", '<img src=x onerror="alert(1)">', "validate.markup_suspicious"),
        ("page_title", "\" onmouseover='steal()'", "validate.markup_suspicious"),
        ("referrer", "javascript:alert(1)", "validate.markup_suspicious"),
        ("page_url", "https://example.com/?q=%3Cscript%3E", "validate.markup_suspicious"),
        ("page_url", "https://example.com/?q=%253Cscript%253E", "validate.markup_suspicious"),
        ("page_url", "https://example.com/?id=1+UNION+ALL+SELECT+1", "validate.sql_suspicious"),
        ("page_url", "https://example.com/?id=1%27%20or%201=1--", "validate.sql_suspicious"),
        ("page_url", "https://example.com/?id=1;DROP%20TABLE%20users", "validate.sql_suspicious"),
        ("page_url", "https://example.com/?id=pg_sleep(5)", "validate.sql_suspicious"),
        ("event_type", "x' OR '1'='1", "validate.sql_suspicious"),
        ("referrer", "https://evil.example/../../etc/shadow", "validate.path_traversal_suspicious"),
        ("page_url", "https://example.com/%2e%2e%2f%2e%2e%2fx", "validate.path_traversal_suspicious"),
        ("page_url", "https://example.com/?f=..\\..\\windows\\system32", "validate.path_traversal_suspicious"),
        ("page_url", "https://example.com/x%00.png", "validate.path_traversal_suspicious"),
    ],
)
def test_an_attack_is_noted_with_its_field_and_goes_on(field: str, text: str, code: str) -> None:
    event = stage(page_view(**{field: text}) if field != "page_title" else page_view_with(page_title=text))
    assert (code, "referrer_url" if field == "referrer" else field) in findings(event)
    assert event.validation_status in ("SUSPICIOUS", "INVALID")


def test_the_time_of_an_event_not_believed_is_when_it_was_received() -> None:
    assert stage(page_view(timestamp="2099-01-01T00:00:00Z")).occurred_at == RECEIVED


HOSTILE = [
    unit * (4096 // len(unit)) for unit in ("<", "'", "' ", "<a ", ";", "<\t on", "..", "union ", "'or(", "' on")
]
HOSTILE += ["'" + " " * 4095, "<" + " " * 4095, "%25" * 1365, "' or " + "1" * 4000]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:6]))
def test_no_text_takes_long_to_look_through(text: str) -> None:
    suspicions.cache_clear()
    began = time.process_time()
    suspicions(text)
    assert time.process_time() - began < 0.1
