// Legal holds as an operator types and reads them.
import { HoldfastError } from '../error.ts';
import type { Hold, HoldRequest } from '../traits/index.ts';
import { type Invocation, flag, text } from './command.ts';
import { columns, say } from './output.ts';
import { instant } from './instant.ts';

/**
 * The hold that the options describe.
 * @throws HoldfastError HF_HOLD_OPTIONS where no reason is given, or a table is no schema.name
 */
export function holdOf(invocation: Invocation, id: string): HoldRequest {
  const why = text(invocation, 'why') ?? '';
  if (why === '') throw badHold('--why', 'it is missing.');
  const tenant = text(invocation, 'tenant');
  const named = text(invocation, 'table');
  const [schema = '', name = '', ...more] = named?.split('.') ?? [];
  if (named !== undefined && (schema === '' || name === '' || more.length > 0))
    throw badHold('--table', `${JSON.stringify(named)} is no schema.name.`);
  const bounds = (['from', 'to'] as const)
    .filter((bound) => text(invocation, bound) !== undefined)
    .map((bound) => [bound, instant(invocation, bound)] as const);
  return {
    id,
    why,
    ...(tenant !== undefined && { tenant }),
    ...(named !== undefined && { table: { schema, name } }),
    ...Object.fromEntries(bounds),
  };
}

/** Shows holds, one a line. */
export function sayHolds(invocation: Invocation, held: readonly Hold[]): void {
  const { terminal } = invocation;
  if (flag(invocation, 'json')) return say(terminal, JSON.stringify(held, null, 2));
  if (held.length === 0) return say(terminal, 'no hold is in force');
  const rows = held.map((one) => [one.id, one.subject, ...scopeOf(one), one.why]);
  for (const line of columns(rows)) say(terminal, line);
}

function scopeOf({ tenant, from, to }: Hold): readonly [string, string] {
  const range = [
    ...(from === null ? [] : [`from ${shown(from)}`]),
    ...(to === null ? [] : [`to ${shown(to)}`]),
  ];
  return [tenant === null ? 'every tenant' : `tenant ${tenant}`, range.join(' ') || 'of any time'];
}

function shown(at: Date): string {
  return at.toISOString().replace('T00:00:00.000Z', '');
}

function badHold(subject: string, what: string): HoldfastError {
  return new HoldfastError({
    code: 'HF_HOLD_OPTIONS',
    subject,
    what,
    fix: "Write holdfast archive hold 'case 7' --tenant acme --from 2026-01-01 --why 'subpoena of 3 May'.",
  });
}
