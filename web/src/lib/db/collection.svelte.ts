import type { Row } from '../core/types';
/** The live records of a table. */
export interface Collection {
	readonly ready: boolean;
	readonly rows: Row[];
	get(id: string): Row | undefined;
}
export function collection(app: string, table: string): Collection { void app; void table; return { ready: false, rows: [], get: () => undefined }; }
