"""The worker bypasses row-level security, so each of its statements keeps tenants apart by its joins."""

from __future__ import annotations

import re

import pytest

from sitevault.db import queries

STAGES = ("pipeline", "vault", "marts", "worker", "replay")

_NEXT = r"\b(?:LEFT|INNER|CROSS|FULL|RIGHT|JOIN|WHERE|GROUP|ORDER|ON CONFLICT|LIMIT|RETURNING|UNION)\b|;|\Z"
_JOIN = re.compile(rf"JOIN\s+(?P<table>[\w.]+)(?:\s+AS)?(?:\s+\w+)?\s+ON\s+(?P<on>.*?)(?={_NEXT})", re.DOTALL)
_EXISTS = re.compile(r"EXISTS\s*\((?P<on>.*?)\)", re.DOTALL)
_TENANTS = re.compile(r"\b(?:raw|staging|business|mart|ops|auth)\.\w+")
_COMMENT = re.compile(r"--[^\n]*")

# A manifest names several tenants, and the rows it is joined to bring their own.
_BY_NUMBER = {"raw.batch": "batch_id"}


def loose_joins(text: str) -> list[str]:
    """The joins of a statement that do not say that both sides are one tenant's."""
    text = _COMMENT.sub("", text)
    joins = [
        f"{match['table']} ON {match['on'].strip()}"
        for match in _JOIN.finditer(text)
        if "tenant_hk" not in match["on"] and _BY_NUMBER.get(match["table"], "tenant_hk") not in match["on"]
    ]
    asked = [
        match["on"].strip()
        for match in _EXISTS.finditer(text)
        if _TENANTS.search(match["on"]) and "tenant_hk" not in match["on"]
    ]
    return joins + asked


@pytest.mark.parametrize("stage", STAGES)
def test_every_join_of_the_worker_holds_the_tenant(stage: str) -> None:
    sql = queries.load(stage)
    assert {name: loose for name in sql if (loose := loose_joins(getattr(sql, name)))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM staged AS s INNER JOIN business.site_page_h AS h ON s.page_hk = h.page_hk WHERE s.x = 1",
        "SELECT 1 FROM a LEFT JOIN b USING (x) JOIN mart.session_f f ON f.session_hk = a.session_hk -- tenant_hk",
        "SELECT 1 FROM a WHERE NOT EXISTS (SELECT FROM business.site_user_h AS h WHERE h.user_hk = a.user_hk)",
    ],
)
def test_a_join_without_the_tenant_is_seen(text: str) -> None:
    assert len(loose_joins(text)) == 1
