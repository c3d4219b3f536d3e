// Listings of the same product in two shops, from the public Abt/Buy rows: each shop's listing is the answer to what is
// corrected in the other's. The answers of the benchmark itself are not among the files, so products are told by their
// model number, which takes no part in any correction here.
import { join } from 'node:path';
import { openCatalogue } from '../catalogue/open.ts';

/** One shop's listing. */
export interface Listing {
  readonly id: number;
  readonly name: string;
  readonly description: string;
}

/** A product that both shops list. */
export interface Pair {
  readonly abt: Listing;
  readonly buy: Listing;
}

/** The files, in a folder of their own. */
export const LISTING_FILES = {
  abt: 'D2_abt.csv',
  buy: 'D2_buy.csv',
  walmart: 'D8_walmart.csv',
} as const;

/**
 * Pairs the shops' listings: Abt ends a name with ` - MODEL`; where exactly one of Buy's listings holds that number, of
 * four letters and digits or more, as a word in name or description, the two are one product.
 */
export async function readPairs(folder: string): Promise<readonly Pair[]> {
  const abt = await listings(join(folder, LISTING_FILES.abt));
  const buy = await listings(join(folder, LISTING_FILES.buy));
  const byWord = new Map<string, Set<Listing>>();
  for (const listing of buy) {
    for (const word of `${listing.name} ${listing.description}`.split(/[\s,()]+/)) {
      const key = modelKey(word);
      if (key !== null) byWord.set(key, (byWord.get(key) ?? new Set()).add(listing));
    }
  }
  return abt.flatMap((listing) => {
    const key = modelKey(/ - (\S+)$/.exec(listing.name.trim())?.[1] ?? '');
    const [only, ...more] = key === null ? [] : (byWord.get(key) ?? []);
    return only === undefined || more.length > 0 ? [] : [{ abt: listing, buy: only }];
  });
}

function modelKey(word: string): string | null {
  const key = word.toLowerCase().replace(/[^a-z0-9]/g, '');
  return key.length >= 4 && /\d/.test(key) ? key : null;
}

async function listings(path: string): Promise<readonly Listing[]> {
  const rows = await cells(path, ['id', 'name', 'description']);
  return rows.map(([id = '', name = '', description = '']) => ({ id: Number(id), name, description }));
}

/** The brands of Walmart's listings, each once: a list that neither of the two shops wrote. */
export async function readBrands(folder: string): Promise<readonly string[]> {
  const rows = await cells(join(folder, LISTING_FILES.walmart), ['brand']);
  return [...new Set(rows.map(([brand = '']) => brand.trim()))].filter((brand) => brand !== '').sort();
}

async function cells(path: string, names: readonly string[]): Promise<readonly (readonly string[])[]> {
  const catalogue = await openCatalogue(path, { delimiter: '|', quote: false });
  try {
    const at = names.map((name) => catalogue.columns.findIndex((column) => column.name === name));
    const rows: (readonly string[])[] = [];
    for await (const row of catalogue.rows()) rows.push(at.map((index) => row.cells[index] ?? ''));
    return rows;
  } finally {
    await catalogue.close();
  }
}
