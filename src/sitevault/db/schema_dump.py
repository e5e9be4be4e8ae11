"""The whole schema as one text, the same for the same schema: what sql/schema.sql is generated from."""

from __future__ import annotations

import os
import re
import subprocess

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitevault.db import binaries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError

_DAILY_PARTITIONS = "*.*_p20*"
_FIRST_OBJECT = "--\n-- Name: "
_END = "--\n-- PostgreSQL database dump complete"
_BLANK_LINES = re.compile(r"\n{3,}")
_POLICY = re.compile(r"^(CREATE POLICY .+? TO )([a-z_, ]+)( USING| WITH CHECK|;)", re.MULTILINE)


def dump(database: Database) -> str:
    """The schema as SQL, without the daily partitions and without anything that differs between two runs.

    Uses the pg_dump of the embedded PostgreSQL; raises SitevaultError when it fails.
    """
    conninfo = conninfo_to_dict(database.conninfo(Role.MIGRATOR, "dump"))
    password = str(conninfo.pop("password"))
    result = subprocess.run(
        [
            binaries.shipped().program("pg_dump"),
            "--schema-only",
            "--no-password",
            f"--role={Role.OWNER}",
            f"--exclude-table={_DAILY_PARTITIONS}",
            f"--dbname={make_conninfo('', **conninfo)}",
        ],
        capture_output=True,
        text=True,
        check=False,
        # The password goes by the environment: other users can read a command line.
        env={**os.environ, "PGPASSWORD": password},
    )
    if result.returncode:
        raise SitevaultError(f"pg_dump failed: {result.stderr.strip()}")
    # Versions, session settings and a random key stand before the first object and after the last.
    body = result.stdout[result.stdout.index(_FIRST_OBJECT) : result.stdout.rindex(_END)]
    # pg_dump lists a policy's roles as they lie in pg_authid, where whoever alters one moves it.
    body = _POLICY.sub(lambda found: found[1] + ", ".join(sorted(found[2].split(", "))) + found[3], body)
    return _BLANK_LINES.sub("\n\n", body).strip() + "\n"
