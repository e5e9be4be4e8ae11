"""The steps of staging, in order: read `STEPS` and you know what happens to an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from sitevault.reasons import Reason
from sitevault.staging import payload, rules
from sitevault.staging.draft import Draft, PageState, TimeState
from sitevault.staging.enrich.bot import NO_USER_AGENT, WEBDRIVER, bot_evidence
from sitevault.staging.enrich.clock import derive_time
from sitevault.staging.enrich.geo import NOWHERE, hinted_place
from sitevault.staging.enrich.ip import keep_ip, read_ip
from sitevault.staging.enrich.referrer import origin_of
from sitevault.staging.enrich.url import canonical_url, query_tags, split_url
from sitevault.staging.enrich.user_agent import declared_class, read_user_agent
from sitevault.staging.mapping import FIELDS, SYNONYMS
from sitevault.staging.suspicion import suspicions
from sitevault.timestamps import read_timestamp

_REFERRER_SCHEMES = ("http", "https", "android-app", "ios-app")
_LOOKED_AT = ("event_type", "page_url", "page_title", "referrer_url")
_encode_findings = msgspec.json.Encoder().encode


class Step(NamedTuple):
    """One named step. An enrichment names the columns it fills: when it throws, only they are lost."""

    name: str
    run: Callable[[Draft], None]
    fills: tuple[str, ...] | None = None


def read_payload(d: Draft) -> None:
    """The bytes become a JSON object."""
    d.payload, d.cleaned = payload.read_object(d.landed.payload)


def map_fields(d: Draft) -> None:
    """Each field takes its value from the first path that has one; the choice is recorded."""
    mapped = d.tenant.mapping.take(d.payload)
    d.fields, d.properties, d.unexpected, d.truncated = (
        mapped.values,
        mapped.rest,
        mapped.unexpected,
        mapped.truncated,
    )
    d.path_set = d.tenant.mapping.path_set(mapped.paths)
    out, get = d.out, mapped.values.get
    out.mapping_hk = d.path_set.mapping_hk
    event_type: str | None = get("event_type")
    out.event_type = event_type if event_type is None else SYNONYMS.get(event_type, event_type)
    out.session_id, out.visitor_id, d.user_id = get("session_id"), get("visitor_id"), get("user_id")
    out.page_title, out.language, out.screen = get("page_title"), get("language"), get("screen")
    d.user_agent = get("user_agent") or _header_user_agent(d.landed.user_agent)
    out.user_agent = d.user_agent


def _header_user_agent(header: str | None) -> str | None:
    if not header:
        return None
    return header[: FIELDS["user_agent"].limit].replace("\0", "").strip() or None


def set_clock(d: Draft) -> None:
    """When it happened, by the server's clock."""
    sent_time = d.fields.get("occurred_at")
    if sent_time is None:
        d.time_state = TimeState.MISSING
        return
    occurred = read_timestamp(sent_time)
    if occurred is None:
        d.time_state = TimeState.MALFORMED
        return
    derived = derive_time(
        occurred, read_timestamp(d.fields.get("sent_at")), d.landed.received_timestamp, d.late_days
    )
    if derived.corrected:
        d.note(Reason.CLOCK_CORRECTED, "occurred_at")
    d.out.occurred_at = derived.occurred_at
    d.time_state = (
        TimeState.TOO_OLD if derived.too_old else TimeState.IN_FUTURE if derived.in_future else TimeState.GOOD
    )


def set_page(d: Draft) -> None:
    """One spelling for the page; its query apart, with campaign tags and click id read from it."""
    out, get = d.out, d.fields.get
    out.utm_source, out.utm_medium, out.utm_campaign = get("utm_source"), get("utm_medium"), get("utm_campaign")
    out.utm_term, out.utm_content = get("utm_term"), get("utm_content")
    text = get("page_url")
    if text is None:
        d.page_state = PageState.MISSING
        return
    if text.startswith("/") and d.landed.origin:
        text = f"https:{text}" if text.startswith("//") else d.landed.origin + text
    base, query = split_url(text)
    page = canonical_url(base)
    if page is None:
        d.page_state = PageState.MALFORMED
        return
    out.page_url, out.page_query, d.page_host = page.url, query, page.host
    d.page_state = PageState.GOOD
    if query is not None:
        tags = query_tags(query)
        out.click_id_kind = tags.click_id
        for tag, value in tags.utm.items():
            if tag not in d.fields:
                setattr(out, tag, value)


def set_origin(d: Draft) -> None:
    """Where the visitor came from."""
    out = d.out
    text = d.fields.get("referrer_url")
    if text is not None:
        referrer = canonical_url(split_url(text)[0], _REFERRER_SCHEMES)
        if referrer is not None:
            out.referrer_url, out.referrer_host = referrer.url, referrer.host
    out.source, out.channel = origin_of(
        out.utm_source, out.utm_medium, out.utm_campaign, out.click_id_kind, out.referrer_host, d.page_host
    )


