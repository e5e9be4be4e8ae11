"""The frame of SARIF 2.1.0 (OASIS) that code-scanning pages and editors read; what is in it is the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sitevault import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def log(
    tool: str, rules: Mapping[str, str], results: Iterable[dict[str, Any]], *, complete: bool
) -> dict[str, Any]:
    """A SARIF log of one run: the rules by id, what was found, and whether all could be determined."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": tool,
                        "version": __version__,
                        "rules": [
                            {"id": name, "shortDescription": {"text": rules[name]}} for name in sorted(rules)
                        ],
                    }
                },
                "invocations": [{"executionSuccessful": complete}],
                "results": list(results),
            }
        ],
    }


def result(rule: str, level: str, text: str, place: str) -> dict[str, Any]:
    """One result: error, warning or note, at an object of the database."""
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": place}]}],
    }
