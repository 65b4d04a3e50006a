//! All modules of a server or a browser, and how to find something in them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    check,
    tool_ref::ToolRef,
    types::{Manifest, Table},
};
use crate::{
    Gather, Map, json,
    merge::TableSchema,
    paths::is_reserved,
    policy::{Overrides, Policy},
    problem::Problem,
};

/// The files of the modules that Mana brings along, in the order in which they are read.
const BUILTIN: &[(&str, &str)] = &[
    ("todo.json", include_str!("../../../../modules/todo.json")),
    (
        "calendar.json",
        include_str!("../../../../modules/calendar.json"),
    ),
    ("notes.json", include_str!("../../../../modules/notes.json")),
    ("goals.json", include_str!("../../../../modules/goals.json")),
    (
        "places.json",
        include_str!("../../../../modules/places.json"),
    ),
    (
        "context.json",
        include_str!("../../../../modules/context.json"),
    ),
    ("ai.json", include_str!("../../../../modules/ai.json")),
];

/// A file that became no module, for the log and the settings page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedManifest {
    /// The file's name.
    pub file: String,
    /// The faults with their lines, and how to mend them.
    pub reason: String,
}

/// The modules.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    manifests: Vec<Manifest>,
    schemas: BTreeMap<String, BTreeMap<String, TableSchema>>,
    /// Place of the module and of the tool in it.
    tools: BTreeMap<String, (usize, usize)>,
}

/// Returns the first part of a path.
fn first_part(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    path.split('/').next().unwrap_or(path)
}

impl Registry {
    /// The modules that Mana brings along.
    pub fn builtin() -> Registry {
        let (registry, rejected) = Registry::default().with(BUILTIN.iter().copied());
        debug_assert!(
            rejected.is_empty(),
            "the modules in the repository are valid: {rejected:?}"
        );
        registry
    }

    /// Returns this registry with the modules of further files (name, text).
    ///
    /// A file that is broken, or that takes an id, a page or a tool's name from a module that is here already, is left
    /// out with the reason.
    pub fn with<N: Into<String>, T: AsRef<str>>(
        self,
        files: impl IntoIterator<Item = (N, T)>,
    ) -> (Registry, Vec<RejectedManifest>) {
        let mut rejected = Vec::new();
        let mut added = Vec::new();
        for (file, text) in files {
            let file = file.into();
            match Manifest::parse(text.as_ref()) {
                Ok(manifest) => added.push((file, manifest)),
                Err(error) => rejected.push(RejectedManifest {
                    file,
                    reason: error.to_string(),
                }),
            }
        }
        // Modules may refer to each other in any order, so references are checked against all of them.
        let mut tables: BTreeSet<(String, String)> = BTreeSet::new();
        for manifest in self
            .manifests
            .iter()
            .chain(added.iter().map(|(_, manifest)| manifest))
        {
            tables.extend(
                manifest
                    .tables
                    .keys()
                    .map(|table| (manifest.id.clone(), table.clone())),
            );
        }
        let mut registry = self;
        for (file, manifest) in added {
            match registry
                .conflict(&manifest)
                .or_else(|| lost_reference(&manifest, &tables))
            {
                Some(reason) => rejected.push(RejectedManifest { file, reason }),
                None => registry.add(manifest),
            }
        }
        (registry, rejected)
    }

    /// Modules that were checked before: what the server sends to a browser.
    pub fn from_json(manifests: &str) -> Result<Registry, serde_json::Error> {
        let mut registry = Registry::default();
        for manifest in json::from_text::<Vec<Manifest>>(manifests)? {
            registry.add(manifest);
        }
        Ok(registry)
    }

