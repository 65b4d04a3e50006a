import type { Data, FieldError } from '../core/types';
/** Create a record; answers its id. Throws ValidationError. */
export async function createRecord(app: string, table: string, data: Data): Promise<string> { void app; void table; void data; return ''; }
export async function updateRecord(app: string, table: string, id: string, set: Data): Promise<void> { void app; void table; void id; void set; }
export async function deleteRecord(app: string, table: string, id: string): Promise<void> { void app; void table; void id; }
export async function restoreRecord(app: string, table: string, id: string): Promise<void> { void app; void table; void id; }
/** What is wrong with a form, before it is sent. */
export async function checkRecord(app: string, table: string, data: Data, partial = false): Promise<FieldError[]> { void app; void table; void data; void partial; return []; }
