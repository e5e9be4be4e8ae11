"""The pipeline's own code, writing beside the live tables: the same statements, with other names in them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from sitevault.replay.book import SQL
from sitevault.vault import load as vault


class Table(NamedTuple):
    """A table that is rebuilt."""

    schema: str
    name: str
    key: tuple[str, ...]

    @property
    def live(self) -> sql.Identifier:
        """Where it is read by everybody."""
        return sql.Identifier(self.schema, self.name)

    @property
    def side(self) -> sql.Identifier:
        """Where it is rebuilt."""
        return sql.Identifier("pg_temp", self.name)


def _vault(name: str, *key: str) -> Table:
    return Table("business", name, ("tenant_hk", *key))


STAGING = Table("staging", "site_tracking_events_s", ("tenant_hk", "raw_event_id"))
EVENTS = _vault("site_event_nl", "event_id", "event_day")
PII = _vault("site_event_pii_ns", "event_id", "event_day")
DUPLICATES = _vault("site_event_duplicate", "raw_event_id")
HUBS = (
    _vault("site_visitor_h", "visitor_hk"),
    _vault("site_session_h", "session_hk"),
    _vault("site_page_h", "page_hk"),
    _vault("site_user_h", "user_hk"),
    _vault("site_campaign_h", "campaign_hk"),
)
LINKS = (
    _vault("site_session_visitor_l", "session_hk", "visitor_hk"),
    _vault("site_visitor_user_l", "visitor_hk", "user_hk"),
)
EFFECTIVITY = _vault("site_visitor_user_es", "visitor_hk", "load_date")
SATELLITES = (
    _vault("site_session_details_s", "session_hk", "load_date"),
    _vault("site_visitor_details_s", "visitor_hk", "load_date"),
    _vault("site_page_details_s", "page_hk", "load_date"),
)
MARTS = (
    Table("mart", "session_f", ("tenant_hk", "session_hk")),
    Table("mart", "page_day_f", ("tenant_hk", "day", "page_hk")),
    Table("mart", "event_day_f", ("tenant_hk", "day", "event_type")),
)
ROLLED_DAYS = Table("mart", "rolled_day", ("tenant_hk", "day"))
LOADS = Table("ops", "load", ("load_id",))
"""Without its key: what the database refused once is carried in parts, each a load of the same number."""
BOOKS = (ROLLED_DAYS, LOADS, Table("ops", "ledger_d", ("tenant_hk", "day")))

SIDES = (STAGING, *HUBS, *LINKS, EFFECTIVITY, *SATELLITES, EVENTS, PII, DUPLICATES, *MARTS, *BOOKS)
"""Every table a load writes: beside each of them stands a side table while a rebuild lasts."""

_LIVE = re.compile(
    "|".join(rf'\b{one.schema}\.{one.name}\b|"{one.schema}"\."{one.name}"' for one in SIDES)
)  # fmt: skip
_BEGIN = vault.SQL.begin_load


class SideCursor(psycopg.Cursor[Any]):
    """Runs a statement of the pipeline on the side tables; a load begins when the rebuild says it did."""

    load: tuple[int, Any] = (0, None)
    """Number and date of the load being carried; set on the class a rebuild makes for itself."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """As psycopg's, with the names changed."""
        if query == _BEGIN:
            load_id, load_date = type(self).load
            return super().execute(SQL.begin_side_load, {"load_id": load_id, "load_date": load_date})
        return super().execute(self._beside(query), params, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> Any:
        """As psycopg's, with the names changed."""
        return super().executemany(self._beside(query), params_seq, **options)

    def copy(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """As psycopg's, with the names changed."""
        return super().copy(self._beside(statement), params, **options)

    def _beside(self, query: Any) -> Any:
        text = query.as_string(self.connection) if isinstance(query, sql.Composable) else query
        if isinstance(text, bytes):
            text = text.decode()
        return _LIVE.sub(lambda found: f"pg_temp.{found[0].rpartition('.')[2]}", text)


def make(cursor: psycopg.Cursor[Any], tables: tuple[Table, ...] = SIDES) -> None:
    """Side tables with the columns, keys and checks of the live ones; `cursor` is a plain one."""
    for table in tables:
        cursor.execute(sql.SQL(SQL.drop_side_table).format(side=table.side))
        side = sql.Identifier(table.name)
        made = SQL.make_side_heap if table is LOADS else SQL.make_side_table
        cursor.execute(sql.SQL(made).format(side=side, live=table.live))


def tidy(cursor: psycopg.Cursor[Any]) -> None:
    """Empty what loads keep in temporary tables of their own."""
    names = cursor.execute(SQL.scratch_tables, {"sides": [one.name for one in SIDES]}).fetchall()
    for (name,) in names:
        cursor.execute(sql.SQL(SQL.empty_scratch).format(side=sql.Identifier("pg_temp", name)))


def columns(cursor: psycopg.Cursor[Any], table: Table) -> list[str]:
    """The columns of a table."""
    found = cursor.execute(SQL.columns, {"name": f"{table.schema}.{table.name}"}).fetchall()
    return [row[0] for row in found]
