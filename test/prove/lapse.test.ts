// Three years of one keeper: every day as promised.
import { variantOf } from '../../src/prove/index.ts';
import { holds } from './holds.ts';

holds(variantOf('plain'));
