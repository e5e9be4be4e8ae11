"""Settings: defaults, then sitevault.toml, then SITEVAULT_* variables; each documented where it stands."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sitevault.errors import ConfigurationError


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. The descriptions make docs/reference/configuration.md."""

    home: Annotated[Path, Meta(description="Where the embedded PostgreSQL and the credentials live.")] = Path(
        ".sitevault"
    )
    database_url: Annotated[
        str | None,
        Meta(
            description="A PostgreSQL 15-18 to use instead of the embedded one; also read from "
            "`DATABASE_URL`. Its user needs the right to create roles; the services do not use it."
        ),
    ] = None
    host: Annotated[str, Meta(description="Address the collector listens on.")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="Port the collector listens on; 0 takes a free one.")
    ] = 8400
    log_level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    ] = "info"

    max_body_bytes: Annotated[int, Meta(ge=1024, description="Largest request body, unpacked.")] = 5_242_880
    max_event_bytes: Annotated[int, Meta(ge=256, description="Largest single event.")] = 262_144
    max_batch_events: Annotated[int, Meta(ge=1, le=65_535, description="Most events in one batch.")] = 1_000
    max_json_depth: Annotated[int, Meta(ge=2, le=200, description="Deepest nesting of an event.")] = 32
    max_string_bytes: Annotated[int, Meta(ge=64, description="Longest string or key in an event.")] = 65_536
    max_queue_events: Annotated[
        int, Meta(ge=1, description="Events waiting for their commit before the collector answers 503.")
    ] = 20_000
    max_queue_bytes: Annotated[
        int, Meta(ge=1024, description="Bytes waiting for their commit before the collector answers 503.")
    ] = 33_554_432
    max_reading_bytes: Annotated[
        int,
        Meta(
            ge=65_536,
            description="Bytes of bodies still arriving (16 KiB more for each); beyond it the one that "
            "began first is answered 503.",
        ),
    ] = 33_554_432
    body_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long a body may take to arrive before the request is a 400.")
    ] = 30.0
    max_connections: Annotated[
        int,
        Meta(
            ge=16,
            le=1_000_000,
            description="Connections a collector holds at once; more wait outside. Fewer where the limit of "
            "open files (`ulimit -Hn`) allows fewer.",
        ),
    ] = 16_384
    rate_limit: Annotated[
        int,
        Meta(ge=0, description="Events per second a key may send when it has no rate of its own; 0: any."),
    ] = 0
    flush_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long an answer may wait for its commit before it is a 503.")
    ] = 10.0
    wait_timeout_seconds: Annotated[
        float, Meta(gt=0, description="How long `?wait=vault` waits before it answers with what is known.")
    ] = 10.0

    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Networks whose X-Forwarded-For and geo header are believed, e.g. `10.0.0.0/8`."),
    ] = ()
    geo_header: Annotated[
        str | None,
        Meta(description="Header in which a trusted proxy names the country, e.g. `cf-ipcountry`."),
    ] = None
    geo_database: Annotated[
        Path | None, Meta(description="A MaxMind-format (.mmdb) file to look countries and cities up in.")
    ] = None

    late_days: Annotated[int, Meta(ge=1, le=3650, description="How far back an event's own time is believed.")] = (
        30
    )
    claim_events: Annotated[
        int, Meta(ge=1, le=100_000, description="Most events a worker takes into one transaction.")
    ] = 10_000
    poll_seconds: Annotated[
        float, Meta(gt=0, le=60, description="How often an idle worker looks without being woken.")
    ] = 0.5
    pending_limit_seconds: Annotated[
        int, Meta(ge=1, description="A PENDING event older than this is an alarm in `sitevault status`.")
    ] = 60

    retention_raw_days: Annotated[
        int,
        Meta(
            ge=0, le=36_500, description="Full days landing is kept, then its partitions are dropped; 0: for ever."
        ),
    ] = 0
    retention_staging_days: Annotated[
        int,
        Meta(ge=0, le=36_500, description="Full days staging is kept; 0: for ever. Not shorter than landing."),
    ] = 0
    retention_vault_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Full days events stay in the vault, by their own day; 0: for ever. More than those of "
            "staging and `late_days` together. Hubs, links, satellites and marts stay.",
        ),
    ] = 0

    environments: Annotated[
        dict[str, dict[str, Any]],
        Meta(
            description="The environments of a release, in order: tables `[environments.NAME]`, in the file only."
        ),
    ] = {}
    people: Annotated[
        dict[str, Path],
        Meta(description="Who signs: name and file of the public key, table `[people]`, in the file only."),
    ] = {}


