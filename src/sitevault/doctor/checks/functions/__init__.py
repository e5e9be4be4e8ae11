"""The functions in the database: F1 to F8, the faults that no catalog shows."""

from __future__ import annotations

from sitevault.doctor.checks.functions import (
    arbitrary_tenant,
    field_contract,
    lost_error_write,
    missing_object,
    orphan_overload,
    set_returning_in_scalar,
    swallowed_failure,
    unconditional_claim,
)

CHECKS = (
    arbitrary_tenant.CHECK,
    field_contract.CHECK,
    set_returning_in_scalar.CHECK,
    missing_object.CHECK,
    lost_error_write.CHECK,
    swallowed_failure.CHECK,
    orphan_overload.CHECK,
    unconditional_claim.CHECK,
)
