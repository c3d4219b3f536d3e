import { PARTITION_CHANGES } from './changes.ts';
import { tryChanges } from './try-changes.ts';

tryChanges(PARTITION_CHANGES);
