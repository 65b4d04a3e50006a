//! Proposals: staged from iterations, decided by people.
