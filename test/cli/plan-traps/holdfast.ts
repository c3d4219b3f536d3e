// A definition with one trap above what is worth knowing, one that is meant, and some worth knowing.
import { bigint, pgTable, text } from 'drizzle-orm/pg-core';
import { database } from '../../../src/define/index.ts';

const customers = pgTable('customers', { id: bigint({ mode: 'number' }).primaryKey(), status: text() });
const orders = pgTable('orders', {
  id: bigint({ mode: 'number' }).primaryKey(),
  customer: bigint({ mode: 'number' }).references(() => customers.id),
  payer: bigint({ mode: 'number' }).references(() => customers.id),
});

export default database('plan_traps', {
  tables: { customers, orders },
  accept: [
    {
      code: 'HT701',
      subject: 'foreign key orders_payer_customers_id_fk on public.orders',
      because: 'payers are never deleted',
    },
  ],
});