def load(path: Path | None = None, environ: dict[str, str] | None = None) -> Config:
    """Read the settings; a misspelt name or a value out of range is refused by name.

    `path` is the TOML file to read (default: $SITEVAULT_CONFIG, else ./sitevault.toml where there is one).
    """
    environ = dict(os.environ) if environ is None else environ
    named = path or (Path(environ["SITEVAULT_CONFIG"]) if "SITEVAULT_CONFIG" in environ else None)
    values: dict[str, Any] = {}
    source = named or Path("sitevault.toml")
    if named or source.exists():
        try:
            values = tomllib.loads(source.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(
                f"{source} cannot be read: {error}",
                fix="Mend the file, or point SITEVAULT_CONFIG at another.",
                command="sitevault config check",
            ) from error
    values |= _from_environment(environ)
    try:
        return msgspec.convert(values, Config, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"A setting is wrong: {error}",
            fix="docs/reference/configuration.md lists every setting with its range.",
            command="sitevault config check",
        ) from error


def problems(config: Config) -> list[str]:
    """What is wrong with settings that are each within their range; empty when nothing is."""
    found = []
    for network in config.trusted_proxies:
        try:
            ipaddress.ip_network(network.strip())
        except ValueError as error:
            found.append(f"trusted_proxies: {error}.")
    if config.geo_database is not None and not config.geo_database.is_file():
        found.append(f"geo_database: there is no file {config.geo_database}.")
    if config.geo_header and not config.trusted_proxies:
        found.append("geo_header: no proxy is trusted to send it; name its network in trusted_proxies.")
    if config.max_event_bytes > config.max_body_bytes:
        found.append("max_event_bytes: larger than max_body_bytes, so it can never be reached.")
    if config.max_body_bytes > config.max_queue_bytes:
        found.append("max_body_bytes: larger than max_queue_bytes, so the largest body never finds room.")
    if config.max_body_bytes > config.max_reading_bytes:
        found.append("max_body_bytes: larger than max_reading_bytes, so the largest body never arrives.")
    return found + retention_problems(config)


def retention_problems(config: Config) -> list[str]:
    """What is made of an event is kept longer than what it is made of: else its trace would end in nothing."""
    found = []
    raw, staging, vault = (
        days or None
        for days in (config.retention_raw_days, config.retention_staging_days, config.retention_vault_days)
    )
    if staging and (raw is None or staging < raw):
        found.append("retention_staging_days: shorter than retention_raw_days, whose events it explains.")
    if vault and (staging is None or vault <= staging + config.late_days):
        found.append(
            "retention_vault_days: must be more than retention_staging_days + late_days, or an event that comes "
            "late would be gone from the vault before it is from landing."
        )
    return found


def _from_environment(environ: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if environ.get("DATABASE_URL"):
        values["database_url"] = environ["DATABASE_URL"]
    for field in msgspec.structs.fields(Config):
        text = environ.get(f"SITEVAULT_{field.name.upper()}")
        if text is not None and field.name not in ("environments", "people"):
            values[field.name] = _listed(text) if field.name == "trusted_proxies" else text
    return values


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _path(kind: type, value: object) -> Path:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(f"Expected a path, got {value!r}")
