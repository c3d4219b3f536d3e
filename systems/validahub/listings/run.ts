// npx jiti systems/validahub/listings/run.ts [FOLDER]: mines on one half of the listings, tries on the other, prints how
// much of it the other shop confirms. Both ways round.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openHome } from '../home.ts';
import { learn, precision, type Answers } from './learn.ts';
import { LISTING_FILES, readBrands, readPairs } from './pairs.ts';

const DEFAULT = resolve('../shared/data/validahub/listings');

const folder = resolve(process.argv[2] ?? DEFAULT);
const missing = Object.values(LISTING_FILES).find((name) => !existsSync(join(folder, name)));
if (missing === undefined) await main();
else {
  say(`${folder} has no ${missing}. Name the folder of the listings (Abt, Buy and Walmart rows of pyJedAI).`);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const pairs = await readPairs(folder);
  const brands = await readBrands(folder);
  say(`${pairs.length} products listed by Abt and by Buy; ${brands.length} brands of Walmart's listings.`);
  const home = await openHome({ cwd: process.cwd(), env: process.env, now: () => new Date() });
  try {
    for (const from of ['even', 'odd'] as const) {
      const tenant = `t_listings_${from}_${Date.now().toString(36)}`;
      const { proposed, mined, held, unmined } = await learn(home.hub, {
        tenant,
        by: 'p_listings',
        pairs,
        brands,
        from,
      });
      say(`\nLearnt from the ${from} half, tried on the other (tenant ${tenant})`);
      say(`  proposals decided by the other shop   ${told(proposed)}`);
      for (const { title, confidence } of mined) say(`  mined  ${confidence.toFixed(4)}  ${title}`);
      say(`  corrected in the half held back       ${told(held)}`);
      say(`  proposed there without mining         ${told(unmined)}`);
    }
  } finally {
    await home.leave();
  }
}

function told(of: Answers): string {
  const share = precision(of);
  const right = share === null ? '' : `, precision ${share.toFixed(3)}`;
  return `${of.confirmed} confirmed, ${of.contradicted} contradicted, ${of.silent} not said${right}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
