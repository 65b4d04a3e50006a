export const en = { 'app.name': 'Mana' } as const;
