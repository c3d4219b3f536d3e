import { ATTRIBUTE_CHANGES } from './changes.ts';
import { tryChanges } from './try-changes.ts';

tryChanges(ATTRIBUTE_CHANGES);
