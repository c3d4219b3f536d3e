// What a catalogue is once it has been read: columns in file order, and rows of text cells in that order.
// Cells stay text from end to end, so that what no rule touches leaves byte for byte as it came.

/** The fields every marketplace channel of ValidaHub knows; any other column keeps its own name. */
export const CANONICAL_FIELDS = [
  'sku',
  'title',
  'description',
  'brand',
  'gtin',
  'ncm',
  'price_brl',
  'currency',
  'stock',
  'weight_kg',
  'length_cm',
  'width_cm',
  'height_cm',
  'category_path',
  'images',
  'attributes',
] as const;

/** One of {@link CANONICAL_FIELDS}. */
export type CanonicalField = (typeof CANONICAL_FIELDS)[number];

/** Source column name → canonical field. A column left out keeps its own name as its field. */
export type Mapping = Readonly<Record<string, CanonicalField>>;

/** One column of the file. */
export interface Column {
  /** Position in the file, from 0. */
  readonly index: number;
  /** The header cell exactly as it stood in the file; written back unchanged. */
  readonly header: string;
  /** The header trimmed, never empty, unique in the file: `name`, `name_2`, `column_4`. */
  readonly name: string;
  /** The field rules address: the canonical field it is mapped to, else {@link Column.name}. */
  readonly field: string;
}

/** Something wrong with the row as text, before any rule looked at it. */
export interface RowIssue {
  /** `csv_row_width`: not as many cells as columns. `csv_nul_byte`: NUL characters were taken out. */
  readonly code: 'csv_row_width' | 'csv_nul_byte';
  readonly message: string;
}

/** One data row. */
export interface CatalogueRow {
  /** 1 for the first row after the header; empty lines are not counted. */
  readonly recordNumber: number;
  /** Line of the file on which the row starts, from 1, the header being line 1. */
  readonly line: number;
  /** One cell per column, in file order. Missing cells are ''. */
  readonly cells: readonly string[];
  /** Cells beyond the last column of a ragged row, written back after the others. */
  readonly extra?: readonly string[];
  /** How many cells the row really had, when fewer than there are columns. */
  readonly width?: number;
  readonly issues?: readonly RowIssue[];
}

/** How the file is written. */
export interface Dialect {
  readonly delimiter: ',' | ';' | '|' | '#' | '\t';
  /** False when `"` is an ordinary character in this file. */
  readonly quote: boolean;
  readonly encoding: 'utf-8' | 'windows-1252' | 'utf-16le' | 'utf-16be';
  /** Whether the file began with a byte order mark. */
  readonly bom: boolean;
  readonly newline: '\n' | '\r\n' | '\r';
}
