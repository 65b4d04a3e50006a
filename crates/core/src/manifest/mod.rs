//! Module manifests: tables, fields, tools (see the contract).
