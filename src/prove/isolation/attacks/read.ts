// Attacks that only look: through every relation, by every way PostgreSQL has of handing out rows.
import { label } from '../../../define/model.ts';
import { ident, literal, qualified } from '../../../sql.ts';
import { textWith, valueIn } from '../../boundary/index.ts';
import type { World } from '../../rows/index.ts';
import { opening, type Seen, type Settings } from '../attacker.ts';
import type { Attack } from '../board.ts';
import type { Target } from '../objects.ts';
import { toldAsPublic } from '../public-rows.ts';
import {
  attempt,
  basesOf,
  readable,
  seenThrough,
  settingNames,
  settingsOf,
  spokenIn,
  stateOf,
  type Crew,
  type Stage,
} from '../stage.ts';

/** One relation, one role. */
interface Look {
  readonly stage: Stage;
  readonly crew: Crew;
  readonly target: Target;
}

/** Tries to read every relation as every role: as an owner, and in the states a session is in by mistake. */
export async function attackReads(stage: Stage): Promise<void> {
  for (const target of stage.targets) {
    stage.checkpoint();
    for (const crew of stage.crews) {
      for (const viewer of stage.viewers) await readAs({ stage, crew, target }, viewer);
      await readWithout({ stage, crew, target });
    }
  }
  for (const crew of stage.crews)
    for (const viewer of stage.viewers) await readStatistics(stage, { crew, viewer });
}

async function readAs(look: Look, viewer: World): Promise<void> {
  const { crew, target } = look;
  const from = qualified(target);
  const columns = readable(crew, target);
  const select = `SELECT ${columns} FROM ${from}`;
  const seen = await looking(look, { attack: 'read', viewer, statements: [select] });
  tellOfBlindness(look, { seen, viewer });
  const list = columns === '*' ? '' : ` (${columns})`;
  const copy =
    target.kind === 'r' || target.kind === 'f'
      ? `COPY ${from}${list} TO STDOUT`
      : `COPY (${select}) TO STDOUT`;
  await looking(look, {
    attack: 'COPY',
    viewer,
    statements: [copy],
    judge: (seen) => copied(look, { seen, viewer }),
  });
  await looking(look, {
    attack: 'cursor',
    viewer,
    statements: [`DECLARE held CURSOR WITH HOLD FOR ${select}`, 'FETCH ALL FROM held'],
  });
  if (seen.error !== undefined && seen.error.code === '42501') return refusedAlike(look);
  await prepared(look, { viewer, select });
  await leakyFilter(look, viewer);
  await explained(look, { viewer, select });
  await savepoint(look, { viewer, select });
  await nextRequest(look, { viewer, select });
}

/** Attacks by an owner who does not see its own rows show less: that is said. */
function tellOfBlindness({ stage, crew, target }: Look, by: { seen: Seen; viewer: World }): void {
  const own = ['v', 'm'].includes(target.kind) || stage.witness.rowsOf(target.root, by.viewer).length > 0;
  const rows = by.seen.results[0]?.rows.length ?? 0;
  if (own && rows > 0) stage.board.saw = true;
  if (!own || rows > 0 || target.partition || by.seen.error?.code === '42501') return;
  const failed = by.seen.error;
  if (failed === undefined && target.kind === 'v') return;
  stage.board.say({
    subject: label(target),
    severity: failed === undefined ? 'info' : 'warning',
    what:
      failed === undefined
        ? `${crew.role} may read it, and sees not even an owner's own rows: what was tried through it shows less.`
        : `reading it with an owner's setting fails, so nothing is shown of it: ${failed.message}.`,
    fix: 'Nothing, where no policy is meant to let it in; else name the setting a session carries, and its form.',
  });
}

/** What needs the right to read, where that was refused: it is refused for these alike, by the same check. */
function refusedAlike({ stage, target }: Look): void {
  for (const attack of ['prepared', 'leaky filter', 'EXPLAIN', 'savepoint', 'next request'] as const)
    stage.board.tried(label(target), attack);
}

interface Looking {
  readonly attack: Attack;
  readonly viewer: World;
  readonly statements: readonly string[];
  readonly judge?: (seen: Seen) => string | undefined;
}

async function looking({ stage, crew, target }: Look, one: Looking): Promise<Seen> {
  return attempt(stage, {
    object: label(target),
    attack: one.attack,
    crew,
    state: stateOf(one.viewer),
    settings: settingsOf(stage, one.viewer),
    statements: one.statements,
    judge: one.judge ?? ((seen) => seenThrough(stage, target, { seen, viewer: one.viewer })),
  });
}

