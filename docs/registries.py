"""The pages that the code's own registries make: commands, settings, reasons, rules, mapping, metrics, HTTP."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import groupby
from typing import Any, get_type_hints

import click
import msgspec
import yaml
from click import Command, Context, Group
from docs.markdown import block, code, codes, page, table
from msgspec import Meta

import sitevault
from sitevault.cli.main import INTERRUPTED, OUTPUT_CLOSED, cli
from sitevault.collector.answers import refusal
from sitevault.collector.metrics import Metrics
from sitevault.config import Config
from sitevault.errors import Exit, SitevaultError
from sitevault.reasons import EXPLAINED, Reason
from sitevault.release.environments import Environment, Scheduler
from sitevault.staging.enrich.referrer import TABLE, Channel
from sitevault.staging.mapping import FIELDS
from sitevault.staging.rules import LOWEST_SCORE, RULES, Effect

Spec = dict[str, Any]
_CODE = re.compile(r"\bcollect\.[a-z_]+")

HELP_WIDTH = 100
ENVIRONMENT = {
    "DATABASE_URL": "The same as `database_url`.",
    "SITEVAULT_CONFIG": "The settings' file, instead of `./sitevault.toml`; `--config` beats it.",
    "SITEVAULT_KEY": "The API key of `sitevault send`.",
    "SITEVAULT_DEBUG": "Set to anything: an error shows its whole trace. It may quote events.",
    "SITEVAULT_PG_BINDIR": "A directory with PostgreSQL's programs to embed, instead of those of the wheel.",
}
"""Variables that are not settings."""
_STAGES = {
    "collect": "At the door: the request, or one event of a batch, was refused and nothing of it stored.",
    "adapt": "Before the door: what a client of ours could not make an event of, and so did not send.",
    "validate": "Rules of validation and score ([rules](rules.md)); they stand in `validation_errors`.",
    "enrich": "Enrichment; they stand in `validation_errors`.",
    "dedup": "The vault had the event; they are the rows of `business.site_event_duplicate`.",
    "load": "Dead letters: the rows of `raw.dead_letter`, and `error_message` of `raw.site_tracking_events_r`.",
}
_EFFECTS = {
    Effect.SCORE: "costs quality, nothing else",
    Effect.SUSPICIOUS: "the event is loaded, and marked SUSPICIOUS",
    Effect.INVALID: "the event is INVALID: accounted for, not loaded",
}
_CHANNELS = {
    Channel.DIRECT: "no campaign, no referrer",
    Channel.INTERNAL: "from another page of the same site",
    Channel.REFERRAL: "from any site the table does not know",
    Channel.CAMPAIGN: "tagged, but the tags name no channel we know",
}


# -- the command line ------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command's --help, as it is shown."""
    shown = list(commands())
    return page(
        "Command line",
        "the commands' own --help (src/sitevault/cli)",
        "Every command takes `--help`; those that answer take `--json` (one JSON document on standard output, for "
        "errors too), those that ask take `--yes`. [Exit codes](exit-codes.md) mean the same everywhere.",
        "\n".join(f"- [`{path}`](#{path.replace(' ', '-')})" for path, _ in shown),
        *(f"## {path}\n\n{block(text)}" for path, text in shown),
    )


def commands() -> Iterator[tuple[str, str]]:
    """(path, help) of every command and group, in the order of `sitevault --help`."""
    # The names of the help option come from the settings: a command that has run keeps them, one that has not
    # would show others.
    names = cli.context_settings["help_option_names"]
    yield from _walk(cli, Context(cli, info_name="sitevault", terminal_width=HELP_WIDTH, help_option_names=names))


