// What a task is given, put together.
import type { Definition, MaintenanceSession, PieceBook, TaskContext } from '../define/index.ts';
import { forgetTexts, listPieces, putPiece, removePiece, TEXT_TABLES } from '../ledger/index.ts';
import type { Clock } from './clock.ts';

/** What a context is made of. */
export interface ContextParts {
  readonly definition: Definition;
  readonly schema: string;
  readonly now: Date;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly session: MaintenanceSession;
  readonly tell: (text: string) => void;
}

/** The context of one trait's task. */
export function contextOf(parts: ContextParts, trait: string): TaskContext {
  const { definition, now, signal, session, tell, clock } = parts;
  return {
    model: definition.model,
    now,
    signal,
    session,
    tell,
    pieces: bookOf(parts, trait),
    pause: async (ms) => clock.sleep(ms, signal).catch(() => undefined),
    beforeLeaving: async (of, range) => {
      for (const one of definition.traits) {
        await one.leaving?.(of, range)?.(contextOf(parts, one.name));
      }
    },
    throughTraits: async (ask) => {
      const given = [];
      for (const one of definition.traits) {
        const run = ask(one);
        if (run !== undefined) given.push(await run(contextOf(parts, one.name)));
      }
      return given;
    },
    forget: async (values) =>
      session.transaction((query) =>
        forgetTexts(query, { schema: parts.schema, definition: definition.name, values }),
      ),
    books: TEXT_TABLES.map((name) => ({ schema: parts.schema, name })),
  };
}

function bookOf({ definition, schema, session }: ContextParts, trait: string): PieceBook {
  const owner = { schema, definition: definition.name, trait };
  return {
    list: async (subject, query = session.query) => listPieces(query, owner, subject),
    put: async (query, piece, from) => putPiece(query, owner, { piece, from }),
    remove: async (query, piece) => removePiece(query, owner, piece),
  };
}
