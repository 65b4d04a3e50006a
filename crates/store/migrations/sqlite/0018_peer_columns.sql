-- Nothing changes here: no other program writes into a file. The step keeps the numbers of both databases alike, so
-- that a backup of either can be restored into the other.
SELECT 1;
