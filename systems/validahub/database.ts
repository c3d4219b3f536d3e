// The definition that `holdfast plan` and `holdfast apply` load.
import { defineValidahub } from './define.ts';

export default defineValidahub();
