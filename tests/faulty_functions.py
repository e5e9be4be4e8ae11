"""A generator of PL/pgSQL functions: a planted fault, a healthy look-alike, or SQL built at run time in each.

It knows nothing of the checks. `§` and `¶` mark the lines between which the fault stands; names in braces vary.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

FAULTY: dict[str, tuple[str, ...]] = {
    "F1": (
        "§SELECT tenant_hk INTO {tenant} FROM auth.tenant_h ORDER BY load_date ASC LIMIT 1¶;",
        "{tenant} := §(SELECT t.tenant_hk FROM auth.tenant_h AS t ORDER BY t.load_date DESC LIMIT 1)¶;",
        "{tenant} := §(select {alias}.tenant_hk from auth.tenant_h {alias} fetch first 1 row only)¶;",
        "§SELECT tenant_hk INTO {tenant} FROM auth.tenant_h¶;",
        "§SELECT tenant_hk INTO {tenant} FROM auth.tenant_h WHERE tenant_bk <> 'SYSTEM' ORDER BY random() LIMIT "
        "1¶;",
        "SELECT §min(encode(tenant_hk, 'hex')) INTO {text} FROM auth.tenant_h¶;",
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload)\n"
        "VALUES (§(SELECT tenant_hk FROM auth.tenant_h LIMIT 1)¶, {payload});",
        "WITH {alias} AS (§SELECT tenant_hk FROM auth.tenant_h ORDER BY 1 LIMIT 1¶)\n"
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload) SELECT tenant_hk, {payload} FROM "
        "{alias};",
        "§SELECT h.tenant_hk INTO {tenant} FROM auth.tenant_h h JOIN auth.tenant_profile_s s ON s.tenant_hk = "
        "h.tenant_hk"
        "\nWHERE s.tenant_name = 'Test Company' ORDER BY h.load_date LIMIT 1¶;",
    ),
    "F2": (
        "{text} := §{payload}->>'evt_type'¶;",
        "{text} := §{payload} -> 'session_id'¶;",
        "{text} := §({payload}->'event_data')->>'sessionId'¶;",
        "{text} := §{payload} #>> '{{event_data,pageTitle}}'¶;",
        "{text} := §jsonb_extract_path_text({payload}, 'evt_type')¶;",
        "{text} := §{payload}['user_id']¶;",
        "IF §upper({payload}->>'evt_type')¶ = 'X' THEN {n} := 2; END IF;",
        "UPDATE staging.site_tracking_events_s SET session_id = §{payload}->>'session_id'¶ WHERE raw_event_id = "
        "p_id;",
        "SELECT x.evt_type INTO {text} FROM jsonb_to_record({payload}) AS x (§evt_type text¶, page_url text);",
        "{json} := {payload}->'event_data'; {text} := §{json}->>'page_url'¶;",
        "SELECT §r.raw_payload->>'evt_type'¶ INTO {text} FROM raw.site_tracking_events_r r WHERE r.raw_event_id "
        "= p_id;",
    ),
    "F3": (
        "{json} := jsonb_build_object('a', 1, 'original_fields', §jsonb_object_keys({payload})¶);",
        "{text} := §jsonb_object_keys({payload})¶;",
        "{text} := coalesce(§(SELECT jsonb_object_keys({payload}))¶, 'x');",
        "{text} := §(SELECT k FROM jsonb_object_keys({payload}) AS k)¶;",
        "IF §jsonb_array_elements_text({payload}->'event_data')¶ = 'x' THEN {n} := 3; END IF;",
        "RAISE NOTICE '% of %', {n}, §jsonb_object_keys({payload})¶;",
        "INSERT INTO gen.sink (body) VALUES (jsonb_build_object('k', §jsonb_object_keys({payload})¶));",
        "UPDATE gen.sink SET body = §to_jsonb(regexp_split_to_table({text}, ','))¶;",
        "SELECT §jsonb_object_keys({payload})¶ INTO STRICT {text};",
        "SELECT §jsonb_object_keys({payload})¶ INTO {text};",
        "RETURN upper(§(regexp_matches({text}, 'a', 'g'))[1]¶);",
    ),
    "F4": (
        "UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED',\n"
        "    §processed_timestamp = now()¶ WHERE raw_event_id = p_id;",
        "INSERT INTO gen.sink (body, §kind¶) VALUES ({payload}, 'x');",
        "SELECT §{alias}.processed_at¶ INTO {text} FROM raw.site_tracking_events_r {alias} WHERE "
        "{alias}.raw_event_id = 1;",
        "PERFORM 1 FROM raw.site_tracking_events_r WHERE §is_processed¶;",
        "{text} := §util.normalise({text})¶;",
        "{text} := §upper({text}, 'x', 'y')¶;",
        "DELETE FROM §raw.site_tracking_event_r¶ WHERE raw_event_id = p_id;",
        "PERFORM §gen.nobody_made_this(p_id)¶;",
        "SELECT count(*) INTO {n} FROM gen.sink s JOIN auth.tenant_h t ON §t.tenant_name¶ = s.body->>'x';",
    ),
    "F5": (
        "BEGIN\n {n} := 1 / {n};\nEXCEPTION WHEN OTHERS THEN\n"
        " §UPDATE raw.site_tracking_events_r SET processing_status = 'ERROR', error_message = SQLERRM\n"
        " WHERE raw_event_id = p_id¶;\n RAISE;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN division_by_zero OR unique_violation THEN\n"
        " §INSERT INTO gen.sink (body) VALUES (to_jsonb(SQLERRM))¶;\n RAISE EXCEPTION 'Failed %', p_id;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n IF {n} > 0 THEN\n  §DELETE FROM gen.sink¶;\n END IF;\n"
        " RAISE NOTICE 'now %', SQLERRM;\n RAISE USING MESSAGE = 'no', ERRCODE = 'P0001';\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN SQLSTATE '22012' THEN NULL; WHEN OTHERS THEN\n"
        " BEGIN §UPDATE gen.sink SET body = 'null'¶; END;\n {n} := 3;\n"
        " CASE WHEN {n} = 3 THEN RAISE; ELSE {n} := 4; END CASE;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n §PERFORM gen.write_down(SQLERRM)¶;\n RAISE;\nEND;",
    ),
    "F6": (
        "BEGIN\n {text} := util.classify({text});\n§EXCEPTION\n WHEN OTHERS THEN\n  RETURN NULL¶;\nEND;",
        "BEGIN\n {text} := util.classify({text});\n§EXCEPTION WHEN undefined_function THEN NULL¶;\nEND;",
        "BEGIN\n UPDATE raw.site_tracking_events_r SET handled = true;\n§EXCEPTION WHEN OTHERS THEN {text} := "
        "NULL::text¶;\nEND;",
        "BEGIN\n INSERT INTO gen.sink (body) VALUES ({payload});\n§EXCEPTION WHEN OTHERS THEN NULL¶;\nEND;",
        "BEGIN\n PERFORM gen.write_down('x');\n§EXCEPTION WHEN OTHERS THEN RETURN NULL¶;\nEND;",
    ),
    "F8": (
        "{json} := jsonb_build_object('by', 'us', §'tenant_verified', true¶);",
        '{json} := {json} || §\'{{"tenant_verified": true, "x": 1}}\'¶::jsonb;',
        "{json} := jsonb_set({json}, §'{{checks,tenant_verified}}', 'true'¶);",
        "INSERT INTO gen.claims (§is_verified¶, n) VALUES (true, 1);",
        "UPDATE gen.claims SET n = 1, §is_verified = TRUE¶;",
        "INSERT INTO gen.claims (n, §is_verified¶) SELECT 1, 't'::boolean;",
        "IF {text} IS NOT NULL THEN {json} := json_build_object(§'isolation_enforced', true¶); END IF;",
    ),
}
"""Class -> statements that have the fault."""

HEALTHY: dict[str, tuple[str, ...]] = {
    "F1": (
        "SELECT tenant_hk INTO {tenant} FROM auth.tenant_h WHERE tenant_bk = p_text ORDER BY load_date LIMIT 1;",
        "{tenant} := (SELECT t.tenant_hk FROM auth.tenant_h t WHERE t.tenant_hk = $2 LIMIT 1);",
        "SELECT t.tenant_hk INTO {tenant} FROM auth.tenant_h t JOIN auth.api_key_h k ON k.tenant_hk = "
        "t.tenant_hk\n"
        "WHERE k.api_key_hk = sha256(convert_to(p_text, 'UTF8')) LIMIT 1;",
        "SELECT tenant_hk INTO {tenant} FROM auth.tenant_h WHERE tenant_bk = current_setting('app.t', true) "
        "LIMIT 1;",
        "IF NOT EXISTS (SELECT tenant_hk FROM auth.tenant_h LIMIT 1) THEN {n} := 1; END IF;",
        "SELECT count(tenant_hk) INTO {n} FROM auth.tenant_h;",
        "PERFORM max(load_date) FROM auth.tenant_h;",
        "FOR {tenant} IN SELECT tenant_hk FROM auth.tenant_h ORDER BY load_date LOOP {n} := {n} + 1; END LOOP;",
        "{text} := 'SELECT tenant_hk FROM auth.tenant_h ORDER BY load_date LIMIT 1';",
        "UPDATE raw.site_tracking_events_r r SET tenant_hk =\n"
        "    (SELECT t.tenant_hk FROM auth.tenant_h t WHERE t.tenant_hk = r.tenant_hk LIMIT 1) WHERE "
        "r.raw_event_id = p_id;",
    ),
    "F2": (
        "{text} := {payload}->>'event_type';",
        "{text} := {payload}->'event_data'->>'session_id';",
        "{json} := {payload}->'event_data'; {text} := {json} ->> 'session_id';",
        "{text} := {payload} #>> '{{event_data,user_id}}';",
        "{text} := COALESCE({payload}->>'evt_type', {payload}->>'event_type');",
        "{text} := COALESCE({payload}->>'event_type', 'unknown');",
        "{text} := {payload}['event_data']['session_id'];",
        "{text} := jsonb_extract_path_text({payload}, 'event_data', 'page_title');",
        "{json} := jsonb_build_object('evt_type', 1); {text} := {json}->>'evt_type';",
        "{text} := '{payload_text}->>evt_type'; -- {payload_text}->>'evt_type'",
    ),
    "F3": (
        "{json} := to_jsonb(ARRAY(SELECT jsonb_object_keys({payload})));",
        "{json} := jsonb_build_object('f', (SELECT array_agg(key) FROM jsonb_object_keys({payload}) AS key));",
        "{text} := (SELECT k FROM jsonb_object_keys({payload}) k ORDER BY k LIMIT 1);",
        "{text} := (SELECT jsonb_object_keys({payload}) LIMIT 1);",
        "SELECT string_agg(k, ',') INTO {text} FROM jsonb_object_keys({payload}) k;",
        "FOR {text} IN SELECT jsonb_object_keys({payload}) LOOP {n} := {n} + 1; END LOOP;",
        "INSERT INTO gen.sink (body) SELECT jsonb_array_elements({payload}->'event_data') WHERE false;",
        "IF EXISTS (SELECT jsonb_object_keys({payload})) THEN {n} := 1; END IF;",
        "IF {text} IN (SELECT jsonb_object_keys({payload})) THEN {n} := 2; END IF;",
        "{n} := (SELECT count(*) FROM (SELECT jsonb_object_keys({payload})) AS s);",
        "PERFORM jsonb_object_keys({payload});",
        "{text} := 'jsonb_object_keys(v)'; /* {text} := jsonb_object_keys(v); */",
        "SELECT value INTO {json} FROM jsonb_each({payload}) WHERE key = 'event_type';",
    ),
    "F4": (
        "UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED' WHERE raw_event_id = p_id;",
        "UPDATE staging.site_tracking_events_s SET processed_timestamp = now() WHERE raw_event_id = p_id;",
        "{row} := NULL; SELECT r.* INTO {row} FROM raw.site_tracking_events_r r LIMIT 1; {text} := "
        "{row}.error_message;",
        "WITH w AS (SELECT 1 AS processed_timestamp) SELECT w.processed_timestamp INTO {n} FROM w;",
        "CREATE TEMP TABLE IF NOT EXISTS built_here (a int); INSERT INTO built_here (a) VALUES (1);",
        "SELECT x.made_up INTO {n} FROM (SELECT 1 AS made_up) AS x;",
        "{text} := util_free({text});",
        "PERFORM 1 FROM raw.site_tracking_events_r WHERE raw_event_id = {n} AND p_text IS NOT NULL;",
        "INSERT INTO gen.sink AS s (body) VALUES ({payload}) ON CONFLICT DO NOTHING;",
        "{text} := 'util.classify(x)';",
    ),
    "F5": (
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n UPDATE gen.sink SET body = 'null';\n RETURN "
        "'failed';\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n UPDATE gen.sink SET body = 'null'; RAISE WARNING 'x "
        "%', SQLERRM;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n {text} := SQLERRM;\n RAISE;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN division_by_zero THEN\n UPDATE gen.sink SET body = 'null';\n"
        "WHEN OTHERS THEN RAISE;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n IF {n} = 1 THEN\n  UPDATE gen.sink SET body = "
        "'null';\n ELSE\n"
        "  RAISE;\n END IF;\nEND;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n IF {n} = 1 THEN\n  DELETE FROM gen.sink;\n  RETURN "
        "'x';\n"
        " END IF;\n RAISE;\nEND;",
        "UPDATE gen.sink SET body = 'null';\nIF {n} < 0 THEN RAISE EXCEPTION 'no'; END IF;",
        "BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n {text} := 'UPDATE gen.sink SET body = 1'; RAISE;\nEND;",
    ),
    "F6": (
        "BEGIN\n {n} := {text}::integer;\nEXCEPTION WHEN OTHERS THEN\n RETURN NULL;\nEND;",
        "BEGIN\n {text} := gen.answers({text});\nEXCEPTION WHEN OTHERS THEN\n RAISE WARNING 'lost: %', "
        "SQLERRM;\n RETURN NULL;\nEND;",
        "BEGIN\n DELETE FROM gen.sink;\nEXCEPTION WHEN OTHERS THEN\n INSERT INTO gen.sink (body) VALUES ('1'); "
        "RETURN NULL;\nEND;",
        "BEGIN\n {text} := gen.answers({text});\nEXCEPTION WHEN invalid_text_representation THEN RETURN "
        "NULL;\nEND;",
        "BEGIN\n INSERT INTO gen.sink (body) VALUES ({payload});\nEXCEPTION WHEN unique_violation THEN "
        "NULL;\nEND;",
        "BEGIN\n {text} := gen.answers({text});\nEXCEPTION WHEN OTHERS THEN {text} := SQLERRM;\nEND;",
    ),
    "F8": (
        "{json} := jsonb_build_object('tenant_verified', (SELECT true FROM auth.api_key_h k WHERE k.tenant_hk = "
        "p_tenant));",
        "{json} := jsonb_build_object('tenant_verified', {tenant} = p_tenant);",
        "IF {tenant} = p_tenant THEN {json} := jsonb_build_object('tenant_verified', true); END IF;",
        "IF {tenant} IS DISTINCT FROM p_tenant THEN RETURN 'no'; END IF;\n"
        "{json} := jsonb_build_object('tenant_verified', true);",
        "{json} := jsonb_build_object('tenant_verified', CASE WHEN {tenant} = p_tenant THEN true ELSE false END);",
        "PERFORM 1 FROM auth.api_key_h WHERE tenant_hk = p_tenant;\nIF FOUND THEN\n"
        " UPDATE gen.claims SET is_verified = true;\nEND IF;".replace("is_verified", "tenant_verified"),
        "{json} := jsonb_build_object('tenant_verified', false, 'success', true, 'active', true);",
        "INSERT INTO gen.claims (n, is_verified) VALUES (1, {n} = 2);",
        "{text} := 'tenant_verified: true';",
    ),
}
"""Class -> statements that look like it, and are right."""

DYNAMIC: dict[str, tuple[str, ...]] = {
    "F1": (
        "EXECUTE 'SELECT tenant_hk FROM ' || p_text || ' ORDER BY load_date LIMIT 1' INTO {tenant};",
        "EXECUTE format('SELECT tenant_hk FROM %s ORDER BY load_date LIMIT 1', p_text) INTO {tenant};",
    ),
    "F2": ("EXECUTE 'SELECT $1' || p_text INTO {text} USING {payload};",),
    "F3": ("EXECUTE 'SELECT ' || p_text || '($1)' INTO {text} USING {payload};",),
    "F4": ("EXECUTE p_text;", "FOR {text} IN EXECUTE p_text LOOP {n} := 1; END LOOP;"),
    "F5": ("BEGIN\n PERFORM 1;\nEXCEPTION WHEN OTHERS THEN\n EXECUTE p_text;\n RAISE;\nEND;",),
    "F6": ("BEGIN\n EXECUTE 'SELECT ' || p_text INTO {text};\nEXCEPTION WHEN OTHERS THEN RETURN NULL;\nEND;",),
    "F8": ("EXECUTE p_text USING {payload};",),
}
"""Class -> statements of which nobody can say from the text."""

SCAFFOLD = """
CREATE SCHEMA gen;
CREATE TABLE gen.sink (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb);
CREATE TABLE gen.claims (n integer, is_verified boolean, tenant_verified boolean);
CREATE FUNCTION public.util_free(t text) RETURNS text LANGUAGE sql AS 'SELECT t';
CREATE FUNCTION gen.answers(t text) RETURNS text LANGUAGE sql AS 'SELECT t';
CREATE FUNCTION gen.write_down(t text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO gen.sink (body) VALUES (to_jsonb(t)); END $$;
"""
"""What the generated functions refer to, beside the incident's tables."""

_NAMES = {
    "tenant": ("v_tenant_hk", "tenant", '"V Tenant"', "l_owner"),
    "text": ("v_text", "result", '"The Text"', "s"),
    "payload": ("v_payload", "v_event_data", '"Payload"', "body_"),
    "json": ("v_json", "v_enrichment", '"j s"'),
    "n": ("v_n", "counter", '"N"'),
    "row": ("v_row", "rec"),
    "alias": ("t", "tt", '"T"'),
}
_TYPES = {"tenant": "bytea", "text": "text", "payload": "jsonb", "json": "jsonb", "n": "integer", "row": "record"}

_NOISE = (
    "{n} := coalesce({n}, 0) + 1;",
    "-- EXCEPTION WHEN OTHERS THEN RETURN NULL; 'not closed",
    "/* UPDATE x SET y = 1; RAISE; /* nested */ */",
    "RAISE DEBUG 'END IF; END LOOP; % -- no comment', {n};",
    "{text} := $q$ BEGIN; RAISE; ' END; $q$ || E'it\\'s; END';",
    "NULL;",
    "PERFORM length({text});",
    "IF {n} IS NULL THEN {n} := CASE WHEN {text} IS NULL THEN 1 ELSE 2 END; END IF;",
    "GET DIAGNOSTICS {n} = ROW_COUNT;",
)

_WRAPPERS = (
    "IF {n} >= 0 THEN\n§§\nEND IF;",
    "IF {n} IS NULL THEN\n  NULL;\nELSIF {n} < 100 THEN\n§§\nELSE\n  NULL;\nEND IF;",
    "FOR i IN 1 .. 2 LOOP\n§§\nEND LOOP;",
    "FOR i IN REVERSE 3..1 BY 2 LOOP §§\nEND LOOP;",
    "<<outer_block>>\nBEGIN\n§§\nEND outer_block;",
    "DECLARE\n  inner_one integer := 1;\nBEGIN\n§§\nEND;",
    "CASE {n} WHEN 0, 1 THEN\n§§\nELSE\n  NULL;\nEND CASE;",
    "<<again>> LOOP\n§§\n  EXIT again WHEN true;\nEND LOOP again;",
    "FOREACH {n} IN ARRAY ARRAY[1, 2] LOOP\n§§\nEND LOOP;",
    "WHILE {n} < 1 LOOP\n§§\nEND LOOP;",
)


@dataclass(frozen=True)
class Planted:
    """A generated function, and what is in it."""

    name: str
    sql: str
    fault: str
    what: str
    """faulty, healthy or dynamic."""
    core: str
    first_line: int = 0
    last_line: int = 0


@st.composite
def functions(draw: st.DrawFn) -> Planted:
    """One function; its name is not yet unique."""
    what, pool = draw(st.sampled_from((("faulty", FAULTY), ("healthy", HEALTHY), ("dynamic", DYNAMIC))))
    fault = draw(st.sampled_from(sorted(pool)))
    core = draw(st.sampled_from(pool[fault]))
    return build(draw, what, fault, core)


def build(draw: st.DrawFn, what: str, fault: str, core: str) -> Planted:
    """Plant a statement into a body of its own."""
    chosen = {role: draw(st.sampled_from(pool)) for role, pool in _NAMES.items()}
    if len(set(chosen.values())) < len(chosen):
        chosen = {role: pool[0] for role, pool in _NAMES.items()}
    chosen["payload_text"] = "v"
    body = core.format(**chosen)
    for wrapper in draw(st.lists(st.sampled_from(_WRAPPERS), max_size=3)):
        noise = [one.format(**chosen) for one in draw(st.lists(st.sampled_from(_NOISE), max_size=2))]
        inside = "\n".join([*noise, body])
        body = wrapper.format(**chosen).replace("§§", inside)
    body = _indented(draw, body)
    declared = "\n".join(f"  {chosen[role]} {kind};" for role, kind in _TYPES.items())
    load = (
        f"SELECT raw_payload INTO {chosen['payload']} FROM raw.site_tracking_events_r WHERE raw_event_id = p_id;"
    )
    before = "\n".join(one.format(**chosen) for one in draw(st.lists(st.sampled_from(_NOISE), max_size=3)))
    source = f"\nDECLARE\n{declared}\nBEGIN\n  {load}\n{before}\n{body}\n  RETURN {chosen['text']};\nEND"
    source += draw(st.sampled_from((";\n", "\n", ";")))
    first = source[: source.index("§")].count("\n") + 1 if "§" in source else 0
    last = source[: source.index("¶")].count("\n") + 1 if "¶" in source else 0
    source = source.replace("§", "").replace("¶", "")
    create = (
        "CREATE FUNCTION gen.{name}(p_id bigint, p_tenant bytea, p_text text DEFAULT 'x')\n"
        f"RETURNS text LANGUAGE plpgsql AS $function${source}$function$"
    )
    return Planted("", create, fault, what, core, first, last)


def _indented(draw: st.DrawFn, body: str) -> str:
    indent = draw(st.sampled_from(("", "  ", "\t", "        ")))
    return "\n".join(indent + line for line in body.split("\n"))
