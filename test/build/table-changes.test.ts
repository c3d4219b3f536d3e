import { TABLE_CHANGES } from './changes.ts';
import { tryChanges } from './try-changes.ts';

tryChanges(TABLE_CHANGES);
