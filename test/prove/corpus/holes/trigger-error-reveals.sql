-- hole: a trigger's error message says who has the number already
-- object: app.phone
-- attack: reveal, insert, function
-- seen: crossed
-- role: {app}
-- why: the check runs as an owner who sees all, and the message carries what it saw.
CREATE ROLE {owner} NOLOGIN BYPASSRLS;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.phone (
  tenant_id uuid NOT NULL,
  number text NOT NULL,
  person text NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
CREATE FUNCTION app.refuse_taken() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
  DECLARE taken app.phone;
  BEGIN
    SELECT * INTO taken FROM app.phone p WHERE p.number = NEW.number AND p.tenant_id <> NEW.tenant_id;
    IF FOUND THEN
      RAISE EXCEPTION '% belongs to %', NEW.number, taken.person USING ERRCODE = '23505';
    END IF;
    RETURN NEW;
  END $$;
CREATE TRIGGER refuse_taken BEFORE INSERT ON app.phone FOR EACH ROW EXECUTE FUNCTION app.refuse_taken();
ALTER TABLE app.phone ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.phone FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.phone
  USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.phone TO {app};
RESET ROLE;
INSERT INTO app.phone VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', '1', 'Ada'), ('bbbbbbbb-0000-4000-8000-00000000000b', '2', 'Bob');

-- session 1 as {app}
SET app.tenant_id = 'aaaaaaaa-0000-4000-8000-00000000000a';
INSERT INTO app.phone VALUES ('aaaaaaaa-0000-4000-8000-00000000000a', '2', 'me');
-- fails: 23505
