// HT1xx on a real server: what fires, what does not, and that the mends mend.
import { fixtures } from './fixtures.ts';

fixtures('isolation', [
  {
    code: 'HT113',
    fires: `CREATE TABLE t (tenant_id text, n int); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
      CREATE POLICY p ON t USING (tenant_id = current_setting('app.tenant_id', true));
      GRANT ALL ON t TO {app}`,
    near: `CREATE TABLE t (tenant_id text, n int); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
      CREATE POLICY p ON t USING (tenant_id = current_setting('app.tenant_id', true));
      GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {app}`,
    subject: 'table {fx}.t',
    says: ['TRUNCATE "{fx}"."t" as {app} empties it'],
  },
]);
