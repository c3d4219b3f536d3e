import { OBJECT_CHANGES } from './changes.ts';
import { tryChanges } from './try-changes.ts';

tryChanges(OBJECT_CHANGES);
