"""What the roles of the house may be and do: the rules that the grants of a live database are held against."""

from __future__ import annotations

from sitevault.db.roles import Role

TENANT_FACING = frozenset({Role.READER, Role.ERASER})
"""Who acts for one tenant at a time."""

OVERSIGHT = frozenset({Role.JUDGE, Role.AUDITOR})
"""Who sees every tenant and changes nothing."""

BYPASSING = frozenset({Role.COLLECTOR, Role.WORKER})
"""Who writes rows of many tenants at once: COPY is refused to roles under row-level security."""

BOUND = frozenset({Role.OWNER, *TENANT_FACING})
"""Whom the policies of a tenant bind."""

KEYS = frozenset({"tenant_h", "tenant_profile_s", "api_key_h", "api_key_s", "tenant_v", "api_key_v"})
"""What of schema auth a collector may read: enough to know whose a key is, and no secret."""

ROW_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})

ENGINE_TABLES = frozenset({("ops", "migration"), ("ops", "object_set")})
"""What the migration engine grants for itself."""


def may(role: str, privilege: str, schema: str, name: str) -> bool:
    """Whether the design lets a role have this right on a table, view or one of their columns."""
    match role:
        case Role.COLLECTOR:
            if privilege == "SELECT":
                return schema == "auth" and name in KEYS
            return privilege == "INSERT" and (schema, name) in (("raw", "landed_event"), ("raw", "batch"))
        case Role.WORKER:
            return _worker_may(privilege, schema, name)
        case Role.READER:
            return privilege == "SELECT" and (schema, name) not in _NOT_FOR_TENANTS and schema != "audit"
        case Role.ERASER:
            return privilege in ("SELECT", "DELETE") and schema == "business" and "_pii_" in name
        case Role.JUDGE:
            return privilege == "SELECT" and schema != "audit" and (schema, name) not in _SECRETS
        case Role.AUDITOR:
            return privilege == "SELECT" and (schema, name) not in _SECRETS
        case Role.MIGRATOR:
            return privilege == "SELECT" and (schema, name) in ENGINE_TABLES
    return False


_SECRETS = frozenset({("auth", "tenant_secret")})
_NOT_FOR_TENANTS = _SECRETS | {("auth", "api_key_h"), ("auth", "api_key_s"), ("auth", "api_key_v")}


def _worker_may(privilege: str, schema: str, name: str) -> bool:
    match privilege:
        case "SELECT":
            return schema != "audit"
        case "INSERT":
            return schema in ("staging", "business", "mart", "ops") or (schema, name) == ("raw", "dead_letter")
        case "UPDATE":
            # Landing, staging and the vault are insert-only: what was said once stays said.
            return schema in ("mart", "ops") or (schema == "raw" and name != "landed_event")
    return False
