// One round of tasks or collectors shares one reading of the catalogue: a hundred tables cost little more than one.
import { label, type Model, type RelationName } from '../../define/model.ts';
import { type Mending, mendings, ownerMendings } from '../../define/protection.ts';
import type { CatalogueQuery } from '../../define/trait.ts';
import { readTables, type Standing } from './reading.ts';
import { takenNames } from './settle.ts';

/** What a round is told apart by: rounds of one session at one instant are one. */
export interface RoundOf {
  /** The session the reading belongs to; another database has another. */
  readonly session: object;
  readonly query: CatalogueQuery;
  readonly model: Model;
  readonly now: Date;
}

/** What was read, each part when it is first asked for. */
export interface Round {
  /** Undefined where there is no such partitioned table. */
  readonly standing: (of: RelationName) => Promise<Standing | undefined>;
  /** What the partitions of a table lack of its protection. */
  readonly mendings: (of: RelationName) => Promise<readonly Mending[]>;
  /** Every name in a schema. */
  readonly taken: (schema: string) => Promise<Set<string>>;
}

interface Shared {
  readonly nowMs: number;
  readonly model: Model;
  readonly round: Round;
  readonly served: Set<string>;
}

const rounds = new WeakMap<object, Shared>();

/** The round a table's turn belongs to. A table that comes again, after a failure, is read again. */
export function roundOf(by: RoundOf, of: RelationName): Round {
  const found = rounds.get(by.session);
  const nowMs = by.now.getTime();
  if (found?.nowMs === nowMs && found.model === by.model && !found.served.has(label(of))) {
    found.served.add(label(of));
    return found.round;
  }
  const round = open(by);
  rounds.set(by.session, { nowMs, model: by.model, round, served: new Set([label(of)]) });
  return round;
}

function open({ query, model }: RoundOf): Round {
  const partitioned = model.tables.filter((table) => table.partitionBy !== undefined);
  const tables = once(() => readTables(query, partitioned));
  const roles = model.roles.map(({ name }) => name);
  const read = async (root?: RelationName): Promise<readonly Mending[]> => [
    ...(await ownerMendings(query, root)),
    ...(await mendings(query, roles, root)),
  ];
  const lacking = once(read);
  const names = new Map<string, () => Promise<Set<string>>>();
  return {
    // Deparsing waits for whoever holds a table ACCESS EXCLUSIVE. What cannot be read of all tables at once is read of the
    // one alone, so that no table depends on another.
    standing: async (of) => (await tables().catch(() => readTables(query, [of]))).get(label(of)),
    mendings: async (of) =>
      (await lacking().catch(() => read(of))).filter(({ root }) => label(root) === label(of)),
    taken: (schema) => {
      const known = names.get(schema) ?? once(() => takenNames(query, schema));
      names.set(schema, known);
      return known();
    },
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => (started ??= read());
}
