// Everything that can go wrong while time passes, each for as long as it takes to show.
import { variants } from '../../src/prove/index.ts';
import { holds } from './holds.ts';

for (const variant of variants.filter((one) => one.name !== 'plain')) holds(variant);
