-- The pause of the workers. Whoever carries events takes the lock shared and only then reads ops.pause; whoever
-- pauses commits the row and only then takes the lock alone: between them nobody can read the old row and work on.
-- A volatile function sees rows committed before each of its statements, also within one statement of its caller.
CREATE OR REPLACE FUNCTION ops.begin_work(while_paused boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(hashtext('sitevault.pause')) THEN
        RETURN false; -- somebody is pausing at this moment
    END IF;
    RETURN while_paused OR NOT EXISTS (SELECT FROM ops.pause AS p WHERE p.paused);
END
$$;
COMMENT ON FUNCTION ops.begin_work(boolean) IS
'Whether events may be carried in this transaction; asked before each claim, and what a pause waits for.';
