import { conformance } from './conformance.ts';
import { reaching } from './reach.ts';

conformance(reaching(async (notebook) => ({ url: notebook.url, close: async () => undefined })));