/** COPY's lines as a result: a tab between values, \N for NULL. */
function copied({ stage, crew, target }: Look, by: { seen: Seen; viewer: World }): string | undefined {
  const may = crew.rights.get(target.oid)?.select ?? [];
  const columns =
    may.length > 0 && may.length < target.columns.length
      ? may
      : target.columns
          .filter((column) => !(column.generated && (target.kind === 'r' || target.kind === 'f')))
          .map((column) => column.name);
  const rows = by.seen.copied
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t').map((value) => (value === '\\N' ? null : unescaped(value))));
  const result = { command: 'COPY', columns, rows, count: rows.length };
  return seenThrough(stage, target, { seen: { ...by.seen, results: [result] }, viewer: by.viewer });
}

function unescaped(value: string): string {
  return value.replaceAll(/\\(.)/g, (_, letter: string) => {
    const known: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', v: '\v' };
    return known[letter] ?? letter;
  });
}

/** The statement is prepared and run as another owner, then run again: a plan must not keep the first one's value. */
async function prepared({ stage, crew, target }: Look, by: { viewer: World; select: string }): Promise<void> {
  const other = stage.population.worlds.find((world) => world !== by.viewer);
  if (other === undefined) return;
  const settings = settingsOf(stage, other);
  await attempt(stage, {
    object: label(target),
    attack: 'prepared',
    crew,
    state: `${stateOf(by.viewer)}, after ${stateOf(other)}`,
    settings,
    statements: [
      // PREPARE is not taken back by ROLLBACK: one that failed half-way would stand in the way of all that follow.
      'DEALLOCATE ALL',
      `PREPARE again AS ${by.select}`,
      'EXECUTE again',
      ...setTo(settingsOf(stage, by.viewer)),
      'EXECUTE again',
      'DEALLOCATE again',
    ],
    judge: (seen) =>
      seenThrough(stage, target, { seen: { ...seen, results: seen.results.slice(-2) }, viewer: by.viewer }),
  });
}

function setTo(settings: Settings): string[] {
  return Object.entries(settings).map(
    ([name, value]) => `SET LOCAL ${name.split('.').map(ident).join('.')} = ${literal(value)}`,
  );
}

const TELLER =
  "CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$";

/** A cheap function in WHERE that tells each value it is shown; a cast that fails with the value in its message. */
async function leakyFilter(look: Look, viewer: World): Promise<void> {
  const { stage, crew, target } = look;
  const from = qualified(target);
  const may = crew.rights.get(target.oid)?.select ?? [];
  const whole = may.length === target.columns.length;
  const row = whole
    ? 't::pg_catalog.text'
    : `ROW(${may.map((name) => `t.${ident(name)}`).join(', ')})::pg_catalog.text`;
  const judge = (seen: Seen): string | undefined => {
    const values = seen.notices.flatMap((notice) => [notice, ...composite(notice)]);
    const told = stage.witness.inText(values, { viewer });
    return told ?? stage.witness.inText([seen.error?.message ?? ''], { viewer });
  };
  const seen = await looking(look, {
    attack: 'leaky filter',
    viewer,
    statements: [TELLER, `SELECT count(*) FROM ${from} AS t WHERE pg_temp.tell(${row})`],
    judge,
  });
  if (seen.error === undefined) return;
  for (const name of may.slice(0, MOST_CASTS)) {
    const cast = `SELECT count(*) FROM ${from} AS t WHERE ('=' || t.${ident(name)}::pg_catalog.text)::pg_catalog.int4 > 0`;
    await looking(look, { attack: 'leaky filter', viewer, statements: [cast], judge });
  }
}

const MOST_CASTS = 6;

/** The values of a row as PostgreSQL writes one: `(1,"a b",)`. */
function composite(text: string): string[] {
  return text
    .replaceAll(/^\(|\)$/g, '')
    .split(',')
    .map((value) => value.replaceAll(/^"|"$/g, ''));
}

/** What a plan shows: values are a crossing; counts of rows that were passed over are told. */
async function explained(look: Look, by: { viewer: World; select: string }): Promise<void> {
  const { stage, target } = look;
  const given = Object.values(settingsOf(stage, by.viewer));
  const seen = await looking(look, {
    attack: 'EXPLAIN',
    viewer: by.viewer,
    statements: [`EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ${by.select}`],
    judge: (seen) =>
      stage.witness.inText(
        seen.results.flatMap((result) => result.rows.flat()).filter((line) => line !== null),
        { viewer: by.viewer, given },
      ),
  });
  const lines = seen.results.flatMap((result) => result.rows.flat());
  if (!lines.some((line) => /Rows Removed by Filter: [1-9]/.test(line ?? ''))) return;
  stage.board.tell(label(target), 'EXPLAIN');
  stage.board.say({
    subject: 'EXPLAIN ANALYZE',
    severity: 'info',
    what: 'it shows how many rows a scan passed over, and so how many rows others have.',
    fix: 'Let no application send EXPLAIN for its users; PostgreSQL has no right that takes it away.',
  });
}

