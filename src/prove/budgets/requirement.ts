// What plans must be like: judged on what the server did, at any size. This can be broken; a time can only be missed.
import { label, type PlanRequirement } from '../../define/index.ts';
import { rootOf, rowsGiven, scansOf, type Family, type Scan, type Told } from './plan-tree.ts';

/** One requirement, as it was found. */
export interface Judged {
  /** `uses index rules_pkey` */
  readonly said: string;
  readonly held: boolean;
  /** What was seen: of the first request that broke it, else of the last. */
  readonly seen: string;
  /** The statement that broke it. */
  readonly sql?: string;
}

/** The plans of some requests in order, one list a request. */
export interface Seen {
  readonly requests: readonly (readonly Told[])[];
  readonly family: Family;
}

/** Judges each requirement; it holds when it held in every request, whether its plan was made for it or for any. */
export function judge(must: readonly PlanRequirement[], seen: Seen): readonly Judged[] {
  return must.map((one) => {
    const rule = ruleOf(one, seen.family);
    const looked = seen.requests.map((told) => rule.look(told));
    const broken = looked.find((look) => !look.held);
    const shown = broken ?? looked.at(-1);
    if (shown === undefined) return { said: rule.said, held: false, seen: 'no plan was told' };
    return {
      said: rule.said,
      held: broken === undefined,
      seen: shown.seen,
      ...(broken?.sql !== undefined && { sql: broken.sql }),
    };
  });
}

interface Look {
  readonly held: boolean;
  readonly seen: string;
  readonly sql?: string;
}

interface Rule {
  readonly said: string;
  readonly look: (told: readonly Told[]) => Look;
}

function ruleOf(must: PlanRequirement, family: Family): Rule {
  if ('useIndex' in must) return usesIndex(must.useIndex, { family, only: false });
  if ('indexOnly' in must) return usesIndex(must.indexOnly, { family, only: true });
  if ('prune' in must) {
    const root = rootOf(must.prune, family);
    return {
      said: `reads at most ${must.to} partition${must.to === 1 ? '' : 's'} of ${label(must.prune)}`,
      look: (told) => pruned(told, { root, to: must.to, family }),
    };
  }
  if ('notScan' in must) {
    const root = rootOf(must.notScan, family);
    return {
      said: `never reads ${label(must.notScan)} from end to end`,
      look: (told) => notScanned(told, { root, family }),
    };
  }
  const root = must.of === undefined ? undefined : rootOf(must.of, family);
  return {
    said: `reads at most ${counted(must.readAtMost)}${must.of === undefined ? '' : ` of ${label(must.of)}`}`,
    look: (told) => readFew(told, { root, most: must.readAtMost, family }),
  };
}

function usesIndex(name: string | RegExp, by: { readonly family: Family; readonly only: boolean }): Rule {
  const is = (index: string | null): boolean =>
    index !== null &&
    (typeof name === 'string'
      ? index === name
      : new RegExp(name.source, name.flags.replaceAll(/[gy]/g, '')).test(index));
  const fits = (scan: Scan): boolean =>
    (is(scan.index) || is(scan.rootIndex)) && (!by.only || scan.type === 'Index Only Scan');
  return {
    said: `${by.only ? 'reads only index' : 'uses index'} ${String(name)}`,
    look: (told) => {
      const found = told.flatMap(({ plan }) => scansOf(plan, by.family)).find(fits);
      if (found !== undefined) return { held: true, seen: sayScan(found) };
      const main = told.filter((one) => one.top).at(-1);
      return { held: false, seen: planLine(told, by.family), ...(main !== undefined && { sql: main.sql }) };
    },
  };
}

function pruned(
  told: readonly Told[],
  by: { readonly root: string; readonly to: number; readonly family: Family },
): Look {
  const counts = told.map((one) => {
    const read = scansOf(one.plan, by.family).filter((scan) => scan.root === by.root);
    return { sql: one.sql, partitions: new Set(read.map((scan) => scan.relation)).size };
  });
  const most = counts.reduce((a, b) => (b.partitions > a.partitions ? b : a), { sql: '', partitions: 0 });
  const seen = `${most.partitions} partition${most.partitions === 1 ? '' : 's'}`;
  return most.partitions > by.to ? { held: false, seen, sql: most.sql } : { held: true, seen };
}

function notScanned(told: readonly Told[], by: { readonly root: string; readonly family: Family }): Look {
  for (const one of told) {
    const whole = scansOf(one.plan, by.family).find(
      (scan) => scan.type === 'Seq Scan' && scan.root === by.root,
    );
    if (whole !== undefined) return { held: false, seen: sayScan(whole), sql: one.sql };
  }
  return { held: true, seen: 'it did not' };
}

function readFew(
  told: readonly Told[],
  by: { readonly root: string | undefined; readonly most: number; readonly family: Family },
): Look {
  const counts = told.map((one) => ({
    sql: one.sql,
    rows: scansOf(one.plan, by.family)
      .filter((scan) => by.root === undefined || scan.root === by.root)
      .reduce((sum, scan) => sum + scan.rows, 0),
  }));
  const rows = counts.reduce((sum, one) => sum + one.rows, 0);
  const seen = counted(rows);
  if (rows <= by.most) return { held: true, seen };
  const worst = counts.reduce((a, b) => (b.rows > a.rows ? b : a), { sql: '', rows: -1 });
  return { held: false, seen, sql: worst.sql };
}

const SHOWN_SCANS = 4;

/** A request's plans in one line: what was read and how, most rows first; partitions of one table together. */
export function planLine(told: readonly Told[], family: Family): string {
  const groups = new Map<string, { readonly scan: Scan; readonly parts: Set<string>; rows: number }>();
  for (const scan of told.flatMap(({ plan }) => scansOf(plan, family))) {
    if (scan.root === null && scan.index === null) continue;
    const key = `${scan.type} ${scan.root ?? ''} ${scan.rootIndex ?? ''}`;
    const group = groups.get(key) ?? { scan, parts: new Set<string>(), rows: 0 };
    if (scan.relation !== null && scan.relation !== scan.root) group.parts.add(scan.relation);
    group.rows += scan.rows;
    groups.set(key, group);
  }
  const all = [...groups.values()].sort((a, b) => b.rows - a.rows);
  const lines = all.slice(0, SHOWN_SCANS).map(({ scan, parts, rows }) => {
    const partitions = parts.size === 0 ? '' : ` (${parts.size} partition${parts.size === 1 ? '' : 's'})`;
    return `${sayScan(scan)}${partitions}: ${counted(rows)}`;
  });
  const more = all.length > SHOWN_SCANS ? [`and ${all.length - SHOWN_SCANS} more`] : [];
  return lines.length === 0 ? 'reads no table' : [...lines, ...more].join('; ');
}

/** Rows that the application's own statements gave or wrote. */
export function rowsOf(told: readonly Told[]): number {
  return told.filter((one) => one.top).reduce((sum, one) => sum + rowsGiven(one.plan), 0);
}

function counted(rows: number): string {
  return `${rows.toLocaleString('en')} row${rows === 1 ? '' : 's'}`;
}

function sayScan({ type, root, rootIndex }: Scan): string {
  const by = rootIndex === null ? '' : ` ${rootIndex}`;
  return root === null ? `${type}${by}` : `${type}${by} on ${root.replace(/^.*\./, '')}`;
}
