-- hole: leaving out an argument of a SECURITY DEFINER function lifts its filter
-- object: app.members_of(uuid)
-- attack: function, read
-- seen: crossed
-- role: {app}
-- why: the argument is checked against the setting only when it is there; NULL means everybody.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.member (
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
ALTER TABLE app.member ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.member FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.member
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE FUNCTION app.members_of(tenant uuid DEFAULT NULL) RETURNS TABLE (name text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  BEGIN
    IF tenant <> nullif(current_setting('app.tenant_id', true), '')::uuid THEN
      RAISE EXCEPTION 'not your tenant' USING ERRCODE = '42501';
    END IF;
    RETURN QUERY SELECT m.name FROM app.member m WHERE tenant IS NULL OR m.tenant_id = tenant;
  END $$;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.member TO {app};
RESET ROLE;
INSERT INTO app.member VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 'Ada'), ('bbbbbbbb-0000-4000-8000-00000000000b', 'Bob');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT name FROM app.members_of('bbbbbbbb-0000-4000-8000-00000000000b');
-- fails: 42501
SELECT name FROM app.members_of() ORDER BY name;
-- gives: Ada; Bob
