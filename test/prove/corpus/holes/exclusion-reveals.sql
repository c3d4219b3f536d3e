-- hole: an exclusion constraint tells when another tenant has booked
-- object: app.booking
-- attack: reveal
-- seen: crossed
-- role: {app}
-- why: it is held over every tenant's rows, as uniqueness is.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.booking (
  tenant_id text NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  during int4range NOT NULL,
  PRIMARY KEY (tenant_id, id),
  EXCLUDE USING gist (during WITH &&)
);
ALTER TABLE app.booking ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.booking FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.booking USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.booking TO {app};
RESET ROLE;
INSERT INTO app.booking (tenant_id, during) VALUES ('south', '[10,20)');

-- session 1 as {app}
SET app.tenant_id = 'north';
INSERT INTO app.booking (tenant_id, during) VALUES ('north', '[12,13)');
-- fails: 23P01
INSERT INTO app.booking (tenant_id, during) VALUES ('north', '[30,31)');
-- gives: INSERT 1
