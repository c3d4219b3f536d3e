// Makes demo/catalogue.csv: 200 products of a shop that never was, with the faults such exports have. The same code
// always makes the same file. `npx jiti systems/validahub/demo/generate.ts` writes it anew.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkDigit } from '../catalogue/barcode.ts';

/** Where the file is kept. */
export const DEMO_CATALOGUE = fileURLToPath(new URL('./catalogue.csv', import.meta.url));

const KINDS = [
  { name: 'Cafeteira elétrica', category: 'Eletrodomésticos > Cafeteiras', ncm: '85167100', grams: 1_450 },
  { name: 'Liquidificador', category: 'Eletrodomésticos > Liquidificadores', ncm: '85094010', grams: 2_100 },
  { name: 'Mochila escolar', category: 'Malas e mochilas > Mochilas', ncm: '42029200', grams: 620 },
  { name: 'Garrafa térmica', category: 'Cozinha > Garrafas', ncm: '96170010', grams: 480 },
  { name: 'Fone de ouvido', category: 'Áudio > Fones', ncm: '85183000', grams: 190 },
  { name: 'Jogo de panelas', category: 'Cozinha > Panelas', ncm: '76151000', grams: 3_900 },
  { name: 'Luminária de mesa', category: 'Casa > Iluminação', ncm: '94052100', grams: 870 },
  { name: 'Tapete antiderrapante', category: 'Casa > Tapetes', ncm: '57033900', grams: 1_200 },
];
const BRANDS = ['Aurora', 'Bem-te-vi', 'Campo Belo', 'Dois Irmãos', 'Estrela do Sul'];
const COLOURS = ['preta', 'azul', 'vermelha', 'verde', 'branca', 'cinza'];

const HEADER = [
  'SKU',
  'Título',
  'Descrição',
  'Marca',
  'EAN',
  'NCM',
  'Preço',
  'Moeda',
  'Estoque',
  'Peso',
  'Categoria',
];

interface Product {
  sku: string;
  title: string;
  description: string;
  brand: string;
  gtin: string;
  ncm: string;
  price: string;
  currency: string;
  stock: string;
  weight: string;
  category: string;
}

/** One fault, and from which row on it comes how often: row `from`, then every `every`-th. */
type Fault = readonly [from: number, every: number, spoil: (product: Product, index: number) => void];

const FAULTS: readonly Fault[] = [
  [3, 11, (p) => (p.title = `  ${p.title} `)],
  [5, 23, (p) => (p.title = p.title.replace(' ', '  '))],
  [7, 29, (p) => (p.title = p.title.toUpperCase())],
  [8, 31, (p) => (p.title = `${p.title} PROMOÇÃO frete grátis`)],
  [
    9,
    19,
    (p) =>
      (p.title = `${p.title} para toda a família, com garantia de um ano e manual em português do Brasil`),
  ],
  [60, 200, (p) => (p.title = '')],
  [4, 17, (p) => (p.description = `<p>${p.description}</p><br>`)],
  [6, 37, (p) => (p.brand = '')],
  [10, 41, (p) => (p.brand = ` ${p.brand} `)],
  [11, 43, (p) => (p.brand = 'N/A')],
  [12, 27, (p) => (p.gtin = `${p.gtin.slice(0, 12)}${(Number(p.gtin.slice(12)) + 3) % 10}`)],
  [13, 33, (p) => (p.gtin = `${p.gtin.slice(0, 3)} ${p.gtin.slice(3, 8)}-${p.gtin.slice(8)}`)],
  [14, 47, (p) => (p.gtin = '')],
  [15, 13, (p) => (p.price = `R$ 1.${p.price.padStart(6, '0').replace('.', ',')}`)],
  [16, 53, (p) => (p.price = '0')],
  [17, 59, (p) => (p.price = '')],
  [18, 61, (p) => (p.price = 'a combinar')],
  [19, 21, (p) => (p.currency = 'R$')],
  [20, 25, (p) => (p.currency = '')],
  [21, 49, (p) => (p.stock = '-3')],
  [22, 51, (p) => (p.weight = String(Number(p.weight) * 1_000))],
  [23, 57, (p) => (p.ncm = p.ncm.slice(0, 4))],
  [24, 63, (p) => (p.category = '')],
  [25, 97, (p) => (p.description = '=HYPERLINK("http://example.invalid","ver oferta")')],
  [130, 200, (p) => (p.sku = 'BR-0001')],
];

/** The whole file as text. */
export function demoCatalogue(): string {
  const rows = Array.from({ length: 200 }, (_, index) => {
    const product = soundProduct(index);
    for (const [from, every, spoil] of FAULTS) {
      if (index >= from && (index - from) % every === 0) spoil(product, index);
    }
    return Object.values(product).map(cell).join(';');
  });
  return `${[HEADER.join(';'), ...rows].join('\n')}\n`;
}

function soundProduct(index: number): Product {
  const kind = KINDS[index % KINDS.length] ?? KINDS[0]!;
  const brand = BRANDS[index % BRANDS.length] ?? '';
  const colour = COLOURS[index % COLOURS.length] ?? '';
  const digits = `789${String(4_000_000 + index * 137).padStart(9, '0')}`;
  return {
    sku: `BR-${String(index + 1).padStart(4, '0')}`,
    title: `${kind.name} ${brand} ${colour} ${100 + index}`,
    description: `${kind.name} da marca ${brand}, cor ${colour}. Produto novo, com nota fiscal e garantia do fabricante.`,
    brand,
    gtin: `${digits}${checkDigit(digits)}`,
    ncm: kind.ncm,
    price: `${20 + ((index * 37) % 480)}.${String((index * 7) % 100).padStart(2, '0')}`,
    currency: 'BRL',
    stock: String((index * 13) % 90),
    weight: (kind.grams / 1_000).toFixed(3),
    category: kind.category,
  };
}

function cell(text: string): string {
  return /[";\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

if (process.argv[1]?.endsWith('generate.ts') === true) writeFileSync(DEMO_CATALOGUE, demoCatalogue());
