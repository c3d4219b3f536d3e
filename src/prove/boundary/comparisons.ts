// Finds in SQL text which column is compared with which session setting. Text alone never decides what is proved: it
// only says what to try, and what was guessed is shown.
import type { Catalogue, Relation, Text } from './catalogue.ts';
import { keysAfter } from './claims.ts';

/** A column that some text compares with a setting. */
export interface Comparison {
  readonly setting: string;
  /** Keys that lead into the setting's JSON; none: its text is what is compared. */
  readonly keys: readonly string[];
  readonly relation: Relation;
  readonly column: string;
  /** Where it was read: `policy p on public.t`. */
  readonly from: string;
  /** Read in a look-up of another table: a list of members. */
  readonly lookUp: boolean;
}

/** A setting and who reads it. */
export interface SettingRead {
  readonly setting: string;
  readonly by: readonly string[];
}

const SETTING = /current_setting\(\s*(?:E?)'([^']+)'/gi;

/** Every comparison of a column with a setting in policies, views, and the functions these call. */
export function comparisons(catalogue: Catalogue): readonly Comparison[] {
  const reading = readers(catalogue.texts);
  const found: Comparison[] = [];
  for (const text of reached(catalogue.texts)) {
    const names = aliases(text.sql);
    for (const { setting, keys, start, end } of reads(text, reading)) {
      const token = columnBefore(text.sql.slice(0, start)) ?? columnAfter(text.sql.slice(end));
      const relation =
        token === undefined ? undefined : relationOfColumn(token, { text, names, of: catalogue.relations });
      if (token === undefined || relation === undefined) continue;
      const lookUp = relation.oid !== text.relation && text.kind !== 'view';
      found.push({ setting, keys, relation, column: token.column, from: text.subject, lookUp });
    }
  }
  return found;
}

/** Every setting that policies, guarded views and the functions they call read, with who reads it. */
export function settingsRead(catalogue: Catalogue): readonly SettingRead[] {
  const by = new Map<string, Set<string>>();
  for (const text of reached(catalogue.texts)) {
    for (const match of text.sql.matchAll(SETTING)) {
      const name = match[1] ?? '';
      by.set(name, (by.get(name) ?? new Set()).add(text.subject));
    }
  }
  return [...by].map(([setting, subjects]) => ({ setting, by: [...subjects] }));
}

/** Policies, views, and each function whose name stands in one of them, however deep. */
export function reached(texts: readonly Text[]): readonly Text[] {
  const found = new Set(texts.filter((text) => text.kind !== 'function'));
  const functions = texts.filter((text) => text.kind === 'function');
  for (const text of found) {
    for (const one of functions) if (!found.has(one) && calls(text.sql, one.name)) found.add(one);
  }
  return [...found];
}

/** Whether the text calls a function of that name. */
export function calls(sql: string, name: string): boolean {
  // Most texts hold most names nowhere, and a pattern of its own for each pair is what takes the time.
  if (!sql.toLowerCase().includes(name.toLowerCase())) return false;
  return new RegExp(String.raw`(?<![\w$])"?${escaped(name)}"?\s*\(`, 'i').test(sql);
}

/** A setting, and the keys into its JSON. */
interface Source {
  readonly setting: string;
  readonly keys: readonly string[];
}

/** Functions without argument and without FROM that only hand a setting on, by name. */
function readers(texts: readonly Text[]): ReadonlyMap<string, Source> {
  const found = new Map<string, Source>();
  const simple = texts.filter(
    (text) => text.kind === 'function' && text.arguments === 0 && !/\bFROM\b/i.test(text.sql),
  );
  for (let pass = 0; pass < 3; pass += 1) {
    for (const text of simple) {
      const others = new Map([...found].filter(([name]) => name !== text.name));
      const source = sourceIn(text.sql, others);
      if (source !== undefined) found.set(text.name, source);
    }
  }
  return found;
}

const SETTING_ONCE = /current_setting\(\s*E?'([^']+)'(?:::[\w.]+)?(?:\s*,\s*[\w']+)?\s*\)?/i;

/** The setting that a text reads first, by itself or by a function that hands one on. */
function sourceIn(sql: string, reading: ReadonlyMap<string, Source>): Source | undefined {
  const direct = SETTING_ONCE.exec(sql);
  if (direct !== null)
    return { setting: direct[1] ?? '', keys: keysAfter(sql.slice(direct.index + direct[0].length)).keys };
  for (const [name, source] of reading) {
    const called = callOf(name, 'i').exec(sql);
    if (called === null) continue;
    const { keys } = keysAfter(sql.slice(called.index + called[0].length));
    return { setting: source.setting, keys: [...source.keys, ...keys] };
  }
  return undefined;
}

/** A call without arguments of the function of that name. */
function callOf(name: string, flags: string): RegExp {
  return new RegExp(String.raw`(?:"?[\w$]+"?\.)?(?<![\w$])"?${escaped(name)}"?\(\s*\)`, flags);
}

