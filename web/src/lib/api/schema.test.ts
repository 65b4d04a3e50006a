import { readFileSync } from 'node:fs';
import openapiTS, { astToString, COMMENT_HEADER, type OpenAPI3 } from 'openapi-typescript';
import { expect, it } from 'vitest';

it('schema.d.ts is what spec/openapi.json says; `npm run types` makes it anew', async () => {
	const spec = JSON.parse(readFileSync('../spec/openapi.json', 'utf8')) as OpenAPI3;
	const fresh = COMMENT_HEADER + astToString(await openapiTS(spec));
	expect(readFileSync('src/lib/api/schema.d.ts', 'utf8')).toBe(fresh);
});
