"""`sitevault release promote`: what passed in the environment before may be planned for the next."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.session import Session, examples, json_option


@click.command(
    epilog=examples(
        "sitevault release promote --env production",
        "sitevault release promote --env mock --bundle fix-812.json",
        "sitevault release promote --env mock --bundle 3f9a2c1b --out fix-812.json",
    )
)
@environment_option
@click.option(
    "--bundle",
    "wanted",
    metavar="FILE|DIGEST",
    help="Which bundle; by default the one in force in the environment before.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the bundle to this file, as it passed."
)
@json_option
@click.pass_obj
def promote(session: Session, name: str, wanted: str | None, out: Path | None) -> int:
    """Fetch from the environment before what was attested of a bundle there, so that this one takes it.

    Both databases are opened; where they do not see each other, `sitevault release attest export` and `import` do
    it by a file. Exit 6 where the bundle did not pass there, or failed since.
    """
    from sitevault.release import environments, model
    from sitevault.release import promote as promotion
    from sitevault.release.target import opened

    known = environments.read(session.config)
    before = known.before(name)
    if before is None:
        session.answer(
            {"success": True, "environment": name, "from": None, "attestations": []},
            f"{name} is the first environment: it takes any bundle.\n  sitevault release plan BUNDLE --env {name}",
        )
        return 0
    with (
        opened(session.config, known, before, session.say) as source,
        opened(session.config, known, name, session.say) as target,
    ):
        bundle = promotion.chosen(source, wanted)
        new = promotion.fetch(source, target, bundle.digest, known)
        passed = promotion.require_previous(target, bundle, known)
    if passed is None:  # `fetch` would have raised
        raise RuntimeError("an environment before, and nothing demanded of it")
    if out is not None:
        model.write(bundle, out)
    session.answer(
        {
            "success": True,
            "environment": name,
            "from": before,
            "bundle": bundle.digest,
            "passed_at": passed.predicate.at,
            "judge": passed.signer,
            "new": len(new),
            "file": None if out is None else str(out),
        },
        f"{bundle.name} {bundle.version} ({bundle.digest[:12]}) passed in {before} at {passed.predicate.at}, says "
        f"{passed.signer}; {name} takes it now.\n"
        f"  sitevault release plan {out or 'BUNDLE'} --env {name}",
    )
    return 0
