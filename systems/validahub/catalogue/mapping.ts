// Which column of a file is which field. Explicit mapping first, then a column that already carries a field's
// name; anything else keeps its own name, and what it might be is only suggested.

import { CANONICAL_FIELDS, type CanonicalField, type Column, type Mapping } from './row.ts';

/** A column nobody mapped, and the field its name stands for elsewhere. */
export interface MappingSuggestion {
  readonly column: string;
  readonly field: CanonicalField;
  /** 0..1: 0.95 for a known name of the field, 0.6 when the name only contains one. */
  readonly confidence: number;
}

// Names seen in exports of Brazilian and English shops, folded as {@link foldName} does.
const NAMES: Readonly<Record<CanonicalField, readonly string[]>> = {
  sku: ['id', 'codigo', 'cod', 'codigo_produto', 'product_id', 'item_id', 'referencia', 'ref', 'seller_sku'],
  title: ['titulo', 'nome', 'name', 'product_name', 'nome_produto', 'produto', 'item_name'],
  description: ['descricao', 'desc', 'descripcion', 'detalhes', 'product_description', 'generic_name'],
  brand: ['marca', 'brands', 'manufacturer', 'fabricante', 'brand_name'],
  gtin: [
    'ean',
    'ean13',
    'upc',
    'barcode',
    'codigo_de_barras',
    'codigo_barras',
    'code',
    'gtin13',
    'gtin14',
    'isbn',
  ],
  ncm: ['codigo_ncm', 'ncm_sh', 'classificacao_fiscal'],
  price_brl: ['preco', 'price', 'valor', 'preco_venda', 'precio', 'sale_price', 'preco_brl'],
  currency: ['moeda', 'moneda', 'currency_code'],
  stock: ['estoque', 'quantidade', 'qty', 'inventory', 'saldo', 'stock_quantity'],
  weight_kg: ['peso', 'peso_kg', 'weight', 'shipweight', 'shipping_weight', 'peso_bruto'],
  length_cm: ['comprimento', 'length', 'comprimento_cm', 'profundidade'],
  width_cm: ['largura', 'width', 'largura_cm'],
  height_cm: ['altura', 'height', 'altura_cm'],
  category_path: ['categoria', 'categorias', 'category', 'categories', 'departamento', 'category_name'],
  images: ['imagens', 'imagem', 'image', 'image_url', 'image_link', 'fotos', 'foto', 'pictures'],
  attributes: ['atributos', 'attribute', 'caracteristicas', 'ficha_tecnica', 'specs'],
};

const FIELD_OF_NAME: ReadonlyMap<string, CanonicalField> = new Map(
  CANONICAL_FIELDS.flatMap((field) => [field, ...NAMES[field]].map((name) => [name, field] as const)),
);

/** Everything wrong with a mapping, as path and message; empty when it can be used. */
export function mappingErrors(mapping: unknown): (readonly [path: string, message: string])[] {
  if (typeof mapping !== 'object' || mapping === null || Array.isArray(mapping)) {
    return [['mapping', 'must map column names to fields.']];
  }
  const findings: (readonly [string, string])[] = [];
  const taken = new Map<string, string>();
  for (const [column, field] of Object.entries(mapping)) {
    const path = `mapping.${column}`;
    if (column.trim() === '') findings.push([path, 'must name a column.']);
    if (!isCanonical(field)) findings.push([path, `must be one of ${CANONICAL_FIELDS.join(', ')}.`]);
    else if (taken.has(field))
      findings.push([path, `maps to ${field}, as ${taken.get(field)} already does.`]);
    else taken.set(field, column);
  }
  return findings;
}

/**
 * Names the columns of a file and gives each its field.
 * @param headers the header cells as they stand; they may be empty, repeated, padded.
 * @param mapping names are compared without regard to case, accents and punctuation.
 */
export function columnsOf(headers: readonly string[], mapping: Mapping = {}): Column[] {
  const names = uniqueNames(headers);
  const fields = mappedFields(names, mapping);
  const taken = new Set(fields);
  return names.map((name, index) => ({
    index,
    header: headers[index] ?? '',
    name,
    field: fields[index] ?? ownField(name, taken),
  }));
}

// The column of exactly that name, else the first one that differs in case, accents and punctuation only.
function mappedFields(names: readonly string[], mapping: Mapping): (CanonicalField | undefined)[] {
  const fields: (CanonicalField | undefined)[] = names.map(() => undefined);
  for (const [column, field] of Object.entries(mapping)) {
    const exact = names.indexOf(column.trim());
    const at = exact >= 0 ? exact : names.findIndex((name) => foldName(name) === foldName(column));
    if (at >= 0) fields[at] = field;
  }
  return fields;
}

/** What the columns that have no canonical field might be; best guess first, each field once. */
export function suggestMapping(columns: readonly Column[]): MappingSuggestion[] {
  const taken = new Set(columns.map((column) => column.field));
  const guesses = columns
    .filter((column) => !isCanonical(column.field))
    .flatMap((column) => guess(column))
    .sort((a, b) => b.confidence - a.confidence);
  const suggestions: MappingSuggestion[] = [];
  for (const suggestion of guesses) {
    if (taken.has(suggestion.field)) continue;
    taken.add(suggestion.field);
    suggestions.push(suggestion);
  }
  return suggestions;
}

/**
 * The mapping that suggestions make when nobody is asked: those of at least that confidence.
 * @param confidence 0..1; the default takes known names of a field and no guesses.
 */
export function mappingFrom(suggestions: readonly MappingSuggestion[], confidence = 0.9): Mapping {
  return Object.fromEntries(
    suggestions
      .filter((suggestion) => suggestion.confidence >= confidence)
      .map(({ column, field }) => [column, field]),
  );
}

// A column called `brand` is the brand unless another column was mapped to it.
function ownField(name: string, taken: Set<string | undefined>): string {
  const folded = foldName(name);
  if (!isCanonical(folded) || taken.has(folded)) return taken.has(name) ? `${name} (column)` : name;
  taken.add(folded);
  return folded;
}

function guess(column: Column): MappingSuggestion[] {
  const folded = foldName(column.name);
  const exact = FIELD_OF_NAME.get(folded);
  if (exact !== undefined) return [{ column: column.name, field: exact, confidence: 0.95 }];
  const parts = folded.split('_');
  const partial = parts.map((part) => FIELD_OF_NAME.get(part)).find((field) => field !== undefined);
  return partial === undefined ? [] : [{ column: column.name, field: partial, confidence: 0.6 }];
}

function uniqueNames(headers: readonly string[]): string[] {
  const used = new Set<string>();
  return headers.map((header, index) => {
    const clean = header.replaceAll('\0', '').replace(/\s+/g, ' ').trim() || `column_${index + 1}`;
    let name = clean;
    for (let n = 2; used.has(name.toLowerCase()); n += 1) name = `${clean}_${n}`;
    used.add(name.toLowerCase());
    return name;
  });
}

/** A name without case, accents and punctuation: `Preço (R$)` → `preco_r`. */
export function foldName(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_|_$/g, '');
}

function isCanonical(field: unknown): field is CanonicalField {
  return (CANONICAL_FIELDS as readonly unknown[]).includes(field);
}
