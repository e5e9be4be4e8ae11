-- squawk-ignore-file require-concurrent-index-creation
-- What sessions did on rolled-up days, in its order, for funnels.
CREATE TABLE mart.path_day_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    path_hk bytea NOT NULL,
    path text NOT NULL,
    sessions bigint NOT NULL,
    CONSTRAINT path_day_f_pk PRIMARY KEY (tenant_hk, day, path_hk)
);
COMMENT ON TABLE mart.path_day_f IS
'The event types of sessions that lie within one rolled-up day, in order, and how many sessions did just that; read mart.funnel.';

CREATE TABLE mart.path_session_f (
    tenant_hk bytea NOT NULL,
    day date NOT NULL,
    session_hk bytea NOT NULL,
    event_types text [] NOT NULL,
    times timestamptz [] NOT NULL,
    CONSTRAINT path_session_f_pk PRIMARY KEY (tenant_hk, day, session_hk)
);
COMMENT ON TABLE mart.path_session_f IS
'What sessions that lie in several days did on a rolled-up day, each by itself; read mart.funnel.';

-- Days that were rolled up before there were paths are rolled up again.
TRUNCATE mart.rolled_day;