/** Another owner's setting inside a savepoint that was rolled back must be gone. */
async function savepoint(
  { stage, crew, target }: Look,
  by: { viewer: World; select: string },
): Promise<void> {
  const other = stage.population.worlds.find((world) => world !== by.viewer);
  if (other === undefined) return;
  await attempt(stage, {
    object: label(target),
    attack: 'savepoint',
    crew,
    state: `${stateOf(by.viewer)}, after ROLLBACK TO from ${stateOf(other)}`,
    settings: settingsOf(stage, by.viewer),
    statements: [
      'SAVEPOINT a',
      ...setTo(settingsOf(stage, other)),
      `SELECT 1 FROM (${by.select}) AS other LIMIT 1`,
      'ROLLBACK TO SAVEPOINT a',
      by.select,
    ],
    judge: (seen) =>
      seenThrough(stage, target, { seen: { ...seen, results: seen.results.slice(-1) }, viewer: by.viewer }),
  });
}

/**
 * An owner's transaction ends, another's setting having been made in a savepoint and released; the next statement on the
 * connection works for nobody.
 */
async function nextRequest(
  { stage, crew, target }: Look,
  by: { viewer: World; select: string },
): Promise<void> {
  const object = label(target);
  const settings = settingsOf(stage, by.viewer);
  const other = stage.population.worlds.find((world) => world !== by.viewer) ?? by.viewer;
  const inside = ['SAVEPOINT a', ...setTo(settingsOf(stage, other)), 'RELEASE SAVEPOINT a'];
  const lines = ['BEGIN', ...setTo(settings), by.select, ...inside, 'COMMIT'];
  stage.board.tried(object, 'next request');
  await crew.session.run(lines.join('; '));
  const seen = await crew.session.run(by.select);
  const said = seenThrough(stage, target, { seen, viewer: undefined });
  const tried = { object, attack: 'next request', statements: [by.select] } as const;
  if (said === undefined || toldAsPublic(stage, tried)) return;
  stage.board.cross({
    object,
    attack: 'next request',
    role: crew.role,
    state: `after ${stateOf(by.viewer)} on the same connection`,
    sql: [opening(crew), ...lines.map((line) => `${line};`), `${by.select};`].join('\n'),
    said,
  });
}

/** Sessions that work for nobody: nothing set, empty, not a value. */
async function readWithout({ stage, crew, target }: Look): Promise<void> {
  const select = `SELECT ${readable(crew, target)} FROM ${qualified(target)}`;
  const names = settingNames(stage.boundaries);
  const states: { attack: Attack; state: string; settings: Settings; fresh?: boolean }[] = [
    { attack: 'no setting', state: 'no setting', settings: {}, fresh: true },
    { attack: 'empty setting', state: 'empty setting', settings: allAre(names, '') },
    ...MALFORMED.map((value) => ({
      attack: 'malformed setting' as const,
      state: `setting ${JSON.stringify(value)}`,
      settings: allAre(names, value),
    })),
    ...withoutClaim(stage).map((settings) => ({
      attack: 'malformed setting' as const,
      state: `setting ${JSON.stringify(settings)}`,
      settings,
    })),
    ...otherSpellings(stage).map((settings) => ({
      attack: 'malformed setting' as const,
      state: 'setting of an owner in another spelling',
      settings,
    })),
  ];
  for (const one of states) {
    const seen = await attempt(stage, {
      ...one,
      object: label(target),
      crew,
      statements: [select],
      judge: (seen) => seenThrough(stage, target, { seen, viewer: undefined }),
    });
    if (one.attack !== 'malformed setting') tellOfError({ stage, target }, { seen, state: one.state });
    if (one.attack === 'no setting') tellOfSums({ stage, target }, seen);
  }
}

const MALFORMED = ['%', "' OR true --", 'not-one'];

/** JSON as it should be, and in it no owner: nothing, null, an empty text, no owner's name. */
function withoutClaim({ boundaries }: Stage): Settings[] {
  const all = boundaries.flatMap(spokenIn);
  if (!all.some(({ within = [] }) => within.length > 0)) return [];
  const none = allAre(settingNames(boundaries), '');
  const json = all.filter(({ within = [] }) => within.length > 0).map(({ setting }) => setting);
  const saying = [null, '', ...MALFORMED].map((value) => {
    const settings: Record<string, string> = { ...none };
    for (const one of all) settings[one.setting] = textWith(one, value, settings[one.setting]);
    return settings;
  });
  return [{ ...none, ...allAre(json, '{}') }, ...saying];
}

