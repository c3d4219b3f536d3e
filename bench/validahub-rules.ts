// What checking a catalogue costs without a database: reading a large, untidy CSV, running the starter rules,
// writing the corrected file.
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pipeline } from 'node:stream/promises';
import { checkDigit, openCatalogue, writeCatalogue } from '../systems/validahub/catalogue/index.ts';
import type { Catalogue, CatalogueRow } from '../systems/validahub/catalogue/index.ts';
import { loadRulesFile, runRules } from '../systems/validahub/rules/index.ts';
import type { CompiledPlan } from '../systems/validahub/rules/index.ts';
import { compare } from './measure.ts';
import type { Comparison, Context, Report } from './measure.ts';

export const name = 'validahub-rules';

const ROWS = 100_000;
const ROWS_QUICK = 10_000;

/** Rows a second for opening, reading, checking and writing one catalogue; everything on one thread. */
export async function run(context: Context): Promise<Report> {
  const rows = context.quick ? ROWS_QUICK : ROWS;
  const folder = await mkdtemp(join(tmpdir(), 'bench-rules-'));
  try {
    const path = join(folder, 'catalogue.csv');
    await pipeline(untidyCatalogue(rows), createWriteStream(path));
    const { plan } = await loadRulesFile(
      fileURLToPath(new URL('../systems/validahub/rules.yaml', import.meta.url)),
    );
    const catalogue = await openCatalogue(path);
    const comparison = await compare(
      `A catalogue of ${rows} rows`,
      [
        { label: 'open: hash, encoding, dialect', run: async () => openCatalogue(path) },
        { label: 'read all rows', run: async () => drain(catalogue.rows()) },
        { label: `read, ${plan.rules.length} rules`, run: async () => drain(checked(plan, catalogue)) },
        {
          label: `read, ${plan.rules.length} rules, write`,
          run: async () => pipeline(corrected(plan, catalogue), createWriteStream(join(folder, 'out.csv'))),
        },
      ],
      context.quick ? 2 : 3,
    );
    const { size } = await stat(path);
    return {
      settings: { rows, bytes: size, ...rates(comparison, rows) },
      comparisons: [comparison],
      aims: [],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rates(comparison: Comparison, rows: number): Record<string, string> {
  return Object.fromEntries(
    comparison.timings.map((timing) => [
      timing.label,
      `${Math.round((rows / timing.median) * 1_000).toLocaleString('en')} rows/s`,
    ]),
  );
}

const HEADER =
  'SKU;Título;Descrição;Marca;EAN;NCM;Preço;Moeda;Estoque;Peso;Comprimento;Largura;Altura;Imagens\r\n';
const TITLES = [
  'Smart TV 50" LED 4K',
  '  Fone de   ouvido <b>Bluetooth</b> sem fio com cancelamento de ruído e estojo carregador',
  'CAIXA DE SOM PORTÁTIL',
  'Mouse; sem fio',
  'Cabo',
];
const PRICES = ['1.299,90', 'R$ 49,90', '0', '99.90', 'a combinar'];

// Every fault comes up in a fixed round, so that each run of the bench has the same file.
function* untidyCatalogue(rows: number): Generator<string> {
  yield HEADER;
  for (let i = 1; i <= rows; i += 1) {
    const body = String(7_890_000_000_00 + i).padStart(12, '0');
    const gtin = i % 40 === 0 ? `${body}0` : `${body}${checkDigit(body) ?? ''}`;
    const cells = [
      i % 500 === 0 ? 'S1' : `S${i}`,
      `${TITLES[i % TITLES.length]} ${i % 3_000}`,
      `<p>Produto n&ordm; ${i}</p>\nGarantia de 12 meses &amp; nota fiscal.`,
      i % 30 === 0 ? '' : 'Marca ção',
      gtin,
      i % 7 === 0 ? '8528.72.00' : '85287200',
      PRICES[i % PRICES.length] ?? '',
      i % 3 === 0 ? 'brl' : '',
      String(i % 100),
      '0,350',
      '10',
      '20',
      i % 11 === 0 ? '' : '5',
      'https://img.example.com/1.jpg|https://img.example.com/2.jpg',
    ];
    yield `${cells.map((cell) => (/[";\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(';')}\r\n`;
  }
}

async function drain(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

async function* checked(plan: CompiledPlan, catalogue: Catalogue): AsyncGenerator<readonly CatalogueRow[]> {
  const mapped = catalogue.mapped({
    SKU: 'sku',
    Título: 'title',
    Descrição: 'description',
    Marca: 'brand',
    EAN: 'gtin',
    Preço: 'price_brl',
    Moeda: 'currency',
    Estoque: 'stock',
    Peso: 'weight_kg',
    Comprimento: 'length_cm',
    Largura: 'width_cm',
    Altura: 'height_cm',
    Imagens: 'images',
  });
  for await (const batch of runRules(plan, mapped.rows(), { columns: mapped.columns })) yield batch.rows;
}

async function* corrected(plan: CompiledPlan, catalogue: Catalogue): AsyncGenerator<string> {
  async function* rows(): AsyncGenerator<CatalogueRow> {
    for await (const batch of checked(plan, catalogue)) yield* batch;
  }
  yield* writeCatalogue(catalogue, rows());
}