interface Read extends Source {
  readonly start: number;
  readonly end: number;
}

/** Where a text reads a setting: directly, by a function that hands it on, by a variable it was put in. */
function reads(text: Text, reading: ReadonlyMap<string, Source>): Read[] {
  const found: Read[] = [];
  const add = (pattern: RegExp, source: Source | undefined): void => {
    for (const match of text.sql.matchAll(pattern)) {
      const { setting, keys } = source ?? { setting: match[1] ?? '', keys: [] };
      const end = match.index + match[0].length;
      const into = keysAfter(text.sql.slice(end));
      found.push({ setting, keys: [...keys, ...into.keys], start: match.index, end: end + into.length });
    }
  };
  add(/(?:pg_catalog\.)?current_setting\(\s*E?'([^']+)'(?:::[\w.]+)?(?:\s*,\s*[\w']+)?\s*\)/gi, undefined);
  for (const [name, source] of reading) add(callOf(name, 'gi'), source);
  const assigned = /(\w+)\s+[\w.[\]]+\s*(?:NOT\s+NULL\s*)?(?::=|\bDEFAULT\b)\s*([^;]*);/gi;
  for (const match of text.kind === 'function' ? text.sql.matchAll(assigned) : []) {
    const source = sourceIn(match[2] ?? '', reading);
    if (source !== undefined)
      add(new RegExp(String.raw`(?<![\w.])${escaped(match[1] ?? '')}(?!\w)`, 'g'), source);
  }
  return found;
}

interface Token {
  readonly qualifier: string | undefined;
  readonly column: string;
}

const NAME = String.raw`((?:"[^"]+"|[A-Za-z_][\w$]*)(?:\.(?:"[^"]+"|[A-Za-z_][\w$]*))*)`;
const CAST = String.raw`\)*(?:::[a-z][\w. ]*(?:\(\d+\))?(?:\[\])?)?\)*`;
const OPERATOR = String.raw`(?:IS NOT DISTINCT FROM|<>|<=|>=|=|<|>|~~\*?|\bLIKE\b|@>|&&|\bIN\b)`;
const WRAPPED = String.raw`(?:\(|\s|NULLIF|COALESCE|SELECT|ANY|ARRAY\[|CAST|lower|string_to_array|pg_catalog\.|"any")*`;
const BEFORE = new RegExp(String.raw`${NAME}${CAST}\s*${OPERATOR}${WRAPPED}$`, 'i');
const AFTER = new RegExp(
  String.raw`^(?:[\s,)]|''|::[\w.]+(?: varying)?|NULL|AS \w+)*?\s*${OPERATOR}\s*\(*${NAME}`,
  'i',
);

function columnBefore(left: string): Token | undefined {
  return tokenOf(BEFORE.exec(left.slice(-300))?.[1]);
}

function columnAfter(right: string): Token | undefined {
  return tokenOf(AFTER.exec(right.slice(0, 300))?.[1]);
}

function tokenOf(name: string | undefined): Token | undefined {
  if (name === undefined) return undefined;
  const parts = (name.match(/"[^"]+"|[^."]+/g) ?? []).map(unquoted);
  const column = parts.at(-1);
  return column === undefined ? undefined : { qualifier: parts.at(-2), column };
}

/** Aliases of FROM and JOIN, by the name used for them. */
function aliases(sql: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const from = new RegExp(
    String.raw`\b(?:FROM|JOIN|,)\s*\(*${NAME}(?:\s+(?:AS\s+)?("?[A-Za-z_]\w*"?))?`,
    'gi',
  );
  for (const match of sql.matchAll(from)) {
    const table = tokenOf(match[1])?.column;
    if (table === undefined) continue;
    found.set(table, table);
    if (match[2] !== undefined && !/^(where|on|join|left|inner|using|order|group)$/i.test(match[2]))
      found.set(unquoted(match[2]), table);
  }
  return found;
}

interface Place {
  readonly text: Text;
  readonly names: ReadonlyMap<string, string>;
  readonly of: readonly Relation[];
}

/** The relation whose column it is: by its alias, else the text's own, else one that the text reads. */
function relationOfColumn(token: Token, { text, names, of }: Place): Relation | undefined {
  const having = of.filter(
    (one) => token.column in one.columns && !one.partition && (one.kind === 'r' || one.kind === 'p'),
  );
  const own = of.find((one) => one.oid === text.relation && token.column in one.columns && one.kind !== 'v');
  if (token.qualifier !== undefined) {
    if (own?.name === token.qualifier) return own;
    const table = names.get(token.qualifier) ?? token.qualifier;
    return having.find((one) => one.name === table);
  }
  if (own !== undefined) return own;
  const read = new Set(names.values());
  return having.find((one) => read.has(one.name));
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}

function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
