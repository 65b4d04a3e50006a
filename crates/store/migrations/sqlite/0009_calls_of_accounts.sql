-- Calls are a measure of budgets, beside tokens and money. Calls from before are not counted.
ALTER TABLE ledger_reservations ADD COLUMN calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_accounts ADD COLUMN calls INTEGER NOT NULL DEFAULT 0;
