// Mends of partitions as steps that run after the structure: the planner never sees partitions.
import type { CatalogueQuery, LockMode, Settlement } from '../../define/trait.ts';
import type { RelationName } from '../../define/model.ts';
import { literal } from '../../sql.ts';
import type { Finding } from './find.ts';

const NAME = String.raw`"((?:[^"]|"")+)"\."((?:[^"]|"")+)"`;
const ATTACH = new RegExp(String.raw`^ALTER TABLE (${NAME}) ATTACH PARTITION (${NAME}) `);
const ALTER = new RegExp(String.raw`^ALTER TABLE (${NAME}) `);

const THERE_SQL = `
  SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there,
         EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = pg_catalog.to_regclass($1)) AS attached`;

/**
 * One finding's mend as a settlement: every statement in one transaction, in order.
 * @param query reads the database that the statements are to run in
 * @returns undefined where a partition that it makes is there already
 */
export async function partitionSettlement(
  query: CatalogueQuery,
  finding: Finding,
): Promise<Settlement | undefined> {
  for (const made of finding.mend.flatMap((statement) => ATTACH.exec(statement)?.[4] ?? [])) {
    const [row] = await query<{ there: boolean; attached: boolean }>(THERE_SQL, [made]);
    if (row?.attached === true) return undefined;
  }
  const backs = finding.mend.map(backOf);
  const known = backs.every((back) => back !== undefined);
  return {
    subject: finding.subject,
    statements: finding.mend.map((sql) => ({ sql, transactional: true, ...lockOf(sql) })),
    back: known ? backs.toReversed().flat() : null,
    ...(known ? {} : { backReason: 'what it was before is not known to the statement' }),
  };
}

function lockOf(sql: string): { readonly lock: LockMode; readonly on?: RelationName } {
  if (sql.startsWith('CREATE TABLE ')) return { lock: 'NONE' };
  const on = relationOf(ALTER.exec(sql));
  const lock = ATTACH.test(sql) ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE';
  return on === undefined ? { lock } : { lock, on };
}

function relationOf(match: RegExpExecArray | null): RelationName | undefined {
  const [, , schema, name] = match ?? [];
  if (schema === undefined || name === undefined) return undefined;
  return { schema: schema.replaceAll('""', '"'), name: name.replaceAll('""', '"') };
}

/** What takes one statement back; undefined where it does not say what was before. */
function backOf(sql: string): readonly string[] | undefined {
  const attach = ATTACH.exec(sql);
  if (attach !== null) return [dropEmpty(attach[1] ?? '', attach[4] ?? '')];
  // What is made and attached goes with the partition.
  if (sql.startsWith('CREATE TABLE ')) return [];
  const trigger = /^(ALTER TABLE .+) ENABLE (?:REPLICA |ALWAYS )?TRIGGER (.+)$/.exec(sql);
  if (trigger !== null) return [`${trigger[1]} DISABLE TRIGGER ${trigger[2]}`];
  const rename = new RegExp(String.raw`^ALTER TABLE "((?:[^"]|"")+)"\.(".+") RENAME TO (".+")$`).exec(sql);
  if (rename !== null) return [`ALTER TABLE "${rename[1]}".${rename[3]} RENAME TO ${rename[2]}`];
  if (sql.endsWith(' ENABLE ROW LEVEL SECURITY'))
    return [onlyIfThere(sql, sql.replace(' ENABLE ', ' DISABLE '))];
  if (sql.endsWith(' FORCE ROW LEVEL SECURITY'))
    return [onlyIfThere(sql, sql.replace(' FORCE ', ' NO FORCE '))];
  return undefined;
}

function onlyIfThere(sql: string, back: string): string {
  const name = literal(ALTER.exec(sql)?.[1] ?? '').trim();
  return `DO $holdfast$
BEGIN
  IF pg_catalog.to_regclass(${name}) IS NOT NULL THEN
    ${back};
  END IF;
END
$holdfast$`;
}

/** Undoing never loses a row: a partition that was written to stays. */
function dropEmpty(parent: string, partition: string): string {
  const name = literal(partition).trim();
  return `DO $holdfast$
BEGIN
  IF pg_catalog.to_regclass(${name}) IS NULL THEN RETURN; END IF;
  LOCK TABLE ONLY ${parent} IN ACCESS EXCLUSIVE MODE;
  LOCK TABLE ${partition} IN ACCESS EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM ${partition}) THEN RETURN; END IF;
  ALTER TABLE ${parent} DETACH PARTITION ${partition};
  DROP TABLE ${partition};
END
$holdfast$`;
}
