"""The page of a release's gates, made from the gates' own texts and the thresholds' struct."""

from __future__ import annotations

from typing import get_type_hints

import msgspec
from docs.markdown import block, code, page, table
from msgspec import Meta

from sitevault.release.gates import GATES
from sitevault.release.gates.model import PRODUCTION, TESTING, Gate, Thresholds

EXAMPLE = """\
[environments.mock.gates]
success_rate = 0.98
quality_drop = 0.10
null_rate_drop = false  # not asked"""


def gates_page() -> str:
    """Every gate with its target, and every threshold with its default."""
    return page(
        "Gates",
        "src/sitevault/release/gates",
        "What a release is judged by while it is observed: PASS, FAIL, INCONCLUSIVE or NO_DATA, from raw data. "
        "Why the bounds may be looked at all the time, and what they cost: "
        "[honest gates](../explanation/honest-gates.md).",
        table(
            ("gate", "holds when", "testing", "production", "decides by"),
            [
                (
                    f"[{gate.name}](#{gate.name})",
                    gate.title,
                    _target(gate, TESTING),
                    _target(gate, PRODUCTION),
                    "bounds" if gate.statistical else "one counter-example",
                )
                for gate in GATES
            ],
        ),
        "FAIL before NO_DATA before INCONCLUSIVE before PASS: the verdict on the release is the first of these "
        "that any gate has. Only when every gate that is asked says PASS does the release.",
        "## Thresholds",
        "`[environments.NAME.gates]` of the settings. An environment called production begins with the defaults "
        "of the last column; a name that is not in this table is refused.",
        block(EXAMPLE, "toml"),
        table(("threshold", "what it is", "default", "in production"), list(_thresholds())),
        *(_section(gate) for gate in GATES),
    )


def _target(gate: Gate, wanted: Thresholds) -> str:
    return gate.target(wanted) if gate.asked(wanted) else "not asked"


def _thresholds() -> list[tuple[str, str, str, str]]:
    hints = get_type_hints(Thresholds, include_extras=True)
    return [
        (code(name), _about(hints[name]), _value(getattr(TESTING, name)), _value(getattr(PRODUCTION, name)))
        for name in (field.name for field in msgspec.structs.fields(Thresholds))
    ]


def _about(hint: object) -> str:
    return next(
        one.description for one in getattr(hint, "__metadata__", ()) if isinstance(one, Meta) and one.description
    )


def _value(value: object) -> str:
    return code("false" if value is None else value)


def _section(gate: Gate) -> str:
    return f"## {gate.name}\n\n**{gate.title}.**\n\n" + table(
        ("", ""),
        [
            ("formula", gate.formula),
            ("denominator", gate.denominator),
            ("own database", gate.house),
            ("the guide's shape", gate.guide),
        ],
    )