def _walk(command: Command, context: Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, click.unstyle(command.get_help(context))
    if isinstance(command, Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                inner = Context(found, info_name=name, parent=context, terminal_width=HELP_WIDTH)
                yield from _walk(found, inner)


# -- settings --------------------------------------------------------------------------------------------------


def configuration_page() -> str:
    """Every setting with its default and range, and a file that holds them all."""
    hints = get_type_hints(Config, include_extras=True)
    rows = []
    example = []
    for field in msgspec.structs.fields(Config):
        if field.name in TABLES:
            continue
        meta = _meta(hints[field.name])
        default = _toml(field.default)
        rows.append(
            (
                code(field.name),
                code(f"SITEVAULT_{field.name.upper()}"),
                code(default),
                _range(meta),
                meta.description,
            )
        )
        example.append(f"# {meta.description}\n{'' if default else '# '}{field.name} = {default or '...'}")
    return page(
        "Configuration",
        "the settings in src/sitevault/config.py",
        "A setting comes from its environment variable, else from the settings' file, else it is the default. The "
        "file is `./sitevault.toml` where there is one, or the one named by `--config` or `SITEVAULT_CONFIG`. A "
        "misspelt name in the file and a value out of range are refused by name.",
        block("sitevault config check\nsitevault config show", "console").replace("sitevault", "$ sitevault"),
        table(("setting", "variable", "default", "range", "what it is"), rows),
        "The tables `[environments.NAME]` and `[people]` are for [releases](environments.md), in the file only.",
        "A list in a variable is comma-separated: `SITEVAULT_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7`.",
        "## Variables that are not settings",
        table(("variable", "what it is"), [(code(name), text) for name, text in ENVIRONMENT.items()]),
        "## A file with every setting at its default",
        block("\n\n".join(example), "toml"),
    )


TABLES = ("environments", "people")
"""Settings that are tables of the file, on a page of their own."""


def environments_page() -> str:
    """Every setting of an environment, and of its scheduler."""
    return page(
        "Environments",
        "src/sitevault/release/environments.py",
        "What `sitevault release` carries a bundle through, in the order in which `sitevault.toml` has them. With "
        "`home` an environment is a Sitevault's own database; without, a foreign one of the guide's shape. A URL "
        "is never in the file: `url_from` names the variable that holds it.",
        block(EXAMPLE_OF_ENVIRONMENTS, "toml"),
        "## [environments.NAME]",
        settings_of(Environment),
        "## [environments.NAME.scheduler]",
        "Statements of the database's owner. Without them nothing can pause a foreign database's jobs, and a plan "
        "says so.",
        settings_of(Scheduler),
    )


EXAMPLE_OF_ENVIRONMENTS = """\
[people]
ada = "keys/ada.pub"
release-desk = "keys/release-desk.pub"

[environments.testing]
url_from = "TESTING_URL"
observe_hours = 1

[environments.production]
url_from = "PRODUCTION_URL"
approvals = 1
approvers = ["ada"]
judges = ["release-desk"]
canary = ["1", "10", "5%", "tenants", "all"]

[environments.production.gates]
success_rate = 0.99
availability = 0.999"""


def settings_of(kind: type) -> str:
    """Every key of a table of settings, with default and range."""
    hints = get_type_hints(kind, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(kind):
        meta = _meta(hints[field.name])
        given = "" if field.default is msgspec.NODEFAULT else _toml(field.default)
        default = "demanded" if field.required else code(given) if field.default else ""
        rows.append((code(field.name), default, _range(meta), meta.description))
    return table(("setting", "default", "range", "what it is"), rows)


def _meta(hint: Any) -> Meta:
    return next(one for one in hint.__metadata__ if isinstance(one, Meta))


def _toml(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case int() | float():
            return str(default)
        case tuple():
            return "[" + ", ".join(f'"{one}"' for one in default) + "]"
    return f'"{default}"'


def _range(meta: Meta) -> str:
    signs = {"≥": meta.ge, ">": meta.gt, "≤": meta.le, "<": meta.lt}
    bounds = [f"{sign} {bound}" for sign, bound in signs.items() if bound is not None]
    if meta.pattern:
        bounds.append(", ".join(meta.pattern.strip("^$()").split("|")))
    return ", ".join(bounds)


# -- reasons and exit codes ------------------------------------------------------------------------------------


def reasons_page() -> str:
    """Every reason code, by stage."""
    parts = []
    for stage, reasons in groupby(EXPLAINED, key=lambda reason: reason.value.partition(".")[0]):
        listed = list(reasons)
        at_door = stage == "collect"
        parts.append(f"## {stage}\n\n{_STAGES[stage]}")
        parts.append(
            table(
                ("code", *(("HTTP",) if at_door else ()), "severity", "meaning"),
                [
                    (
                        code(reason.value), *((EXPLAINED[reason].http_status,) if at_door else ()),
                        EXPLAINED[reason].severity.value, EXPLAINED[reason].meaning,
                    )
                    for reason in listed
                ],
            )
        )  # fmt: skip
    return page(
        "Reason codes",
        "src/sitevault/reasons.py",
        "A closed list: whatever Sitevault does with a request or an event, it gives one of these reasons. An "
        "*error* stops the event there, a *warning* is stored with it, *info* is intended behaviour worth "
        "counting. Statuses 429 and 503 carry `Retry-After`: the same request may be sent again.",
        *parts,
    )


def exit_codes_page() -> str:
    """Every exit code, and every error with the code it ends with."""
    source = inspect.getsource(Exit)
    meanings = dict(re.findall(r"^\s+(\w+) = \d+  # (.+)$", source, re.MULTILINE))
    rows = [(exit_code.value, code(exit_code.name), meanings[exit_code.name]) for exit_code in Exit]
    rows += [
        (INTERRUPTED, "", "interrupted by Ctrl-C; what was committed stays"),
        (OUTPUT_CLOSED, "", "whoever read the output closed it"),
        (143, "", "ended by SIGTERM"),
    ]
    return page(
        "Exit codes",
        "src/sitevault/errors.py",
        "The same for every command; a command whose codes say more says so in its [--help](cli.md).",
        table(("code", "name", "meaning"), rows),
        "## Errors",
        "What a command says when it fails: what happened, what to do, the exact command. With `--json` it is one "
        "object: `success` (false), `code` (the name below), `message`, `fix`, `command`.",
        table(
            ("error", "exit code", "meaning"),
            [
                (code(error.__name__), int(error.exit_code), inspect.getdoc(error))
                for error in sorted(errors(), key=lambda error: (error.exit_code, error.__name__))
            ],
        ),
    )


def errors() -> list[type[SitevaultError]]:
    """SitevaultError and everything made of it, wherever in the package."""
    for module in pkgutil.walk_packages(sitevault.__path__, "sitevault."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = [SitevaultError]
    for error in found:
        found.extend(error.__subclasses__())
    return found


# -- staging ---------------------------------------------------------------------------------------------------


def rules_page() -> str:
    """The rules of validation and score, in the order in which they are applied."""
    return page(
        "Rules of validation and score",
        "src/sitevault/staging/rules.py",
        "An event begins at 1.00. Each rule that fires takes its deduction once and leaves its reason code in "
        f"`validation_errors`; the score does not go below 0. Below {LOWEST_SCORE / 100:.2f} the event is INVALID "
        f"(`{Reason.QUALITY_TOO_LOW}`). How the score is meant: [quality-score.md]"
        "(../explanation/quality-score.md).",
        table(
            ("rule", "what is demanded", "deduction", "effect", "field", "reason code"),
            [
                (
                    code(rule.id), rule.about, f"{rule.deduction / 100:.2f}", rule.effect.value,
                    code(rule.field) or "the one it found", code(rule.reason.value),
                )
                for rule in RULES
            ],
        ),
        "\n".join(f"- **{effect.value}**: {text}" for effect, text in _EFFECTS.items()),
        f"Beside these, an event that breaks its tenant's JSON Schema is INVALID (`{Reason.SCHEMA_VIOLATED}`, "
        "with the path of each violation as its field), whatever its score.",
    )  # fmt: skip


def mapping_page() -> str:
    """Every field with the payload paths that may supply it."""
    parts = []
    for field in FIELDS.values():
        about = [f"{field.about}", f"Kind {code(field.kind)}, at most {field.limit} characters."]
        if field.personal:
            about.append("Personal: a candidate that was not taken is dropped, never kept in `properties`.")
        parts.append(f"## {field.name}\n\n{' '.join(about)}")
        parts.append("\n".join(f"{number}. {code(path)}" for number, path in enumerate(field.paths, 1)))
        if field.synonyms:
            parts.append(
                "One name for one thing:\n\n"
                + table(
                    ("becomes", "when sent as"),
                    [(code(name), codes(sent)) for name, sent in field.synonyms.items()],
                )
            )
    return page(
        "Mapping",
        "src/sitevault/staging/mapping.toml",
        "Which payload path supplies which field: the first path that holds a usable value wins, and which one it "
        "was is kept (`sitevault trace` shows it). A path is the names from the event's top level down, joined by "
        "dots. A tenant's own paths come before these ([how](../how-to/override-a-mapping.md)). What no field "
        "took stays in `properties`.",
        *parts,
    )


def channels_page() -> str:
    """Channels, and how referrers, media and click ids lead to them."""
    return page(
        "Sources and channels",
        "src/sitevault/staging/enrich/referrers.toml",
        "Campaign tags decide first, then a click id, then the referring host. A host counts with all its "
        "subdomains; `name.*` is that name under any country's ending.",
        "## Channels",
        table(
            ("channel", "when"),
            [
                (code(channel.value), _CHANNELS.get(channel, "by the tables below"))
                for channel in Channel
            ],
        ),
        "## Referring hosts and names of sources",
        table(
            ("source", "channel", "hosts", "also named"),
            [(code(row.name), row.channel.value, codes(row.hosts), codes(row.aliases)) for row in TABLE.source],
        ),
        "## Media",
        "`utm_medium`, whatever its case.",
        table(("medium", "channel"), [(code(medium), channel.value) for medium, channel in TABLE.medium.items()]),
        "## Click ids",
        "The parameter's name is kept as `click_id_kind`; its value is not.",
        table(
            ("parameter", "source", "channel"),
            [(code(name), code(row.source), row.channel.value) for name, row in TABLE.click_id.items()],
        ),
    )  # fmt: skip


# -- the collector ---------------------------------------------------------------------------------------------


def metrics_page() -> str:
    """Every metric the collector shows."""
    return page(
        "Metrics",
        "src/sitevault/collector/metrics.py",
        "`GET /metrics` of the collector, in Prometheus' text form. Nothing is counted by tenant: `sitevault "
        "status` and SQL do that. Each process counts its own.",
        table(
            ("metric", "kind", "labels", "what it is"),
            [(code(name), kind, codes(labels), text) for name, kind, labels, text in metrics()],
        ),
    )


def metrics() -> Iterator[tuple[str, str, list[str], str]]:
    """(name, kind, labels, what it is) of every metric; a counter's name has its `_total`."""
    shown = Metrics()
    # A metric with labels shows them once it has counted something.
    shown.watch_queue(lambda: 0, lambda: 0)
    shown.answered("none", 200)
    shown.accepted("track", 1)
    shown.flushed(1, 1.0)
    for family in sorted(shown.registry.collect(), key=lambda family: family.name):
        labels = dict.fromkeys(name for sample in family.samples for name in sample.labels if name != "le")
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield name, family.type, list(labels), family.documentation


def http_page() -> str:
    """Every endpoint of openapi.yaml, and the codes a refusal may have."""
    spec: Spec = yaml.safe_load(files("sitevault.collector").joinpath("openapi.yaml").read_text("utf-8"))
    return page(
        "HTTP interface",
        "src/sitevault/collector/openapi.yaml",
        "The collector serves its own description at `GET /openapi.yaml`. **200 is the only answer that means "
        "stored.** Every refusal has one shape:",
        block(
            '{"success": false, "code": "collect.auth_unknown_key", "message": "No tenant has this API key."}',
            "json",
        ),
        str(spec["info"].get("description", "")),
        *(part for path, item in spec["paths"].items() for part in _path(spec, path, item)),
        "## Codes of a refusal",
        table(
            ("status", "codes"),
            [
                (status, codes(reason.value for reason in EXPLAINED if EXPLAINED[reason].http_status == status))
                for status in sorted({one.http_status for one in EXPLAINED.values() if one.http_status})
            ],
        ),
        "What each means: [reasons.md](reasons.md#collect).",
    )


def _refusal(reason: Reason) -> str:
    return refusal(reason).body.decode()


def _path(spec: Spec, path: str, item: Spec) -> Iterator[str]:
    for method in ("get", "post", "put", "delete"):
        operation = item.get(method)
        if operation is None:
            continue
        also = " (HEAD, too)" if method == "get" and "head" in item else ""
        yield f"## {method.upper()} {path}{also}"
        yield str(operation.get("summary", ""))
        yield str(operation.get("description", ""))
        parameters = [
            _resolve(spec, one) for one in (*item.get("parameters", ()), *operation.get("parameters", ()))
        ]
        if parameters:
            yield table(
                ("parameter", "in", "what it is"),
                [(code(one["name"]), one["in"], one.get("description")) for one in parameters],
            )
        yield table(
            ("status", "meaning"),
            [
                (status, _CODE.sub(r"`\g<0>`", _resolve(spec, answer)["description"]))
                for status, answer in operation["responses"].items()
            ],
        )


def _resolve(spec: Spec, node: Spec) -> Spec:
    while "$ref" in node:
        found: Any = spec
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node
