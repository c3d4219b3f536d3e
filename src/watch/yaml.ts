// A small writer of YAML: blocks for lists and maps, every text in JSON's quotes, which YAML 1.2 reads alike.

/** What can be written. */
export type Yaml = string | number | readonly Yaml[] | { readonly [key: string]: Yaml };

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Writes a value as a YAML document. Keys stay in their order; keys that are no plain words are quoted. */
export function yaml(value: Yaml): string {
  return `${lines(value).join('\n')}\n`;
}

function lines(value: Yaml): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [JSON.stringify(value)];
  if (isList(value)) return value.length === 0 ? ['[]'] : value.flatMap((one) => hung('-', lines(one)));
  const entries = Object.entries(value);
  if (entries.length === 0) return ['{}'];
  return entries.flatMap(([key, one]) => {
    const name = `${PLAIN_KEY.test(key) ? key : JSON.stringify(key)}:`;
    const below = lines(one);
    const inline = typeof one !== 'object' || below[0] === '[]' || below[0] === '{}';
    return inline ? [`${name} ${below[0] ?? ''}`] : [name, ...below.map((line) => `  ${line}`)];
  });
}

function hung(mark: string, [first = '', ...rest]: readonly string[]): string[] {
  return [`${mark} ${first}`, ...rest.map((line) => `${' '.repeat(mark.length + 1)}${line}`)];
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}
