-- hole: an open table whose names need quotes
-- object: Tenant Data.Open "Orders", Tenant Data.Open Orders
-- attack: read, insert, update, delete, move
-- seen: crossed
-- role: {app}
-- why: nothing but the names is unusual.
CREATE ROLE {owner} NOLOGIN;
CREATE ROLE {app} LOGIN;
CREATE SCHEMA "Tenant Data" AUTHORIZATION {owner};
SET ROLE {owner};
CREATE DOMAIN "Tenant Data"."Tenant" AS uuid;
CREATE TABLE "Tenant Data"."Customer" ("Tenant" "Tenant Data"."Tenant" NOT NULL, "Order" int NOT NULL, PRIMARY KEY ("Tenant", "Order"));
CREATE TABLE "Tenant Data"."Open ""Orders""" (
  "Tenant" "Tenant Data"."Tenant" NOT NULL,
  "Order" int NOT NULL,
  "what's it" text NOT NULL,
  PRIMARY KEY ("Tenant", "Order"),
  FOREIGN KEY ("Tenant", "Order") REFERENCES "Tenant Data"."Customer" ("Tenant", "Order")
);
ALTER TABLE "Tenant Data"."Customer" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Tenant Data"."Customer" FORCE ROW LEVEL SECURITY;
CREATE POLICY "it's own" ON "Tenant Data"."Customer"
  USING ("Tenant" = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT USAGE ON SCHEMA "Tenant Data" TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "Tenant Data" TO {app};
RESET ROLE;
INSERT INTO "Tenant Data"."Customer" VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1), ('bbbbbbbb-0000-4000-8000-00000000000b', 1);
INSERT INTO "Tenant Data"."Open ""Orders""" VALUES
  ('aaaaaaaa-0000-4000-8000-00000000000a', 1, 'a'), ('bbbbbbbb-0000-4000-8000-00000000000b', 1, 'b');

-- session 1 as {app}
SET app.tenant = 'aaaaaaaa-0000-4000-8000-00000000000a';
SELECT "what's it" FROM "Tenant Data"."Open ""Orders""" ORDER BY 1;
-- gives: a; b
