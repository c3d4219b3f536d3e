// One attempt to change something, and what a superuser then sees of it.
import { label } from '../../../define/model.ts';
import type { Seen } from '../attacker.ts';
import type { Attack } from '../board.ts';
import { changesToOthers, type Again } from '../inspector.ts';
import { attempt, settingsOf, stateOf } from '../stage.ts';
import type { World } from '../../rows/index.ts';
import type { Scene } from './scene.ts';

/** Makes an attempt; where the server took it, a superuser looks what became of others' rows. */
export async function changing(scene: Scene, attack: Attack, statements: readonly string[]): Promise<Seen> {
  const { stage, crew, target, viewer } = scene;
  const settings = settingsOf(stage, viewer);
  return attempt(stage, {
    object: label(target),
    attack,
    crew,
    state: stateOf(viewer),
    settings,
    statements,
    judge: (seen) =>
      changed(scene, {
        seen,
        attack,
        again: { role: crew.role, settings, statements, viewer, table: scene.table },
      }),
  });
}

/** What an attempt did to others, looked at only where it did anything. */
export async function changed(
  { stage, target, table, viewer }: Omit<Scene, 'viewer'> & { readonly viewer: World | undefined },
  { seen, attack, again }: { seen: Seen; attack: Attack; again: Again },
): Promise<string | undefined> {
  if (seen.error !== undefined) {
    const kept = seen.error.code === '23503' && seen.error.message.startsWith('update or delete on table');
    const aimed = / WHERE /.test(again.statements[0] ?? '');
    return kept && aimed && (attack === 'delete' || attack === 'move')
      ? `rights and policies let it through; only rows that point to the row kept it: ${seen.error.message}`
      : undefined;
  }
  const returned = seen.results.find((result) => result.columns.length > 0);
  const shown = returned === undefined ? undefined : stage.witness.inTable(table.root, returned, viewer);
  if (shown !== undefined && target.kind !== 'v') return shown;
  const did = seen.results.some((result) => result.count > 0 || result.command === 'TRUNCATE');
  return did ? changesToOthers(stage, again) : undefined;
}

/** The table that a write through this relation is sure to stay with; a view's rules and triggers may go anywhere. */
export function written({ target, table }: Pick<Scene, 'target' | 'table'>): Pick<Again, 'table'> {
  return target.kind === 'v' ? {} : { table };
}
