"""A load reads in proportion to itself, whatever the tables hold and whatever the statistics know."""

from __future__ import annotations

import pytest
from tests.plans.scans import FLUSH, LOAD, Grown

from sitevault import pipeline

STEPS = [name for name, text in pipeline.SET_BASED_STEPS if not text.startswith("LOCK")] + ["ledger"]
PASSES = 4
"""Each staged row may be read once, found once in pg_temp.loaded, and looked up once or twice."""


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_a_few_rows_per_event_without_statistics(grown: Grown, step: str) -> None:
    assert 0 < grown.at_small[step].total <= PASSES * LOAD


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_no_more_when_the_tables_are_twelve_times_as_large(grown: Grown, step: str) -> None:
    assert grown.at_large[step].total <= grown.at_small[step].total * 1.5 + 50


@pytest.mark.parametrize("step", STEPS)
def test_a_step_reads_no_table_from_end_to_end_but_what_is_new(grown: Grown, step: str) -> None:
    assert grown.at_large[step].whole <= {"loaded", "rolled_day"}, "a row per tenant and day"
    assert grown.at_large[step].rows["batch"] <= LOAD // FLUSH
    assert grown.at_large[step].rows["loaded"] <= LOAD


@pytest.mark.parametrize("step", STEPS)
def test_a_step_goes_into_one_partition_of_staging(grown: Grown, step: str) -> None:
    assert grown.at_large[step].partitions["site_tracking_events_s"] <= 1
