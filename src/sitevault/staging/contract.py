"""A tenant's JSON Schema for one event type, compiled once per content."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

_MOST_VIOLATIONS = 10


class Contract:
    """What a tenant demands of one type of event."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._text = msgspec.json.encode(schema, order="deterministic")

    def violations(self, payload: dict[str, Any]) -> list[str]:
        """The schema paths the payload does not satisfy, e.g. "/properties/price/type"; at most ten.

        Paths of the schema only: nothing in them comes from the payload. Raises ValueError when the schema
        itself cannot be used.
        """
        validator = _compiled(self._text)
        if validator.is_valid(payload):
            return []
        paths: dict[str, None] = {}
        for error in validator.iter_errors(payload):
            paths["".join(f"/{part}" for part in error.schema_path)] = None
            if len(paths) == _MOST_VIOLATIONS:
                break
        return list(paths)


@lru_cache(maxsize=1024)
def _compiled(text: bytes) -> Any:
    # Formats are asserted, references never fetched, patterns run on the engine without backtracking.
    return jsonschema_rs.validator_for(
        msgspec.json.decode(text),
        validate_formats=True,
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
    )
