// Reads a rule file: YAML with a name, a channel, a version, a mapping and the rules. Everything wrong with it is
// told with its line.

import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { HoldfastError } from 'holdfast';
import { isMap, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { categoryPaths } from '../catalogue/categories.ts';
import type { Mapping } from '../catalogue/row.ts';
import { parseVersion } from '../semver.ts';
import { compileRules } from './compile.ts';
import { CHANNELS, type CompiledPlan, type Rule, type RuleError } from './rule.ts';

/** A rule set as a file holds it. */
export interface RuleFile {
  readonly name: string;
  readonly channel: string;
  /** SemVer. */
  readonly version: string;
  readonly mapping: Mapping;
  /** As written, with value lists filled in: what a rule version stores. */
  readonly rules: readonly Rule[];
  readonly plan: CompiledPlan;
}

/** A rule file, or every reason why it is none, in the order of lines. */
export type LoadedRules =
  | { readonly file: RuleFile; readonly errors: readonly [] }
  | { readonly file: null; readonly errors: readonly RuleError[] };

/** Value lists by the name rules use in `params.values_from`. */
export type ValueLists = Readonly<Record<string, readonly string[]>>;

/** What a rule file has when it does not say. */
export const RULE_FILE_DEFAULTS = { name: 'Rules', channel: 'custom', version: '1.0.0' } as const;

/**
 * Reads rules from YAML (or JSON, which is YAML). Never throws for what the text holds.
 * @param lists value lists that enum rules name in `values_from`; they become `values` of the rule.
 */
export function loadRules(text: string, lists: ValueLists = {}): LoadedRules {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const errors = document.errors.map((error) => ({
      ruleId: null,
      index: -1,
      path: '',
      message: error.message,
      line: lines.linePos(error.pos[0]).line,
    }));
    return { file: null, errors };
  }
  const found = readDocument(document, lists);
  if (found.file !== null) return found;
  const at = (error: RuleError): RuleError => ({ ...error, line: lineOf({ document, lines }, error) });
  return { file: null, errors: found.errors.map(at).sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) };
}

/**
 * Reads a rule file from disk, and the value lists it names beside it: `.txt` with one value per line, `.json`
 * with a list of texts or of categories with their paths.
 * @throws HoldfastError HF_RULES_FILE when a file cannot be read, HF_RULES when the rules are refused (all
 * reasons with their lines in the message).
 */
export async function loadRulesFile(path: string): Promise<RuleFile> {
  const text = await readText(path);
  const lists: Record<string, readonly string[]> = {};
  for (const name of listNames(text)) lists[name] = await readList(resolve(dirname(path), name));
  const { file, errors } = loadRules(text, lists);
  if (file !== null) return file;
  throw new HoldfastError({
    code: 'HF_RULES',
    subject: `rule file ${basename(path)}`,
    what: `It has ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}: ${errors.map(errorText).join(' ')}`,
    fix: 'Correct the lines named.',
  });
}

/** One error for people: `line 7: rule title_length: params.max must be …`. */
export function errorText(error: RuleError): string {
  const line = error.line === undefined ? '' : `line ${error.line}: `;
  const rule =
    error.ruleId === null ? (error.index < 0 ? '' : `rule ${error.index + 1}: `) : `rule ${error.ruleId}: `;
  return `${line}${rule}${error.path === '' ? '' : `${error.path} `}${error.message}`;
}

const KEYS = ['name', 'channel', 'version', 'mapping', 'rules'];

function readDocument(document: Document, lists: ValueLists): LoadedRules {
  const errors: RuleError[] = [];
  const refuse = (path: string, message: string): void => {
    errors.push({ ruleId: null, index: -1, path, message });
  };
  const content = contentOf(document);
  if (content === null) {
    refuse('', 'The file must hold a map with name, channel, version, mapping and rules.');
    return { file: null, errors };
  }
  const { name, channel, version, mapping } = { ...RULE_FILE_DEFAULTS, mapping: {}, ...content };
  for (const key of Object.keys(content)) {
    if (!KEYS.includes(key)) refuse(key, `is not known; a rule file has ${KEYS.join(', ')}.`);
  }
  if (typeof name !== 'string' || name.trim() === '' || name.length > 100) {
    refuse('name', 'must be a text of 1 to 100 characters.');
  }
  if (!CHANNELS.some((one) => one === channel)) refuse('channel', `must be one of ${CHANNELS.join(', ')}.`);
  if (typeof version !== 'string' || parseVersion(version) === null) {
    refuse('version', 'must be a version such as 1.0.0, in quotes if YAML would read a number.');
  }
  const filled = fillLists(content['rules'], lists);
  const { plan, errors: refused } = compileRules(filled.rules, mapping);
  errors.push(...filled.errors, ...refused);
  if (errors.length > 0 || plan === null) return { file: null, errors };
  const rules = filled.rules as readonly Rule[];
  return { file: { name, channel, version, mapping: plan.mapping, rules, plan }, errors: [] };
}

