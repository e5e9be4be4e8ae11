"""The pages about what a bundle is made of: the keys of release.toml, and the lints."""

from __future__ import annotations

from docs.markdown import block, code, page, table
from docs.registries import settings_of

from sitevault.release.lint.model import Lint, Severity
from sitevault.release.lint.run import LINTS
from sitevault.release.model import Allowance
from sitevault.release.source import ClaimOf, Manifest

EXAMPLE_OF_MANIFEST = """\
name = "incident-fix"
version = "1.2.0"
shape = "guide"
author = "ada"

[parameters]
retention = "30 days"

[[claims]]
fixes = "F3"
objects = ["function staging.process_site_event(bigint)"]

[[allow]]
lint = "dropped_and_created"
where = "function staging.load_events(p_limit integer)"
because = "it returns a bigint now; the grants are given again in the same file\""""

_MEANING = {
    Severity.ERROR: "refuses the bundle (exit 1), unless it is allowed by name",
    Severity.WARNING: "is shown with the bundle",
    Severity.UNKNOWN: "could not be looked at; shown, never counted as fine",
}


def release_toml_page() -> str:
    """Every key of release.toml."""
    return page(
        "release.toml",
        "src/sitevault/release/source.py",
        "What a release is called, what it claims to mend, which values differ between environments. How a bundle "
        "is built of it: [build a release](../how-to/build-a-release.md). A misspelt key is refused.",
        block(EXAMPLE_OF_MANIFEST, "toml"),
        settings_of(Manifest),
        "## [[claims]]",
        settings_of(ClaimOf),
        "A function may be named by the types of its arguments, as it is called in the catalog (with the names of "
        "its arguments), or by its name alone where only one has it. Whatever way, the bundle holds the catalog's "
        "name. Kinds of objects are those of the catalog: `table`, `column app.thing.name`, `view`, `index`, "
        "`constraint app.thing thing_pkey`, `function`, `procedure`, `trigger app.thing name`, `policy app.thing "
        "name`, `type`, `sequence`, `schema`, `extension`.",
        "## [[allow]]",
        settings_of(Allowance),
        "An allowance that matches nothing is refused. The bundle holds them; whoever approves it sees them.",
        "## Beside it in the directory",
        table(
            ("path", "what it is"),
            [
                (
                    code("base.sql"),
                    "shape `guide`: the schema the release is tried on, as it is before the release",
                ),
                (code("migrations/NNNN_what.sql"), "run once in each environment, in the order of their numbers"),
                (
                    code("migrations/NNNN_what.revert.sql"),
                    "undoes what no definition can bring back: rows, columns",
                ),
                (
                    code("migrations/NNNN_what.verify.sql"),
                    "one query with one value, true once the migration has done its work",
                ),
                (code("objects/what.sql"), "functions, views, policies, grants: applied with every release"),
                (code("mapping/TENANT_ID.json"), "shape `house`: the tenant's own mapping"),
                (
                    code("schemas/TENANT_ID/EVENT_TYPE.json"),
                    "shape `house`: the JSON Schema demanded of its events of that type (`%2F` stands for `/`)",
                ),
            ],
        ),
        "Text is UTF-8 without a byte order mark; line ends stay as they are. Hidden files and files that are not "
        "SQL are left alone; SQL or directories anywhere else are refused.",
    )


def lints_page() -> str:
    """Every lint, with why and how it is mended."""
    return page(
        "Lints",
        "the lints' own texts (src/sitevault/release/lint)",
        "What `sitevault release build` looks for. Most are on the text, before it is run; the others on the "
        "database it was tried on.",
        table(("severity", "what it does"), [(code(one.value), _MEANING[one]) for one in Severity]),
        "An error that is meant is allowed by name and reason: [`[[allow]]`](release-toml.md#allow).",
        *(_lint(one) for one in LINTS),
    )


def _lint(one: Lint) -> str:
    return (
        f"## {one.id}\n\n{code(one.severity.value)}. **Looks for:** {one.looks_for}\n\n"
        f"**Why:** {one.why}\n\n**Mend:** {one.mend}"
    )