    /// The modules as a JSON array, fields and parameters in their order.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.manifests).unwrap_or_else(|_| "[]".to_owned())
    }

    /// The modules as a JSON array for readers that know no aliases.
    pub fn to_json_without_aliases(&self) -> String {
        let mut manifests = self.manifests.clone();
        for manifest in &mut manifests {
            manifest.drop_aliases();
        }
        serde_json::to_string(&manifests).unwrap_or_else(|_| "[]".to_owned())
    }

    fn conflict(&self, manifest: &Manifest) -> Option<String> {
        if self.manifest(&manifest.id).is_some() {
            return Some(format!(
                "There is a module \"{}\" already. Give this one another id.",
                manifest.id
            ));
        }
        let route = manifest.route.as_deref();
        if let Some(route) = route
            && is_reserved(first_part(route))
        {
            return Some(format!(
                "The route {route} is one of Mana's own pages. Choose another."
            ));
        }
        if let Some(other) = self
            .manifests
            .iter()
            .find(|other| route.is_some() && other.route == manifest.route)
        {
            let route = route.unwrap_or_default();
            return Some(format!(
                "The route {route} belongs to the module {}. Choose another.",
                other.id
            ));
        }
        let taken = manifest.tools.iter().find_map(|tool| self.tool(&tool.name));
        taken.map(|other| {
            format!(
                "The module {} has a tool {} already. Give this one another name.",
                other.module.id, other.tool.name
            )
        })
    }

    fn add(&mut self, manifest: Manifest) {
        let place = self.manifests.len();
        for (index, tool) in manifest.tools.iter().enumerate() {
            if manifest.tables.contains_key(&tool.effect.table) {
                self.tools.insert(tool.name.clone(), (place, index));
            }
        }
        let tables = manifest
            .tables
            .iter()
            .map(|(name, table)| (name.clone(), table.schema()));
        self.schemas.insert(manifest.id.clone(), tables.gather());
        self.manifests.push(manifest);
    }

    /// How a table merges. A table that no manifest names merges field by field.
    pub fn schema(&self, app: &str, table: &str) -> &TableSchema {
        self.schemas
            .get(app)
            .and_then(|tables| tables.get(table))
            .unwrap_or(TableSchema::EMPTY)
    }

    /// Every module, hidden ones too.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// The modules that have a page, in the order of the navigation.
    pub fn visible(&self) -> Vec<&Manifest> {
        let mut visible: Vec<_> = self
            .manifests
            .iter()
            .filter(|manifest| !manifest.hidden)
            .collect();
        visible.sort_by_key(|manifest| (manifest.order, &manifest.id));
        visible
    }

    /// A module.
    pub fn manifest(&self, id: &str) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.id == id)
    }

    /// A table.
    pub fn table(&self, app: &str, table: &str) -> Option<&Table> {
        self.manifest(app)?.tables.get(table)
    }

    /// A tool.
    pub fn tool(&self, name: &str) -> Option<ToolRef<'_>> {
        let (module, tool) = self.tools.get(name)?;
        self.manifests.get(*module)?.tool_at(*tool)
    }

    /// Every tool, in the order of the navigation.
    pub fn tools(&self) -> Vec<ToolRef<'_>> {
        let mut modules: Vec<_> = self.manifests.iter().collect();
        modules.sort_by_key(|manifest| (manifest.order, &manifest.id));
        let tools = modules
            .into_iter()
            .flat_map(|m| (0..m.tools.len()).filter_map(move |i| m.tool_at(i)));
        tools.collect()
    }

    /// The tools that a mission may use, each with the policy that counts; a denied one isn't among them.
    pub fn allowed(&self, overrides: &Overrides) -> Vec<(ToolRef<'_>, Policy)> {
        let tools = self
            .tools()
            .into_iter()
            .map(|tool| (tool, overrides.effective(tool)));
        tools
            .filter(|(_, policy)| *policy != Policy::Deny)
            .collect()
    }

    /// Returns the problems of a record's data, for its form. With `partial` only the fields that are given
    /// are looked at.
    pub fn check_record(&self, app: &str, table: &str, data: &Map, partial: bool) -> Vec<Problem> {
        match self.table(app, table) {
            Some(table) => check::record(table, data, partial),
            None => vec![Problem::new(
                "table",
                "unknown",
                format!(
                    "There is no table {table} in a module {app}. Add the module that it belongs to."
                ),
            )],
        }
    }
}

impl Manifest {
    fn tool_at(&self, index: usize) -> Option<ToolRef<'_>> {
        let tool = self.tools.get(index)?;
        Some(ToolRef {
            module: self,
            tool,
            table: self.tables.get(&tool.effect.table)?,
        })
    }
}

/// A reference into a table that isn't there.
fn lost_reference(manifest: &Manifest, tables: &BTreeSet<(String, String)>) -> Option<String> {
    let fields = manifest.tables.values().flat_map(|table| &table.fields);
    let params = manifest.tools.iter().flat_map(|tool| &tool.params);
    fields.chain(params).find_map(|(name, field)| {
        let table = field.table.as_ref()?;
        let module = field.module.as_ref().unwrap_or(&manifest.id);
        let known = tables.contains(&(module.clone(), table.clone()));
        (!known).then(|| {
            format!(
                "{name} refers to the table {table} of the module {module}, which is not here. \
                 Add it, or use text."
            )
        })
    })
}
