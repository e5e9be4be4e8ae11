"""Every reason Sitevault gives for what it did with an event or a request: a closed list.

A code is `stage.what`. Its severity says what it means for the event: an *error* stops it (the door
refuses it, staging marks it INVALID, or it becomes a dead letter), a *warning* is stored with the event,
*info* is intended behaviour worth counting. The door's codes also have an HTTP status.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Reason(StrEnum):
    # -- the door: nothing with one of these was accepted ------------------------------------------------
    BODY_TOO_LARGE = "collect.body_too_large"
    BODY_INCOMPLETE = "collect.body_incomplete"
    BATCH_TOO_LARGE = "collect.batch_too_large"
    BATCH_EMPTY = "collect.batch_empty"
    BATCH_NOT_A_LIST = "collect.batch_not_a_list"
    EVENT_TOO_LARGE = "collect.event_too_large"
    EVENT_NOT_AN_OBJECT = "collect.event_not_an_object"
    ENCODING_UNSUPPORTED = "collect.encoding_unsupported"
    GZIP_MALFORMED = "collect.gzip_malformed"
    GZIP_TOO_LARGE = "collect.gzip_too_large"
    JSON_MALFORMED = "collect.json_malformed"
    JSON_NOT_UTF8 = "collect.json_not_utf8"
    JSON_NUL_CHARACTER = "collect.json_nul_character"
    JSON_LONE_SURROGATE = "collect.json_lone_surrogate"
    JSON_NUMBER_OUT_OF_RANGE = "collect.json_number_out_of_range"
    JSON_TOO_DEEP = "collect.json_too_deep"
    STRING_TOO_LONG = "collect.string_too_long"
    PARAMETER_INVALID = "collect.parameter_invalid"
    EVENT_ID_INVALID = "collect.event_id_invalid"
    AUTH_MISSING_KEY = "collect.auth_missing_key"
    AUTH_UNKNOWN_KEY = "collect.auth_unknown_key"
    AUTH_REVOKED_KEY = "collect.auth_revoked_key"
    AUTH_CONFLICTING_KEYS = "collect.auth_conflicting_keys"
    TENANT_SUSPENDED = "collect.tenant_suspended"
    ORIGIN_NOT_ALLOWED = "collect.origin_not_allowed"
    KEY_CANNOT_READ = "collect.key_cannot_read"
    EVENT_NOT_FOUND = "collect.event_not_found"
    EVENT_REMOVED = "collect.event_removed"
    PATH_NOT_FOUND = "collect.path_not_found"
    METHOD_NOT_ALLOWED = "collect.method_not_allowed"
    RATE_LIMITED = "collect.rate_limited"
    OVERLOADED = "collect.overloaded"
    STORAGE_UNAVAILABLE = "collect.storage_unavailable"
    REFUSED_BY_STORAGE = "collect.refused_by_storage"
    SHUTTING_DOWN = "collect.shutting_down"
    INTERNAL_ERROR = "collect.internal_error"
    # -- adapters: what could not be made an event -------------------------------------------------------
    ROW_UNREADABLE = "adapt.row_unreadable"
    # -- staging: rules of the score (staging/rules.py holds the deductions) -----------------------------
    EVENT_TYPE_MISSING = "validate.event_type_missing"
    EVENT_TYPE_MALFORMED = "validate.event_type_malformed"
    PAGE_URL_MISSING = "validate.page_url_missing"
    PAGE_URL_MALFORMED = "validate.page_url_malformed"
    SESSION_MISSING = "validate.session_missing"
    VISITOR_MISSING = "validate.visitor_missing"
    TIMESTAMP_MISSING = "validate.timestamp_missing"
    TIMESTAMP_MALFORMED = "validate.timestamp_malformed"
    TIMESTAMP_IN_FUTURE = "validate.timestamp_in_future"
    TIMESTAMP_TOO_OLD = "validate.timestamp_too_old"
    FIELD_TYPE_UNEXPECTED = "validate.field_type_unexpected"
    FIELD_TRUNCATED = "validate.field_truncated"
    CHARACTER_REMOVED = "validate.character_removed"
    MARKUP_SUSPICIOUS = "validate.markup_suspicious"
    SQL_SUSPICIOUS = "validate.sql_suspicious"
    PATH_TRAVERSAL_SUSPICIOUS = "validate.path_traversal_suspicious"
    SCHEMA_VIOLATED = "validate.schema_violated"
    QUALITY_TOO_LOW = "validate.quality_too_low"
    # -- staging: enrichment ------------------------------------------------------------------------------
    ENRICHMENT_FAILED = "enrich.step_failed"
    CLOCK_CORRECTED = "enrich.clock_corrected"
    BOT_DETECTED = "enrich.bot_detected"
    # -- vault --------------------------------------------------------------------------------------------
    DUPLICATE = "dedup.duplicate"
    CONFLICT = "dedup.conflict"
    # -- dead letters -------------------------------------------------------------------------------------
    STAGING_FAILED = "load.staging_failed"
    REJECTED_BY_DATABASE = "load.rejected_by_database"
    KEY_NOT_OF_TENANT = "load.key_not_of_tenant"


class Explained(NamedTuple):
    severity: Severity
    meaning: str
    http_status: int | None = None


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

EXPLAINED: dict[Reason, Explained] = {
    Reason.BODY_TOO_LARGE: Explained(_E, "The request body is larger than `max_body_bytes`.", 413),
    Reason.BODY_INCOMPLETE: Explained(
        _E,
        "The body did not arrive whole: cut off, not as it was announced, or longer than `body_timeout_seconds`.",
        400,
    ),
    Reason.BATCH_TOO_LARGE: Explained(_E, "The batch has more events than `max_batch_events`.", 413),
    Reason.BATCH_EMPTY: Explained(_E, "The batch has no events.", 400),
    Reason.BATCH_NOT_A_LIST: Explained(
        _E, 'A batch is a JSON list of events, or an object with such a list under "events" or "batch".', 400
    ),
    Reason.EVENT_TOO_LARGE: Explained(_E, "One event is larger than `max_event_bytes`.", 413),
    Reason.EVENT_NOT_AN_OBJECT: Explained(_E, "An event is a JSON object.", 400),
    Reason.ENCODING_UNSUPPORTED: Explained(_E, "The body's Content-Encoding is neither gzip nor identity.", 415),
    Reason.GZIP_MALFORMED: Explained(_E, "The body says gzip and is not, or ends early.", 400),
    Reason.GZIP_TOO_LARGE: Explained(_E, "The body would unpack to more than `max_body_bytes`.", 413),
    Reason.JSON_MALFORMED: Explained(_E, "The body is not JSON (RFC 8259).", 400),
    Reason.JSON_NOT_UTF8: Explained(_E, "The body is not UTF-8.", 400),
    Reason.JSON_NUL_CHARACTER: Explained(
        _E, "A string holds the character U+0000, which PostgreSQL cannot store.", 400
    ),
    Reason.JSON_LONE_SURROGATE: Explained(_E, "A string holds half of a UTF-16 surrogate pair.", 400),
    Reason.JSON_NUMBER_OUT_OF_RANGE: Explained(_E, "A number is outside the range of a double.", 400),
    Reason.JSON_TOO_DEEP: Explained(_E, "The event is nested deeper than `max_json_depth`.", 400),
    Reason.STRING_TOO_LONG: Explained(_E, "A string or key is longer than `max_string_bytes`.", 400),
    Reason.PARAMETER_INVALID: Explained(_E, "A query parameter has a value that means nothing here.", 400),
    Reason.EVENT_ID_INVALID: Explained(_E, "The event id in the path is not a UUID.", 400),
    Reason.AUTH_MISSING_KEY: Explained(_E, "The request carries no API key.", 401),
    Reason.AUTH_UNKNOWN_KEY: Explained(_E, "No tenant has this API key.", 401),
    Reason.AUTH_REVOKED_KEY: Explained(_E, "This API key was revoked.", 401),
    Reason.AUTH_CONFLICTING_KEYS: Explained(_E, "Two headers carry two different API keys.", 400),
    Reason.TENANT_SUSPENDED: Explained(_E, "The key's tenant is suspended.", 403),
    Reason.ORIGIN_NOT_ALLOWED: Explained(_E, "The page's origin is not on the public key's list.", 403),
    Reason.KEY_CANNOT_READ: Explained(_E, "Public keys write; reading takes a secret key.", 403),
    Reason.EVENT_NOT_FOUND: Explained(_E, "This tenant has no event with this id.", 404),
    Reason.EVENT_REMOVED: Explained(
        _E,
        "This tenant has no event with this id; it may be among the landings that retention removed.",
        404,
    ),
    Reason.PATH_NOT_FOUND: Explained(_E, "There is nothing at this path.", 404),
    Reason.METHOD_NOT_ALLOWED: Explained(_E, "The path exists, but not for this method.", 405),
    Reason.RATE_LIMITED: Explained(_E, "The key sent more events than its rate allows; see Retry-After.", 429),
    Reason.OVERLOADED: Explained(_E, "The collector holds all it may; see Retry-After.", 503),
    Reason.STORAGE_UNAVAILABLE: Explained(_E, "PostgreSQL does not answer; see Retry-After.", 503),
    Reason.REFUSED_BY_STORAGE: Explained(
        _E,
        "PostgreSQL refused the request's data and would refuse it again; the rest of the flush was stored.",
        400,
    ),
    Reason.SHUTTING_DOWN: Explained(_E, "The collector is stopping; see Retry-After.", 503),
    Reason.INTERNAL_ERROR: Explained(_E, "A fault of ours; the log says more. See Retry-After.", 503),
    Reason.ROW_UNREADABLE: Explained(
        _E, "A row of a file `sitevault send` read is not an event; it was not sent."
    ),
    Reason.EVENT_TYPE_MISSING: Explained(_E, "No field says what kind of event this is."),
    Reason.EVENT_TYPE_MALFORMED: Explained(_E, "The event type is not a short name."),
    Reason.PAGE_URL_MISSING: Explained(_W, "A page view without a page."),
    Reason.PAGE_URL_MALFORMED: Explained(_W, "The page is not an http(s) URL."),
    Reason.SESSION_MISSING: Explained(_W, "The event names no session."),
    Reason.VISITOR_MISSING: Explained(_W, "The event names neither a visitor nor a user."),
    Reason.TIMESTAMP_MISSING: Explained(_W, "The event does not say when it happened; received time is used."),
    Reason.TIMESTAMP_MALFORMED: Explained(_W, "The event's time cannot be read; received time is used."),
    Reason.TIMESTAMP_IN_FUTURE: Explained(
        _W, "The event's time is more than a day ahead of ours; received time is used."
    ),
    Reason.TIMESTAMP_TOO_OLD: Explained(
        _W, "The event's time is more than `late_days` back; received time is used."
    ),
    Reason.FIELD_TYPE_UNEXPECTED: Explained(_W, "A field has a type it cannot have and was left empty."),
    Reason.FIELD_TRUNCATED: Explained(_W, "A field was longer than its column and was cut."),
    Reason.CHARACTER_REMOVED: Explained(
        _W, "Text held U+0000 or half of a surrogate pair, which PostgreSQL cannot store; it was taken out."
    ),
    Reason.MARKUP_SUSPICIOUS: Explained(_W, "A field carries script markup."),
    Reason.SQL_SUSPICIOUS: Explained(_W, "A field looks like an attempt at SQL injection."),
    Reason.PATH_TRAVERSAL_SUSPICIOUS: Explained(_W, "A field looks like an attempt at path traversal."),
    Reason.SCHEMA_VIOLATED: Explained(_E, "The event does not satisfy the tenant's JSON Schema for its type."),
    Reason.QUALITY_TOO_LOW: Explained(_E, "The quality score is below 0.30."),
    Reason.ENRICHMENT_FAILED: Explained(_W, "An enrichment failed; its fields are empty, the event went on."),
    Reason.CLOCK_CORRECTED: Explained(_I, "The client's clock was off; the time was derived from sent_at."),
    Reason.BOT_DETECTED: Explained(_I, "The client says or shows that it is a program; flagged, never dropped."),
    Reason.DUPLICATE: Explained(_I, "The vault already has this event."),
    Reason.CONFLICT: Explained(_W, "The vault already has an event with this id and another body."),
    Reason.STAGING_FAILED: Explained(_E, "Staging raised an error on this event: a fault of ours."),
    Reason.REJECTED_BY_DATABASE: Explained(_E, "PostgreSQL refused the event; SQLSTATE and constraint are kept."),
    Reason.KEY_NOT_OF_TENANT: Explained(_E, "The event's key does not belong to the event's tenant."),
}


def http_status(reason: Reason) -> int:
    """The HTTP status of one of the door's reasons."""
    status = EXPLAINED[reason].http_status
    if status is None:
        raise ValueError(f"{reason} is not a reason of the door")
    return status
