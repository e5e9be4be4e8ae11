"""The directory a bundle is built from: release.toml, migrations, objects, the base, mappings and schemas."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from sitevault.errors import SitevaultError, UsageError
from sitevault.release.model import Allowance, BundleError, Claim, File, Setting, Shape
from sitevault.staging.mapping import FIELDS
from sitevault.tenancy.schemas import compile_schema
from sitevault.tenancy.tenants import read_mapping

MANIFEST = "release.toml"
BASE = "base.sql"
_GUIDE_ONLY, _HOUSE_ONLY = (BASE,), ("mapping", "schemas")
_DIRECTORIES = ("migrations", "objects", *_HOUSE_ONLY)
_MIGRATION = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+(?P<part>\.revert|\.verify)?\.sql")
_OBJECTS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.sql")


class ClaimOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the release says it mends; refused unless each of its objects changes."""

    fixes: Annotated[str, Meta(min_length=1, description="The fault or issue, like `F3` or `ticket 812`.")]
    objects: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="What must therefore change, as `kind identity`: "
            "`function staging.process_site_event(p_raw_event_id bigint)`.",
        ),
    ]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What release.toml holds."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
            description="The release's name: small letters, digits, `-` and `_`.",
        ),
    ]
    version: Annotated[
        str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,62}$", description="Its version, like `1.4.0`.")
    ]
    shape: Annotated[
        Shape,
        Meta(description="`guide`: a foreign database with the guide's tables. `house`: Sitevault's own."),
    ] = "guide"
    author: Annotated[str | None, Meta(description="Who wrote it, unless `--author` says otherwise.")] = None
    parameters: Annotated[
        dict[str, str],
        Meta(
            description="What each environment gives a value of its own, with the value it is tried with. "
            "`:{name}` in the SQL stands for that value, as a literal."
        ),
    ] = {}
    claims: Annotated[tuple[ClaimOf, ...], Meta(description="What the release mends.")] = ()
    allow: Annotated[tuple[Allowance, ...], Meta(description="Findings of lints that are meant.")] = ()


@dataclass(frozen=True)
class Source:
    """A directory that was read and makes sense by itself; nothing was run yet."""

    manifest: Manifest
    base: str
    migrations: tuple[File, ...]
    objects: tuple[File, ...]
    settings: tuple[Setting, ...]

    @property
    def files(self) -> tuple[File, ...]:
        """In the order in which they run."""
        return (*self.migrations, *self.objects)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(Claim(one.fixes, one.objects) for one in self.manifest.claims)


def read(directory: Path) -> Source:
    """The directory.

    Raises UsageError where there is none, BundleError for a name, an encoding, a double, a gap or a wrong key.
    """
    if not directory.is_dir():
        raise UsageError(
            f"{directory} is not a directory.", fix="Begin one:", command="sitevault release init DIR"
        )
    manifest = _manifest(directory / MANIFEST)
    _refuse_strangers(directory, manifest.shape)
    source = Source(
        manifest=manifest,
        base=_base(directory / BASE) if manifest.shape == "guide" else "",
        migrations=_migrations(directory / "migrations"),
        objects=_objects(directory / "objects"),
        settings=(*_mappings(directory / "mapping"), *_schemas(directory / "schemas")),
    )
    if not source.files and not source.settings:
        raise BundleError(
            f"{directory} holds nothing to release.",
            fix="Put SQL into migrations/NNNN_what.sql or objects/what.sql.",
        )
    _refuse_unused(source)
    return source


