//! What a tool may do: auto, propose or deny.
