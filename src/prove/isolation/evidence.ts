// The attacks' outcome as evidence: a verdict, the matrix, each way across with its statements.
import type { Boundary } from '../../define/proof.ts';
import { spokenName } from '../boundary/index.ts';
import type { Evidence, Section, Verdict } from '../evidence.ts';
import type { Cell, Crossing, Isolation, Told } from './result.ts';

/** Isolation as evidence. `not shown` where nobody's rows, or no application role, could be found or made. */
export function isolationEvidence(isolation: Isolation): Evidence {
  const { cells, crossings, objects, roles, tried, empty, durationMs } = isolation;
  const crossed = cells.filter((cell) => cell.outcome === 'crossed').length;
  return {
    proof: 'isolation',
    verdict: verdictOf(isolation),
    line: lineOf(isolation),
    figures: {
      attempts: tried,
      objects: objects.length,
      roles: roles.length,
      cells_held: count(cells, 'held'),
      cells_crossed: crossed,
      cells_told: count(cells, 'told'),
      crossings: crossings.length,
      tables_without_rows: empty.length,
    },
    sections: sectionsOf(isolation),
    durationMs,
  };
}

function verdictOf({ cells, tried, saw }: Isolation): Verdict {
  if (cells.some((cell) => cell.outcome === 'crossed')) return 'broken';
  return tried === 0 || !saw ? 'not shown' : 'held';
}

function lineOf({ cells, tried, roles, objects, boundaries, empty, saw, undrawn }: Isolation): string {
  if (undrawn !== undefined) return `not shown: ${undrawn}`;
  if (boundaries.length === 0) return 'not shown: nothing says whose the rows are';
  if (roles.length === 0) return 'not shown: there is no role that an application works as';
  if (tried === 0) return 'not shown: no rows could be made for two owners';
  const by = `${tried.toLocaleString('en')} attacks by ${roles.length} ${roles.length === 1 ? 'role' : 'roles'} on ${objects.length} objects`;
  const crossed = cells.filter((cell) => cell.outcome === 'crossed');
  if (crossed.length === 0 && !saw)
    return `not shown: ${by}, and no session reached even its own owner's rows`;
  const beside = empty.length === 0 ? '' : `; nothing shown on ${empty.length} tables without rows`;
  if (crossed.length === 0) return `${by}: none crossed${beside}`;
  const names = [...new Set(crossed.map((cell) => cell.object))];
  return `${by}: crossed at ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}${beside}`;
}

function sectionsOf(isolation: Isolation): Section[] {
  const { boundaries, said, crossings, told, empty, left, notes } = isolation;
  const lines = [
    ...boundaries.map(
      (one) =>
        `Between one ${one.name} and another${ofSame(one)}: setting ${spokenName(one)}, ${one.tables.length} tables, roles ${one.roles.join(', ') || 'none'}.`,
    ),
    ...said,
  ];
  const sections: Section[] = [
    { kind: 'text', title: 'Whose rows are whose', lines: lines.length === 0 ? ['Nothing says.'] : lines },
    ...(isolation.tried === 0 ? [] : [matrixOf(isolation)]),
    ...crossings.map((one): Section => ({
      kind: 'statement',
      title: `${one.object}: ${one.attack}, as ${one.role}, ${one.state}`,
      sql: one.sql,
      said: one.said,
    })),
  ];
  const beyond = crossings.length - shownOf(crossings).length;
  if (beyond > 0) {
    const line = `${beyond} more ways across are in the table above; each object's first ${MOST_AN_OBJECT} are shown with their statements.`;
    sections.push({ kind: 'text', lines: [line] });
  }
  if (told.length > 0) {
    sections.push({
      kind: 'table',
      title: 'To know',
      columns: [{ name: 'severity' }, { name: 'object' }, { name: 'what' }, { name: 'what to do' }],
      rows: told
        .toSorted((left, right) => WORST[left.severity] - WORST[right.severity])
        .map((one) => ({
          cells: [one.severity, one.subject, one.what, one.fix],
          alike: { kind: kindOf(one), name: one.subject },
        })),
    });
  }
  const missing = [
    ...empty.map((one) => `${one.of.schema}.${one.of.name} has no row: ${one.why}`),
    ...left.map((one) => `${one.subject}: ${one.why}`),
    ...notes.map((one) => `${one.of.schema}.${one.of.name}: ${one.what}`),
  ];
  if (missing.length > 0) sections.push({ kind: 'text', title: 'Not as on the server', lines: missing });
  return sections;
}

const WORST = { error: 0, warning: 1, info: 2 } as const;

/** What is said of it, whatever it is called. */
function kindOf({ severity, subject, what, fix }: Told): string {
  return [severity, what, fix].join('\n').replaceAll(subject, '');
}

function ofSame({ common = [] }: Boundary): string {
  return common.length === 0 ? '' : ` that have ${common.map(spokenName).join(' and ')} in common`;
}

const MOST_AN_OBJECT = 4;
// One way of each of these says more than four of the first.
const TELLING = ['read', 'insert', 'update', 'delete', 'call', 'foreign key', 'existence', 'no setting'];

/** Of each object's ways across a few, of different attacks: the others are alike. */
function shownOf(crossings: readonly Crossing[]): readonly Crossing[] {
  const objects = [...new Set(crossings.map((one) => one.object))];
  return objects.flatMap((object) => {
    const all = crossings.filter((one) => one.object === object);
    const firsts = all.filter((one, at) => all.findIndex((other) => other.attack === one.attack) === at);
    return firsts.toSorted((left, right) => rank(left) - rank(right)).slice(0, MOST_AN_OBJECT);
  });
}

function rank({ attack }: Crossing): number {
  return TELLING.includes(attack) ? TELLING.indexOf(attack) : TELLING.length;
}

function matrixOf({ objects, attacks, cells }: Isolation): Section {
  const used = attacks.filter((attack) =>
    cells.some((cell) => cell.attack === attack && cell.outcome !== 'none'),
  );
  const outcomes = new Map(cells.map((cell) => [`${cell.object}\n${cell.attack}`, cell.outcome]));
  return {
    kind: 'matrix',
    title: 'Objects by attacks',
    columns: used,
    rows: objects.map((name) => ({
      name,
      cells: used.map((attack) => outcomes.get(`${name}\n${attack}`) ?? 'none'),
    })),
  };
}

function count(cells: readonly Cell[], outcome: Cell['outcome']): number {
  return cells.filter((cell) => cell.outcome === outcome).length;
}