def text_of(path: Path) -> str:
    """A file as it is, its line ends too. Raises BundleError for what is not UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BundleError(
            f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line}.",
            fix="Save it as UTF-8.",
        ) from error
    if text.startswith("\ufeff"):
        raise BundleError(
            f"{path} begins with a byte order mark, which PostgreSQL does not read.", fix="Save it without."
        )
    if "\0" in text:
        raise BundleError(f"{path} has a zero byte in line {text[: text.index(chr(0))].count(chr(10)) + 1}.")
    return text


def _manifest(path: Path) -> Manifest:
    if not path.is_file():
        raise BundleError(
            f"There is no {path}.",
            fix="It says what the release is called; a commented one is made by",
            command=f"sitevault release init {path.parent}",
        )
    try:
        manifest = msgspec.convert(tomllib.loads(text_of(path)), Manifest, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BundleError(
            f"{path} is wrong: {error}", fix="docs/reference/release-toml.md lists every key."
        ) from error
    wrong = [name for name in manifest.parameters if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)]
    if wrong:
        raise BundleError(f"{path}: no names of parameters: {', '.join(wrong)}.", fix="Letters, digits and _.")
    return manifest


def _refuse_strangers(directory: Path, shape: Shape) -> None:
    """What lies where nothing looks would be left out in silence."""
    not_for_it = _HOUSE_ONLY if shape == "guide" else _GUIDE_ONLY
    for path in _visible(directory):
        if path.name in not_for_it:
            raise BundleError(
                f"{path} is not for a release of shape {shape!r}.",
                fix=f"Take it away, or change shape in {MANIFEST}.",
            )
        if (path.is_dir() and path.name not in _DIRECTORIES) or (path.suffix == ".sql" and path.name != BASE):
            raise BundleError(
                f"{path} is nothing a release is made of.",
                fix=f"SQL is in {' and '.join(f'{name}/' for name in _DIRECTORIES[:2])}; see "
                "docs/how-to/build-a-release.md.",
            )


def _base(path: Path) -> str:
    if not path.is_file():
        raise BundleError(
            f"There is no {path}: the schema that the release is tried on.",
            fix="Take it from the database that comes first:",
            command=f"sitevault release init {path.parent} --database URL",
        )
    return text_of(path)


def _migrations(directory: Path) -> tuple[File, ...]:
    parts: dict[str, dict[str, str]] = {}
    for path in _files(directory, _MIGRATION, "NNNN_what_it_does.sql, with .revert.sql and .verify.sql beside it"):
        named = _MIGRATION.fullmatch(path.name)
        part = (named["part"] or "")[1:] if named else ""
        name = path.name.replace(f".{part}.sql", ".sql") if part else path.name
        parts.setdefault(name, {})[part] = text_of(path)
    for name, found in sorted(parts.items()):
        if "" not in found:
            raise BundleError(f"{directory / name} is missing: only its {' and '.join(sorted(found))} is there.")
    _refuse_gaps(directory, sorted(parts))
    return tuple(
        File(name, found[""], found.get("revert"), found.get("verify")) for name, found in sorted(parts.items())
    )


def _refuse_gaps(directory: Path, names: list[str]) -> None:
    for before, after in itertools.pairwise(names):
        if int(after[:4]) == int(before[:4]):
            raise BundleError(
                f"{directory} has migration {after[:4]} twice: {before} and {after}.",
                fix="Give one the next number.",
            )
        if int(after[:4]) != int(before[:4]) + 1:
            raise BundleError(
                f"{directory} lacks migration {int(before[:4]) + 1:04}: after {before} comes {after}.",
                fix="Number them without a gap.",
            )


def _objects(directory: Path) -> tuple[File, ...]:
    wanted = "what.sql, of letters, digits, _ . and -"
    return tuple(File(path.name, text_of(path)) for path in _files(directory, _OBJECTS, wanted))


def _files(directory: Path, named: re.Pattern[str], wanted: str) -> list[Path]:
    """Its files in the order of their names, whatever order the file system has."""
    found = list(_visible(directory)) if directory.is_dir() else []
    for path in found:
        if not path.is_file() or not named.fullmatch(path.name):
            raise BundleError(f"{path} is not called as it must be.", fix=f"In {directory.name}/ it is {wanted}.")
    _refuse_doubles(found)
    return found


def _mappings(directory: Path) -> Iterator[Setting]:
    for path in _json_files(directory):
        text = text_of(path)
        with _in_file(path):
            unknown = sorted(read_mapping(text).keys() - FIELDS.keys())
        if unknown:
            raise BundleError(f"{path}: there is no field {', '.join(unknown)}.", fix="docs/reference/mapping.md")
        yield Setting("mapping", path.stem, None, text)


def _schemas(directory: Path) -> Iterator[Setting]:
    tenants = list(_visible(directory)) if directory.is_dir() else []
    for tenant in tenants:
        if not tenant.is_dir():
            raise BundleError(f"{tenant} is not called as it must be.", fix="schemas/TENANT_ID/EVENT_TYPE.json")
        for path in _json_files(tenant):
            text = text_of(path)
            with _in_file(path):
                compile_schema(_json(path, text))
            yield Setting("schema", tenant.name, unquote(path.stem), text)


def _json_files(directory: Path) -> list[Path]:
    return _files(directory, re.compile(r".+\.json"), "NAME.json") if directory.is_dir() else []


def _json(path: Path, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise BundleError(f"{path} is not JSON: {error}") from error


class _in_file:
    """Names the file in whatever is refused within."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SitevaultError) and not isinstance(error, BundleError):
            raise BundleError(f"{self._path}: {error.message}", fix=error.fix) from error


def _visible(directory: Path) -> list[Path]:
    return sorted(
        (path for path in directory.iterdir() if not path.name.startswith(".")), key=lambda path: path.name
    )


def _refuse_doubles(paths: Iterable[Path]) -> None:
    found = list(paths)
    for name, count in Counter(path.name.lower() for path in found).items():
        if count > 1:
            both = " and ".join(str(path) for path in found if path.name.lower() == name)
            raise BundleError(f"{both} are one file where case does not count.", fix="Rename one of them.")


def _refuse_unused(source: Source) -> None:
    everything = "".join(
        text for file in source.files for text in (file.text, file.revert or "", file.verify or "")
    )
    unused = [name for name in source.manifest.parameters if f":{{{name}}}" not in everything]
    if unused:
        raise BundleError(
            f"{MANIFEST} declares {', '.join(unused)}, which no file uses.",
            fix=f"In SQL it is written :{{{unused[0]}}}, outside of quotes; or take it out of [parameters].",
        )
