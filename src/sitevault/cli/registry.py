"""Every command by name, with where it is: imported when it is called, so that `--help` starts fast."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """`module:attribute` of a click command, and its line in `sitevault --help`."""

    target: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "demo": Entry("sitevault.cli.demo:demo", "Five tenants, real HTTP traffic, and where each event went."),
    "up": Entry("sitevault.cli.up:up", "Run everything: database, collector and worker."),
    "init": Entry("sitevault.cli.init:init", "Set up roles and schema in the database."),
    "tenant": Entry("sitevault.cli.tenant:tenant", "Add, list, show, change, suspend and resume tenants."),
    "key": Entry("sitevault.cli.key:key", "Create, list and revoke API keys."),
    "schema": Entry("sitevault.cli.schema:schema", "Demand JSON Schemas of a tenant's events."),
    "send": Entry("sitevault.cli.send:send", "Send a file or a stream of events."),
    "status": Entry("sitevault.cli.status:status", "Ledger, lag and KPIs; exit 0 only if all is well."),
    "trace": Entry("sitevault.cli.trace:trace", "The whole journey of one event."),
    "doctor": Entry("sitevault.cli.doctor:doctor", "Find what is wrong, here or in a foreign database."),
    "retention": Entry("sitevault.cli.retention:retention", "Drop days that are older than the settings keep."),
    "repair": Entry("sitevault.cli.repair:repair", "Mend what the doctor found: plan, apply, undo."),
    "replay": Entry(
        "sitevault.cli.replay:replay", "Carry events through the pipeline again, as often as you like."
    ),
    "release": Entry("sitevault.cli.release:release", "Carry one bundle through every environment, step by step."),
    "audit": Entry("sitevault.cli.audit:audit", "Prove that tenants are apart and the audit log is whole."),
    "serve": Entry("sitevault.cli.serve:serve", "Run one service in the foreground."),
    "migrate": Entry("sitevault.cli.migrate:migrate", "Bring the schema up to date."),
    "url": Entry("sitevault.cli.url:url", "Print a connection URL for psql."),
    "config": Entry("sitevault.cli.config:config", "Check and show the settings."),
}
"""In the order in which people meet them; a new command is a new line here and a new file."""
