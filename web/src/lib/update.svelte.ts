/** A newer version of the app that waits; nothing reloads by itself. */
export const update: { readonly ready: boolean; apply(): void } = { ready: false, apply() {} };
