"""The vault's tables as data: what audits, documentation and tests go by."""

from __future__ import annotations

from typing import NamedTuple


class Hub(NamedTuple):
    table: str
    hash_key: str
    domain: str
    """Domain of the hash key (hashkeys.hash_key)."""
    business_key: tuple[str, ...]
    staged_key: tuple[str, ...]
    """The staging columns the business key comes from (a page's is its URL without the scheme)."""


class Link(NamedTuple):
    table: str
    hash_keys: tuple[str, ...]


class Satellite(NamedTuple):
    table: str
    parent_key: str
    attributes: tuple[str, ...]
    """In the order in which they enter the hash_diff."""


HUBS = (
    Hub("site_visitor_h", "visitor_hk", "visitor", ("visitor_bk",), ("visitor_id",)),
    Hub("site_session_h", "session_hk", "session", ("session_bk",), ("session_id",)),
    Hub("site_page_h", "page_hk", "page", ("page_bk",), ("page_url",)),
    Hub("site_user_h", "user_hk", "user", ("user_bk",), ("user_bk",)),
    Hub(
        "site_campaign_h",
        "campaign_hk",
        "campaign",
        ("utm_source", "utm_medium", "utm_campaign"),
        ("utm_source", "utm_medium", "utm_campaign"),
    ),
)

LINKS = (
    Link("site_session_visitor_l", ("session_hk", "visitor_hk")),
    Link("site_visitor_user_l", ("visitor_hk", "user_hk")),
)

SATELLITES = (
    Satellite(
        "site_session_details_s",
        "session_hk",
        ("entry_page_url", "referrer_url", "source", "channel", "utm_term", "utm_content", "click_id_kind"),
    ),
    Satellite(
        "site_visitor_details_s",
        "visitor_hk",
        ("device_class", "browser", "browser_version", "os", "os_version", "language", "screen"),
    ),
    Satellite("site_page_details_s", "page_hk", ("page_title",)),
)

EVENT = Link("site_event_nl", ("session_hk", "visitor_hk", "page_hk", "user_hk", "campaign_hk"))
"""The non-historised link; its own key is (tenant_hk, event_id, event_day)."""
