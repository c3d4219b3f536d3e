-- near miss: a plain view of a superuser, in front of tenants' rows
-- role: {app}
-- why: what lies below it is a security_invoker view, which reads with the rights of the session's user even when
--   another view asks it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.parcel (
  depot bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  address text NOT NULL,
  PRIMARY KEY (depot, id)
);
ALTER TABLE app.parcel ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.parcel FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.parcel USING (depot = nullif(current_setting('app.depot', true), '')::bigint);
CREATE VIEW app.parcels WITH (security_invoker) AS SELECT depot, id, address FROM app.parcel;
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.parcel TO {app};
RESET ROLE;
CREATE VIEW app.labels WITH (security_barrier) AS SELECT depot, 'to: ' || address AS label FROM app.parcels;
GRANT SELECT ON app.parcels, app.labels TO {app};
INSERT INTO app.parcel (depot, address) VALUES (1, 'First'), (2, 'Second');

-- session 1 as {app}
SET app.depot = '1';
SELECT label FROM app.labels;
-- gives: to: First
