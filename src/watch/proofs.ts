// How the proofs of a definition ended the last time they were run here, by the ledger.
import type { Definition } from '../define/database.ts';
import type { Sample } from '../define/measure.ts';
import type { CatalogueQuery } from '../define/trait.ts';
import { ident } from '../sql.ts';
import { engineFamilies } from './families.ts';
import { hasTable } from './ledger.ts';
import type { Part, PartContext } from './parts.ts';

/** The verdicts there are, as the label has them. */
export const verdicts = ['held', 'broken', 'noisy', 'not_shown'] as const;

interface Row {
  readonly proof: string;
  readonly verdict: string;
  readonly finishedAt: number;
}

// Columns one by one: a monitoring role is not granted whole evidence.
const newestSql = (schema: string): string => `SELECT DISTINCT ON (proof) proof, verdict,
  extract(epoch FROM finished_at)::float8 AS "finishedAt"
  FROM ${ident(schema)}.proof WHERE definition = $1 ORDER BY proof, record DESC`;

/** The part about proofs; one that was never run gives nothing. */
export function proofsPart(definition: Definition, { schema, now }: PartContext): Part {
  return {
    name: 'proofs',
    metrics: engineFamilies,
    collect: async (query) =>
      (await rowsOf(query, definition.name, schema)).flatMap((row) => samplesOf(row, now)),
  };
}

async function rowsOf(query: CatalogueQuery, definition: string, schema: string): Promise<readonly Row[]> {
  return (await hasTable(query, { schema, name: 'proof' }))
    ? query<Row>(newestSql(schema), [definition])
    : [];
}

function samplesOf({ proof, verdict, finishedAt }: Row, now: Date): Sample[] {
  const age = Math.max(0, now.getTime() / 1000 - finishedAt);
  return [
    ...verdicts.map((one): Sample => ({
      metric: 'holdfast_proof_verdict',
      labels: { proof, verdict: one },
      value: one === verdict.replace(' ', '_') ? 1 : 0,
    })),
    { metric: 'holdfast_proof_age_seconds', labels: { proof }, value: age },
  ];
}
