import { conformance, reaching } from './conformance.ts';

conformance(reaching(async (notebook) => ({ url: notebook.url, close: async () => undefined })));
