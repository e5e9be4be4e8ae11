"""`sitevault release show`: what is in a bundle or a plan."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.session import Session, examples, json_option


@click.command(epilog=examples("sitevault release show fix-812.json", "sitevault release show plan.json --json"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_obj
def show(session: Session, file: Path) -> int:
    """Show a bundle or a plan: digest, files, claims, what it changes. Exit 6 for one that was edited."""
    import msgspec

    from sitevault.release import model, say

    value = model.read_any(file)
    kind = "bundle" if isinstance(value, model.Bundle) else "plan"
    session.answer(
        {"success": True, "kind": kind, kind: msgspec.to_builtins(value)},
        "\n".join(say.said(value)),
    )
    return 0
