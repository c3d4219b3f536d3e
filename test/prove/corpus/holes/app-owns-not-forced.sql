-- hole: the application logs in as the owner of its tables, and row security is not forced
-- object: public.parcel, public.courier
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: policies are not applied to a table's owner unless FORCE ROW LEVEL SECURITY says so.
CREATE ROLE {app} LOGIN;
CREATE TABLE parcel (
  depot bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  address text NOT NULL,
  PRIMARY KEY (depot, id)
);
CREATE TABLE courier (depot bigint NOT NULL, name text NOT NULL, PRIMARY KEY (depot, name));
ALTER TABLE parcel ENABLE ROW LEVEL SECURITY;
ALTER TABLE courier ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_depot ON parcel
  USING (depot = nullif(current_setting('shop.depot', true), '')::bigint);
CREATE POLICY of_depot ON courier
  USING (depot = nullif(current_setting('shop.depot', true), '')::bigint);
INSERT INTO parcel (depot, address) VALUES (1, 'First Street'), (2, 'Second Street');
ALTER TABLE parcel OWNER TO {app};
ALTER TABLE courier OWNER TO {app};

-- session 1 as {app}
SET shop.depot = '1';
SELECT address FROM parcel ORDER BY address;
-- gives: First Street; Second Street