function contentOf(document: Document): Record<string, never> | null {
  try {
    const content: unknown = document.toJS({ maxAliasCount: 100 });
    const map = typeof content === 'object' && content !== null && !Array.isArray(content);
    return map ? (content as Record<string, never>) : null;
  } catch {
    // More aliases than any rule file has a use for.
    return null;
  }
}

function fillLists(rules: unknown, lists: ValueLists): { rules: unknown; errors: RuleError[] } {
  if (!Array.isArray(rules)) return { rules, errors: [] };
  const errors: RuleError[] = [];
  const filled = rules.map((rule: unknown, index) => {
    const name = listName(rule);
    if (name === null) return rule;
    const { params, id } = rule as { readonly params: Record<string, unknown>; readonly id: unknown };
    const values = Object.hasOwn(lists, name) ? lists[name] : undefined;
    if (values === undefined) {
      const ruleId = typeof id === 'string' ? id : null;
      errors.push({
        ruleId,
        index,
        path: 'params.values_from',
        message: `names the list ${name}, which is not there.`,
      });
    }
    const { values_from: _, ...others } = params;
    return { ...(rule as object), params: { ...others, values: values ?? [name] } };
  });
  return { rules: filled, errors };
}

function listName(rule: unknown): string | null {
  if (typeof rule !== 'object' || rule === null || !('params' in rule)) return null;
  const { params } = rule;
  if (typeof params !== 'object' || params === null || !('values_from' in params)) return null;
  return typeof params.values_from === 'string' ? params.values_from : null;
}

function listNames(text: string): string[] {
  const document = parseDocument(text, { prettyErrors: false });
  const content = document.errors.length > 0 ? null : contentOf(document);
  const rules: unknown = content?.['rules'];
  if (!Array.isArray(rules)) return [];
  return [...new Set(rules.map(listName).filter((name) => name !== null))];
}

async function readList(path: string): Promise<readonly string[]> {
  const text = await readText(path);
  if (!path.endsWith('.json'))
    return text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter(Boolean);
  try {
    const json: unknown = JSON.parse(text);
    const texts = Array.isArray(json) && json.every((item) => typeof item === 'string');
    return texts ? json : categoryPaths(json);
  } catch (cause) {
    throw unreadable(path, 'It is no JSON list of texts or categories.', cause);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, 'The file cannot be read.', cause);
  }
}

function unreadable(path: string, what: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'HF_RULES_FILE',
    subject: `rule file ${basename(path)}`,
    what,
    fix: 'Give the path of a file that exists, relative to the rule file for value lists.',
    cause,
  });
}

// The line of the deepest part of the path that the text has.
function lineOf(
  source: { readonly document: Document; readonly lines: LineCounter },
  error: RuleError,
): number {
  const steps: (string | number)[] = error.index < 0 ? [] : ['rules', error.index];
  for (const match of error.path.matchAll(/[^.[\]]+/g)) {
    steps.push(/^\d+$/.test(match[0]) ? Number(match[0]) : match[0]);
  }
  let node = source.document.contents;
  let position = node?.range?.[0] ?? 0;
  for (const step of steps) {
    const child = childOf(node, step);
    if (child === null) break;
    position = child.position;
    node = child.node;
  }
  return source.lines.linePos(position).line;
}

function childOf(
  node: Node | null,
  step: string | number,
): { readonly node: Node | null; readonly position: number } | null {
  if (isMap<Node, Node | null>(node)) {
    const pair = node.items.find((item) => String(item.key) === String(step));
    return pair === undefined ? null : { node: pair.value, position: pair.key.range?.[0] ?? 0 };
  }
  const item = isSeq<Node>(node) ? node.items[Number(step)] : undefined;
  return item === undefined ? null : { node: item, position: item.range?.[0] ?? 0 };
}
