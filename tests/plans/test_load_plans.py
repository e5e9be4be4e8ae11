"""A load reads in proportion to itself, whatever the tables hold and whatever the statistics know."""

from __future__ import annotations

import pytest
from tests.plans.scans import FLUSH, KNOWN, LOAD, Grown

from sitevault import pipeline

STEPS = [
    "find_known",
    *(step.name for step in pipeline.SET_BASED_STEPS if not step.statement.startswith("LOCK")),
    "ledger",
]
LOOKED_UP = {
    "vault.visitors": ("site_visitor_h", KNOWN),
    "vault.users": ("site_user_h", KNOWN),
    "vault.visitor_users": ("site_visitor_user_l", KNOWN),
    "vault.visitor_user_effectivity": ("site_visitor_user_es", KNOWN),
    "vault.visitor_details": ("site_visitor_details_s", KNOWN),
    "vault.pages": ("site_page_h", 5),
    "vault.page_details": ("site_page_details_s", 5),
    "vault.campaigns": ("site_campaign_h", 3),
}
"""What each step finds when everything is known: one row per thing the load brings, of each of three tenants."""
TENANTS = 3


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_a_row_per_event_at_most_without_statistics(grown: Grown, step: str) -> None:
    assert grown.at_small[step].total <= LOAD


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_no_more_when_the_tables_are_twelve_times_as_large(grown: Grown, step: str) -> None:
    assert grown.at_large[step].total <= grown.at_small[step].total + 50


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_no_table_from_end_to_end(grown: Grown, step: str) -> None:
    assert grown.at_large[step].whole == set()
    assert grown.at_large[step].rows["batch"] <= LOAD // FLUSH


@pytest.mark.parametrize("step", STEPS)
def test_no_step_reads_the_load_back_from_staging(grown: Grown, step: str) -> None:
    assert grown.at_large[step].rows["site_tracking_events_s"] == 0


@pytest.mark.parametrize("step", LOOKED_UP)
def test_a_key_that_is_known_is_looked_up_once_in_a_load(grown: Grown, step: str) -> None:
    table, things = LOOKED_UP[step]
    assert 0 < grown.at_large[step].rows[table] <= TENANTS * things


def test_new_events_are_looked_for_and_none_is_read(grown: Grown) -> None:
    assert grown.at_large["find_known"].total == 0


def test_events_sent_again_are_found_one_row_each(grown: Grown) -> None:
    assert dict(grown.again["find_known"].rows) == {"site_event_nl": LOAD}


def test_a_load_of_nothing_new_leaves_the_marts_alone(grown: Grown) -> None:
    assert not [step for step in grown.again if step.startswith("marts.")]