def set_device(d: Draft) -> None:
    """Browser, operating system, class of device; what the client declares fills the gaps."""
    out, get = d.out, d.fields.get
    declared = get("device_type")
    device_class = None if declared is None else declared_class(declared)
    if d.user_agent is None:
        out.browser, out.os, out.device_class = get("browser"), get("os"), device_class
        return
    client = read_user_agent(d.user_agent)
    out.browser, out.browser_version, out.os, out.os_version, read_class = client
    out.device_class = device_class if device_class and read_class != "bot" else read_class
    if out.browser is None:
        out.browser = get("browser")
    if out.os is None:
        out.os = get("os")


def flag_bot(d: Draft) -> None:
    """A program, or not; it is flagged and goes on."""
    evidence = NO_USER_AGENT if d.user_agent is None else bot_evidence(d.user_agent)
    if evidence is None and d.fields.get("webdriver"):
        evidence = WEBDRIVER
    if evidence is not None:
        d.out.is_bot, d.out.bot_evidence = True, evidence
        d.note(Reason.BOT_DETECTED, "user_agent")


def locate(d: Draft) -> None:
    """Country, region and city of the full address, before it is cut."""
    relayed = d.fields.get("client_ip")
    d.client_ip = relayed if relayed and read_ip(relayed) else d.landed.client_ip
    place = NOWHERE
    if d.geo is not None and d.client_ip:
        place = d.geo.look_up(d.client_ip)
    if place.country is None and d.landed.geo_hint and d.client_ip is d.landed.client_ip:
        place = hinted_place(d.landed.geo_hint)
    d.out.country, d.out.region, d.out.city = place


def cut_address(d: Draft) -> None:
    """As much of the address as the tenant's policy keeps."""
    if d.client_ip:
        d.out.client_ip = keep_ip(d.client_ip, d.tenant.rules.ip_policy)


def look_for_attacks(d: Draft) -> None:
    """Markup, SQL and traversal in what ends up on screens and in queries."""
    for field in _LOOKED_AT:
        text = d.fields.get(field)
        if text is not None:
            for reason in suspicions(text):
                d.suspicious.setdefault(reason, []).append(field)


def judge(d: Draft) -> None:
    """The rules, the tenant's contract, the score and the status."""
    contracts = d.tenant.contracts
    if contracts:
        sent_type = d.fields.get("event_type")
        contract = contracts.get(sent_type or "") or contracts.get(d.out.event_type or "")
        if contract is not None:
            for path in contract.violations(d.payload):
                d.note(Reason.SCHEMA_VIOLATED, path)
                d.invalid = True
    rules.judge(d)


def set_keys(d: Draft) -> None:
    """Hash keys of session, visitor, page, user and campaign; the user only as a pseudonym."""
    out, keys = d.out, d.tenant.keys
    out.session_hk = keys.key("session", out.session_id)
    out.visitor_hk = keys.key("visitor", out.visitor_id)
    if out.page_url is not None:
        out.page_hk = keys.key("page", out.page_url.partition("://")[2])
    if d.user_id is not None:
        out.user_bk = keys.pseudonym(d.user_id)
        out.user_hk = keys.key("user", out.user_bk)
    out.campaign_hk = keys.campaign(out.utm_source, out.utm_medium, out.utm_campaign)


def close(d: Draft) -> None:
    """What is left becomes properties; digest and findings are written."""
    out = d.out
    if out.event_type is not None:
        out.event_type = out.event_type[: FIELDS["event_type"].limit]
    out.properties = payload.properties(d.properties, d.user_id, out.user_bk)
    out.payload_digest = payload.digest(d.payload)
    if d.findings:
        out.validation_errors = _encode_findings(d.findings)


_PAGE_COLUMNS = (
    "page_url",
    "page_query",
    "click_id_kind",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
)
STEPS = (
    Step("read_payload", read_payload),
    Step("map_fields", map_fields),
    Step("set_clock", set_clock, fills=()),
    Step("set_page", set_page, fills=_PAGE_COLUMNS),
    Step("set_origin", set_origin, fills=("referrer_url", "referrer_host", "source", "channel")),
    Step("set_device", set_device, fills=("browser", "browser_version", "os", "os_version", "device_class")),
    Step("flag_bot", flag_bot, fills=("is_bot", "bot_evidence")),
    Step("locate", locate, fills=("country", "region", "city")),
    Step("cut_address", cut_address, fills=("client_ip",)),
    Step("look_for_attacks", look_for_attacks),
    Step("judge", judge),
    Step("set_keys", set_keys),
    Step("close", close),
)
