"""Every command by name, with where it is: imported when it is called, so that `--help` starts fast."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """`module:attribute` of a click command, and its line in `sitevault --help`."""

    target: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "init": Entry("sitevault.cli.init:init", "Set up roles and schema in the database."),
    "tenant": Entry("sitevault.cli.tenant:tenant", "Add, list, show, change, suspend and resume tenants."),
    "key": Entry("sitevault.cli.key:key", "Create, list and revoke API keys."),
    "schema": Entry("sitevault.cli.schema:schema", "Demand JSON Schemas of a tenant's events."),
    "migrate": Entry("sitevault.cli.migrate:migrate", "Bring the schema up to date."),
    "url": Entry("sitevault.cli.url:url", "Print a connection URL for psql."),
    "config": Entry("sitevault.cli.config:config", "Check and show the settings."),
}
"""In the order in which people meet them; a new command is a new line here and a new file."""
