import type { AiRun, Cadence, FieldError, Mission, MissionData, MissionState } from '../core/types';
import type { MissionTemplate } from './templates';
export { templates } from './templates';
export type { MissionTemplate };
/** All missions, live. */
export const missions: { readonly ready: boolean; readonly list: Mission[]; get(id: string): Mission | undefined } = { ready: false, list: [], get: () => undefined };
/** A run that is under way on the server now. */
export interface RunningRun { missionId: string; iterationId: string; slot: string; phase: string }
export const running: { of(missionId: string): RunningRun | undefined } = { of: () => undefined };
export async function createMission(data: Partial<MissionData> & { title: string }): Promise<string> { void data; return ''; }
export async function updateMission(id: string, set: Partial<MissionData>): Promise<void> { void id; void set; }
export async function setState(id: string, state: MissionState): Promise<void> { void id; void state; }
export async function removeMission(id: string): Promise<void> { void id; }
export async function checkMission(data: Partial<MissionData>): Promise<FieldError[]> { void data; return []; }
export async function nextRun(cadence: Cadence, timezone: string, after?: Date): Promise<string | null> { void cadence; void timezone; void after; return null; }
/** Ask the server to run a mission now. */
export async function runNow(id: string, slot?: string): Promise<{ iterationId: string; slot: string }> { void id; return { iterationId: '', slot: slot ?? '' }; }
/** What became of each occurrence, newest first. */
export function runs(missionId: string): AiRun[] { void missionId; return []; }
/** A person's word on a whole iteration; the next prompt carries it. */
export async function giveFeedback(missionId: string, iterationId: string, text: string): Promise<void> { void missionId; void iterationId; void text; }
