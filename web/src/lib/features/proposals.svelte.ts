import type { Data, Proposal } from '../core/types';
/** The open proposals of this device. */
export const proposals: { readonly ready: boolean; readonly open: Proposal[]; readonly count: number; get(id: string): Proposal | undefined } = { ready: false, open: [], count: 0, get: () => undefined };
/** Open proposals that touch a module's records. */
export function forModule(id: string): Proposal[] { void id; return []; }
/** Open proposals that touch one record. */
export function forRecord(app: string, table: string, id: string): Proposal[] { void app; void table; void id; return []; }
/** Approve; false if it was refused: the reason is then in `proposal.error` and it stays open. */
export async function approve(id: string, editedParams?: Data): Promise<boolean> { void id; void editedParams; return true; }
/** Reject; false if it was refused. */
export async function reject(id: string, reason?: string): Promise<boolean> { void id; void reason; return true; }
