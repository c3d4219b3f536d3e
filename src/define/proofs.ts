// Joins what traits ask to be shown into the proofs of a definition.
import { label, type Model } from './model.ts';
import type { Accepted, Boundary, Proved } from './proof.ts';
import type { Diagnostic, Trait } from './trait.ts';

/** What a definition asks to be shown: every list of {@link Proved}, those of all trait values together. */
export type Proofs = { readonly [Part in keyof Proved]-?: NonNullable<Proved[Part]> };

/**
 * What the traits of a definition ask to be shown. Values of one trait that draw the same line (one name, one setting, one place in it)
 * give one boundary with the tables and roles of all. Pure.
 */
export function collectProofs(model: Model, traits: readonly Trait[]): Proofs {
  const asked = traits.flatMap((trait) => trait.proves?.(model) ?? []);
  return {
    boundaries: together(asked.flatMap((one) => one.boundaries ?? [])),
    accepted: asked.flatMap((one) => one.accepted ?? []),
    budgets: asked.flatMap((one) => one.budgets ?? []),
    removals: asked.flatMap((one) => one.removals ?? []),
  };
}

function together(boundaries: readonly Boundary[]): readonly Boundary[] {
  const lines = new Map<string, Boundary>();
  for (const one of boundaries) {
    const line = JSON.stringify([one.name, one.setting, one.within]);
    const first = lines.get(line);
    lines.set(line, first === undefined ? one : joined(first, one));
  }
  return [...lines.values()];
}

function joined(first: Boundary, other: Boundary): Boundary {
  const tables = once([...first.tables, ...other.tables], ({ of, column }) => `${label(of)} ${column}`);
  const owned = new Set(tables.map(({ of }) => label(of)));
  return {
    name: first.name,
    setting: first.setting,
    ...(first.within === undefined ? {} : { within: first.within }),
    tables,
    // What one value calls everybody's is somebody's as soon as another says whose.
    shared: once([...first.shared, ...other.shared], ({ of }) => label(of)).filter(
      ({ of }) => !owned.has(label(of)),
    ),
    roles: [...new Set([...first.roles, ...other.roles])],
    spanning: once([...first.spanning, ...other.spanning], ({ of, columns }) =>
      JSON.stringify([label(of), columns]),
    ),
    ...carried([...(first.carries ?? []), ...(other.carries ?? [])]),
  };
}

function carried(all: NonNullable<Boundary['carries']>): Pick<Boundary, 'carries'> {
  return all.length === 0
    ? {}
    : { carries: once(all, ({ setting, within }) => JSON.stringify([setting, within])) };
}

function once<T>(values: readonly T[], keyOf: (value: T) => string): readonly T[] {
  const firsts = new Map<string, T>();
  for (const value of values) if (!firsts.has(keyOf(value))) firsts.set(keyOf(value), value);
  return [...firsts.values()];
}

/** Findings that are accepted without a code that could be found, or without a reason. */
export function checkAccepted(accepted: readonly Accepted[]): readonly Diagnostic[] {
  return accepted
    .filter(({ code, because }) => !/^(HT\d{3}|isolation|removal)$/.test(code) || because.trim() === '')
    .map(({ code, because }) => ({
      code: 'HF_ACCEPT',
      severity: 'error',
      subject: `accept ${code}`,
      what:
        because.trim() === ''
          ? 'it gives no reason, and whoever reads the finding needs one.'
          : 'findings have codes like HT705.',
      fix: "Write { code: 'HT705', subject: '…', because: '…' }, code and subject as `holdfast prove traps` shows them.",
    }));
}
