"""`sitevault release`: one bundle through every environment, each step a command."""

from __future__ import annotations

import importlib

import click

COMMANDS: dict[str, str] = {
    "enroll": "sitevault.cli.release.enroll:enroll",
    "init": "sitevault.cli.release.init:init",
    "build": "sitevault.cli.release.build:build",
    "show": "sitevault.cli.release.show:show",
    "plan": "sitevault.cli.release.plan:plan",
    "rehearse": "sitevault.cli.release.rehearse:rehearse",
    "preflight": "sitevault.cli.release.preflight:preflight",
    "approve": "sitevault.cli.release.approve:approve",
    "deploy": "sitevault.cli.release.deploy:deploy",
    "observe": "sitevault.cli.release.observe:observe",
    "watch": "sitevault.cli.release.observe:watch",
    "promote": "sitevault.cli.release.promote:promote",
    "status": "sitevault.cli.release.status:status",
    "history": "sitevault.cli.release.history:history",
    "pause": "sitevault.cli.release.pause:pause",
    "resume": "sitevault.cli.release.pause:resume",
    "undo": "sitevault.cli.release.undo:undo",
    "attest": "sitevault.cli.release.attest:attest",
}
"""Each command's place, in the order in which a release takes them."""


class _Steps(click.Group):
    """Imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(
    cls=_Steps,
    epilog="\b\nIn this order:\n  sitevault release build site-fix --author grace --out site-fix.json\n"
    "  sitevault release plan site-fix.json --env testing --out testing.plan.json\n"
    "  sitevault release rehearse site-fix.json testing.plan.json --env testing\n"
    "  sitevault release deploy site-fix.json testing.plan.json --env testing\n"
    "  sitevault release observe --env testing --as release-desk --key keys/release-desk\n"
    "  sitevault release promote --env dev",
)
def release() -> None:
    """Carry one bundle through every environment: rehearsed, approved, applied, observed, undone exactly."""
