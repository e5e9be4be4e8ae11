"""From a directory to a bundle: read, linted, tried on an empty database of the same base, sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

import sitevault
from sitevault.db import migration_files
from sitevault.db.catalog import CatalogSnapshot, Change, Object, capture
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.migrate import migrate
from sitevault.db.postmaster import Notify
from sitevault.release import apply, claims, expected, scratch, source, staged
from sitevault.release.lint import run as lints
from sitevault.release.lint import tried as tried_on
from sitevault.release.lint.model import Finding, found, judge, require_used
from sitevault.release.model import FORMAT, Bundle, BundleError, File, ReleaseError, seal
from sitevault.release.scratch import Trial
from sitevault.release.source import Source
from sitevault.release.target import lasting

OWN_NAME = "sitevault"
_LONGEST_AUTHOR = 200


@dataclass(frozen=True)
class Built:
    """The bundle, and what there was to say about it."""

    bundle: Bundle
    findings: tuple[Finding, ...] = ()


@dataclass
class Tried:
    """What the trial showed."""

    before: CatalogSnapshot
    after: CatalogSnapshot
    by_parameter: set[Object] = field(default_factory=set)
    called: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def changes(self) -> list[Change]:
        return list(self.before.changes(self.after))


def build(directory: Path | None, author: str, say: Notify) -> Bundle:
    """The bundle of a directory; None is Sitevault's own schema. Raises BundleError.

    The same files give the same bundle, to the byte, whenever and wherever it is built on one major version.
    """
    return make(directory, author, say).bundle


def make(directory: Path | None, author: str, say: Notify, on: EmbeddedServer | None = None) -> Built:
    """The bundle with what the lints found. Raises BundleError.

    `on`: a server that is running anyway, instead of one of its own; for a foreign base only.
    """
    return _own(author, say) if directory is None else _of(source.read(directory), author, say, on)


def _of(read: Source, author: str, say: Notify, on: EmbeddedServer | None) -> Built:
    manifest = read.manifest
    say("Reading the SQL")
    seen = lints.before(read.migrations, read.objects, manifest.parameters)
    judge(seen, manifest.allow)
    say(f"Starting a PostgreSQL to try {manifest.name} {manifest.version} on")
    with _ground(read, say, on) as trial:
        say(f"Applying {len(read.files)} files to an empty database of PostgreSQL {trial.major}")
        tried = try_out(trial, read, say)
        mended = claims.held(read.claims, tried.called, tried.before, tried.after)
        bundle = Bundle(
            format=FORMAT,
            name=manifest.name,
            version=manifest.version,
            shape=manifest.shape,
            author=_author(author, manifest.author),
            sitevault=sitevault.__version__,
            postgresql=trial.major,
            base_sha256=_base_digest(read, trial.major),
            migrations=read.migrations,
            objects=read.objects,
            settings=read.settings,
            staging=staged.digest() if manifest.shape == "house" else "",
            parameters=tuple(sorted(manifest.parameters)),
            claims=mended,
            expected=expected.learn(tried.before, tried.changes, trial.owner, tried.by_parameter),
            allowed=manifest.allow,
        )
    judged = judge([*seen, *tried.findings], manifest.allow)
    require_used(manifest.allow, judged)
    return Built(seal(bundle), tuple(judged))


def _own(author: str, say: Notify) -> Built:
    migrations = tuple(_file(one) for one in migration_files.migrations())
    objects = tuple(_file(one) for one in migration_files.objects())
    say("Reading the SQL")
    seen = lints.before(migrations, objects, {})
    judge(seen, ())
    say("Starting a PostgreSQL to try Sitevault's own schema on")
    with scratch.server(say) as attached, scratch.house(attached, say, migrated=False) as trial:
        before = _look(trial)
        if trial.database is not None:
            migrate(trial.database, say)
        tried = Tried(before, _look(trial))
        with trial.ground.transaction():
            made = tried_on.numbers(trial.ground.conn)
        say("Looking at what it made")
        seen += tried_on.look(trial, tried.changes, [], made)
        bundle = Bundle(
            format=FORMAT,
            name=OWN_NAME,
            version=sitevault.__version__,
            shape="house",
            author=_author(author, None),
            sitevault=sitevault.__version__,
            postgresql=trial.major,
            base_sha256=hashlib.sha256(b"").hexdigest(),
            migrations=migrations,
            objects=objects,
            settings=(),
            staging=staged.digest(),
            parameters=(),
            claims=(),
            expected=expected.learn(tried.before, tried.changes, trial.owner),
            own=True,
        )
    return Built(seal(bundle), tuple(judge(seen, ())))


@contextmanager
def _ground(read: Source, say: Notify, on: EmbeddedServer | None) -> Iterator[Trial]:
    house = read.manifest.shape == "house"
    with ExitStack() as stack:
        attached = on if on is not None and not house else stack.enter_context(scratch.server(say))
        yield stack.enter_context(
            scratch.house(attached, say, migrated=True) if house else scratch.foreign(attached, read.base)
        )


def try_out(trial: Trial, read: Source, say: Notify) -> Tried:
    """Carry the files out in one transaction, as a release does, and commit it. Raises BundleError."""
    ground, values = trial.ground, read.manifest.parameters
    try:
        with ground.transaction():
            before = now = _capture(ground.conn)
            replaceable = tried_on.numbers(ground.conn)
            called = claims.called(ground, read.claims)
            varying: set[Object] = set()
            for file in read.files:
                then = now
                _run(ground.conn, file, values)
                if _uses(file.text, values):
                    now = _capture(ground.conn)
                    varying |= {change.object for change in then.changes(now)}
            for file in read.migrations:
                _verify(ground.conn, file, values)
            called |= claims.called(ground, read.claims)
            replaced = tried_on.numbers(ground.conn)
            tried = Tried(before, _capture(ground.conn), varying, called)
            say("Applying the objects a second time")
            tried.findings += _repeated(ground.conn, read, tried.after)
    except psycopg.Error as error:
        # a constraint or trigger that is deferred speaks up at the end
        raise BundleError(
            f"The transaction failed at its end: {error.sqlstate} {error.diag.message_primary}"
        ) from error
    say("Looking at what it made")
    tried.findings += tried_on.look(trial, tried.changes, replaceable, replaced)
    return tried


def _repeated(conn: psycopg.Connection, read: Source, after: CatalogSnapshot) -> list[Finding]:
    """Objects are applied with every release: a second time must change nothing."""
    try:
        with conn.transaction(force_rollback=True):
            for file in read.objects:
                apply.run_file(conn, file, read.manifest.parameters)
            if not any(after.changes(_capture(conn))):
                return []
    except (ReleaseError, psycopg.Error):
        pass  # which of them, and why, is found one by one
    return list(_not_repeatable(conn, read, after))


def _not_repeatable(conn: psycopg.Connection, read: Source, after: CatalogSnapshot) -> Iterator[Finding]:
    with conn.transaction(force_rollback=True):
        for file in read.objects:
            try:
                with conn.transaction():
                    apply.run_file(conn, file, read.manifest.parameters)
            except (ReleaseError, psycopg.Error) as error:
                yield found(lints.REPEATED, file.name, 0, f"the second time, {error}")
                continue
            now = _capture(conn)
            changed = [str(change.object) for change in after.changes(now)]
            if changed:
                yield found(lints.REPEATED, file.name, 0, f"the second time it changes {', '.join(changed)}")
                after = now


def _run(conn: psycopg.Connection, file: File, values: dict[str, str]) -> None:
    try:
        apply.run_file(conn, file, values)
    except ReleaseError as error:
        raise BundleError(error.message, fix=error.fix, command=error.command) from error


def _verify(conn: psycopg.Connection, file: File, values: dict[str, str]) -> None:
    if file.verify is None:
        return
    name = file.name.replace(".sql", ".verify.sql")
    try:
        answer = apply.verified(conn, file, values)
    except psycopg.Error as error:
        raise BundleError(f"{name} failed: {error.sqlstate} {error.diag.message_primary or error}") from error
    if answer is not True:
        raise BundleError(
            f"{name} answers {answer!r} after the trial, not true.",
            fix="It is one query with one value, true once the migration did what it is for.",
        )


def _uses(text: str, values: dict[str, str]) -> bool:
    return any(f":{{{name}}}" in text for name in values)


def _look(trial: Trial) -> CatalogSnapshot:
    with trial.ground.transaction():
        return _capture(trial.ground.conn)


def _capture(conn: psycopg.Connection) -> CatalogSnapshot:
    return lasting(capture(conn))


def _base_digest(read: Source, major: int) -> str:
    if read.manifest.shape == "guide":
        return hashlib.sha256(read.base.encode()).hexdigest()
    applied = [one.sha256 for one in migration_files.migrations() if one.min_server <= major]
    return migration_files.digest(migration_files.objects(server_major=major), applied)


def _file(one: migration_files.SqlFile) -> File:
    return File(one.path.name, one.text.decode("utf-8"))


def _author(given: str, declared: str | None) -> str:
    author = given or declared
    if not author:
        raise BundleError(
            "Nobody is named as the author.", fix=f"author = ... in {source.MANIFEST}, or --author NAME."
        )
    if not author.isprintable() or len(author) > _LONGEST_AUTHOR:
        raise BundleError(f"The author is no name: {author[:_LONGEST_AUTHOR]!r}.", fix="--author NAME")
    return author