/** An owner's value in the other case and with a space behind, where its column is text: that is nobody's. */
function otherSpellings(stage: Stage): Settings[] {
  const [viewer] = stage.viewers;
  if (viewer === undefined) return [];
  const texts = stage.boundaries.filter((boundary) =>
    boundary.tables.every(({ of, column }) => {
      const type = stage.targets
        .find((one) => label(one) === label(of))
        ?.columns.find((one) => one.name === column)?.type;
      return type === 'text' || type?.startsWith('character varying') === true;
    }),
  );
  return texts.flatMap((one) => {
    const { setting } = one;
    const text = viewer.settings[setting] ?? '';
    const value = valueIn(one, text) ?? '';
    const other = value === value.toUpperCase() ? value.toLowerCase() : value.toUpperCase();
    const taken = new Set(stage.population.worlds.flatMap((world) => world.names));
    const spelled = [other, `${value} `].filter((word) => !taken.has(word) && value !== '');
    const common = (one.common ?? []).map((part) => [part.setting, viewer.settings[part.setting] ?? '']);
    return spelled.map((word) => ({
      ...allAre(settingNames(stage.boundaries), ''),
      ...Object.fromEntries(common),
      [setting]: textWith(one, word, text),
    }));
  });
}

function allAre(names: readonly string[], value: string): Settings {
  return Object.fromEntries(names.map((name) => [name, value]));
}

const NOT_A_VALUE = new Set(['22P02', '42704', '22007', '22003']);

/** A policy that fails hides its rows, and breaks the request: told, not a crossing. */
function tellOfError(
  { stage, target }: { stage: Stage; target: Target },
  { seen, state }: { seen: Seen; state: string },
): void {
  if (seen.error === undefined || !NOT_A_VALUE.has(seen.error.code)) return;
  stage.board.tell(label(target), state === 'no setting' ? 'no setting' : 'empty setting');
  stage.board.say({
    subject: label(target),
    severity: 'warning',
    what: `a session with ${state} fails instead of seeing no rows: ${seen.error.message}.`,
    fix: "Read the setting as NULLIF(current_setting('…', true), '')::type, which is NULL where nothing is set.",
  });
}

/** A view that gives rows to a session that works for nobody sums over all owners, where no value of one stands in it. */
function tellOfSums({ stage, target }: { stage: Stage; target: Target }, seen: Seen): void {
  const object = label(target);
  const rows = seen.results[0]?.rows.length ?? 0;
  if (rows === 0 || !['v', 'm'].includes(target.kind) || stage.board.crossed(object, 'no setting')) return;
  const owned = basesOf(stage, target).some((base) => stage.witness.others(base.of, undefined).length > 0);
  if (!owned) return;
  stage.board.tell(object, 'read');
  stage.board.say({
    subject: object,
    severity: 'warning',
    what: 'it is made from rows of all owners and gives rows to a session that works for nobody; no single value of an owner was recognised in them.',
    fix: 'Make sure that what it sums up may be known to every owner, or filter it by the setting in a security_barrier view.',
  });
}

const EXTENDED = `SELECT schemaname, tablename, statistics_name, most_common_vals::pg_catalog.text FROM pg_catalog.pg_stats_ext`;

/** Sampled values that the planner keeps; PostgreSQL shows them for tables whose rows are not filtered for the reader. */
async function readStatistics(stage: Stage, { crew, viewer }: { crew: Crew; viewer: World }): Promise<void> {
  const select = `SELECT schemaname, tablename, attname, most_common_vals::pg_catalog.text, histogram_bounds::pg_catalog.text, most_common_elems::pg_catalog.text FROM pg_catalog.pg_stats`;
  const settings = settingsOf(stage, viewer);
  const seen = await crew.session.attempt(settings, [select, EXTENDED]);
  const rows = seen.results.flatMap((result) => result.rows);
  for (const target of stage.targets) {
    if (target.kind === 'v') continue;
    const own = rows.filter((row) => row[0] === target.schema && row[1] === target.name);
    const where = `WHERE schemaname = ${literal(target.schema)} AND tablename = ${literal(target.name)}`;
    stage.board.tried(label(target), 'statistics');
    const values = own.flatMap((row) => row.slice(3)).filter((value) => value !== null);
    const said = stage.witness.inText(
      values.flatMap((value) => [value, ...composite(value.slice(1, -1))]),
      { viewer },
    );
    if (said === undefined) continue;
    const statements = [`${select} ${where}`, `${EXTENDED} ${where}`];
    stage.board.cross({
      object: label(target),
      attack: 'statistics',
      role: crew.role,
      state: stateOf(viewer),
      sql: ['-- after ANALYZE', opening(crew), ...statements.map((line) => `${line};`)].join('\n'),
      said,
    });
  }
}
