"""The probes of behaviour: what is really tried, one file per family, everything undone."""

from __future__ import annotations

from sitevault.audit.probes.contexts import PROBES_OF_CONTEXTS
from sitevault.audit.probes.data import PROBES_OF_DATA
from sitevault.audit.probes.http import PROBES_OF_HTTP
from sitevault.audit.probes.leaks import PROBES_OF_LEAKS
from sitevault.audit.probes.paths import PROBES_OF_PATHS
from sitevault.audit.probes.probe import Probe
from sitevault.audit.probes.tables import PROBES_OF_TABLES

PROBES: tuple[Probe, ...] = (
    *PROBES_OF_TABLES,
    *PROBES_OF_PATHS,
    *PROBES_OF_CONTEXTS,
    *PROBES_OF_LEAKS,
    *PROBES_OF_DATA,
    *PROBES_OF_HTTP,
)
