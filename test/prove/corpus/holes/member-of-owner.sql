-- hole: the application's role is a member of the tables' owner, so that it may run migrations
-- object: desk.ticket
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: a member that inherits the owner's rights counts as the owner; without FORCE no policy applies to it.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
GRANT {owner} TO {app};
CREATE SCHEMA desk AUTHORIZATION {owner};
SET ROLE {owner};
CREATE TABLE desk.ticket (
  account text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  subject text NOT NULL,
  PRIMARY KEY (account, id)
);
ALTER TABLE desk.ticket ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_account ON desk.ticket
  USING (account = nullif(current_setting('desk.account', true), ''))
  WITH CHECK (account = nullif(current_setting('desk.account', true), ''));
RESET ROLE;
INSERT INTO desk.ticket (account, subject) VALUES ('north', 'a lamp'), ('south', 'a leak');

-- session 1 as {app}
SET desk.account = 'north';
SELECT subject FROM desk.ticket ORDER BY subject;
-- gives: a lamp; a leak
