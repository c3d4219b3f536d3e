// Who writes through what, as whose session, against whom.
import type { Row, World } from '../../rows/index.ts';
import type { Target } from '../objects.ts';
import type { Crew, Stage } from '../stage.ts';

/** One relation to write through, as one role that works for `viewer`, against `victim`. */
export interface Scene {
  readonly stage: Stage;
  readonly crew: Crew;
  readonly target: Target;
  /** The table that holds the rows. */
  readonly table: Target;
  readonly viewer: World;
  readonly victim: World;
}

/** The values a role may give, of a row. */
export function given(
  { crew, target, table }: Pick<Scene, 'crew' | 'target' | 'table'>,
  row: Row,
): Record<string, string | null> {
  const may = crew.rights.get(target.oid)?.insert ?? [];
  const usable = table.columns.filter(
    (column) =>
      !column.generated &&
      target.columns.some((one) => one.name === column.name) &&
      (may.length === 0 || may.includes(column.name)),
  );
  return Object.fromEntries(usable.map((column) => [column.name, row.values[column.name] ?? null]));
}
