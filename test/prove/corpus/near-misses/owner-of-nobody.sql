-- near miss: row security is enabled and not forced
-- role: {app}
-- why: the owner cannot log in, nobody is a member of it, and nothing runs with its rights.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA app AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE app.ticket (
  account text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  subject text NOT NULL,
  PRIMARY KEY (account, id)
);
ALTER TABLE app.ticket ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_account ON app.ticket USING (account = nullif(current_setting('app.account', true), ''));
GRANT USAGE ON SCHEMA app TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON app.ticket TO {app};
RESET ROLE;
INSERT INTO app.ticket (account, subject) VALUES ('north', 'lamp'), ('south', 'leak');

-- session 1 as {app}
SET app.account = 'north';
SELECT subject FROM app.ticket;
-- gives: lamp
SET ROLE {owner};
-- fails: 42501
