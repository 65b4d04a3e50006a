import type { components } from '../api/schema';
import type { Change } from '../core/types';

type Schemas = components['schemas'];

/** POST /sync. */
export type SyncRequest = Omit<Schemas['PushBody'], 'changes'> & { clientId: string; since: string; changes: Change[] };

/** What POST /sync answers. */
export type SyncAnswer = Omit<Schemas['PushAnswer'], 'serverChanges'> & { serverChanges: Change[] };

/** The version of the data's shape that this app writes. */
export const SCHEMA_VERSION = 1;

/** How a push goes out; throws ApiError, OfflineError or SessionEnded. */
export type PostSync = (body: SyncRequest) => Promise<SyncAnswer>;
