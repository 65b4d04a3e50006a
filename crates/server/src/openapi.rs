//! The HTTP interface as OpenAPI: `spec/openapi.json` is this, and the web app's types come from it.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::router;

#[derive(OpenApi)]
#[openapi(info(
    title = "Mana",
    description = "Accounts, sync, runs and the app's own facts. The gateway under /v1 speaks OpenAI's \
        and Anthropic's interfaces and is described there. `cargo xtask` writes this file from the routes."
))]
struct Base;

/// Returns the document of all roles.
pub fn document() -> utoipa::openapi::OpenApi {
    let (_, mut document) = router::api(|_| true).split_for_parts();
    let mut base = Base::openapi();
    base.info.version = "1".to_owned();
    base.info.license = None;
    document.info = base.info;
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .extend(mana_core::openapi::components().schemas);
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .build(),
        ),
    );
    document
}

/// Returns the document as JSON.
pub fn text() -> String {
    document().to_pretty_json().expect("the document is JSON")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mana_core::manifest::Registry;
    use mana_core::mission::{AiRun, RunStatus};
    use mana_core::{Change, Micros};
    use serde_json::{Value, json};

    use super::*;

    const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec");

    #[test]
    fn openapi_file_is_what_the_routes_say() {
        let file = std::fs::read_to_string(format!("{SPEC}/openapi.json")).unwrap_or_default();
        let (file, routes) = (file.trim_end(), text());
        if file != routes.trim_end() {
            let line = file
                .lines()
                .zip(routes.lines())
                .take_while(|(a, b)| a == b)
                .count()
                + 1;
            panic!("spec/openapi.json is stale from line {line}; run: cargo xtask types");
        }
    }

    #[test]
    fn wire_page_lists_every_route_and_every_variable() {
        let page = std::fs::read_to_string(Path::new(SPEC).join("WIRE.md")).unwrap();
        let document = document();
        let routes = document.paths.paths.into_keys();
        let variables = crate::config::variables().map(str::to_owned);
        let missing: Vec<String> = routes
            .chain(variables)
            .filter(|name| !page.contains(name))
            .collect();
        assert!(missing.is_empty(), "add these to spec/WIRE.md: {missing:?}");
    }

    const KEPT: [&str; 8] = [
        "decidedAt",
        "displayName",
        "laterField",
        "n",
        "principalId",
        "seen",
        "stepId",
        "undo",
    ];

    /// The document as JSON, which real values are checked against.
    struct Shapes(Value);

    impl Shapes {
        fn assert(&self, name: &str, value: &Value) {
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            if let Err(why) = self.fits(&schema, value, name) {
                panic!("no {name}: {why}\n{value:#}");
            }
        }

        /// Checks a value as JSON Schema does, except that a field without a name in the schema is an error.
        fn fits(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
            if let Some(reference) = schema["$ref"].as_str() {
                let target = &self.0.pointer(&reference[1..]).expect("the component");
                return self.fits(target, value, at);
            }
            let wrong = |why: String| Err(format!("{at} {why}, is {value}"));
            for union in ["oneOf", "anyOf"] {
                if let Some(options) = schema[union].as_array() {
                    let tried = options.iter().map(|option| self.fits(option, value, at));
                    let refused: Vec<String> = tried.filter_map(Result::err).collect();
                    if refused.len() == options.len() {
                        return wrong(format!("is none of these ({})", refused.join("; ")));
                    }
                    return Ok(());
                }
            }
            assert!(schema.get("allOf").is_none(), "{at}: allOf isn't read here");
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => {
                    "integer"
                }
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            let may_be = |name: &Value| name == kind || (name == "number" && kind == "integer");
            let fits = match &schema["type"] {
                Value::Null => true,
                Value::Array(kinds) => kinds.iter().any(may_be),
                one => may_be(one),
            };
            if !fits {
                return wrong(format!("must be {}", schema["type"]));
            }
            if let Some(words) = schema["enum"].as_array()
                && !words.contains(value)
            {
                return wrong(format!("must be one of {words:?}"));
            }
            if schema["format"] == "date-time" && Micros::parse(value.as_str().unwrap()).is_err() {
                return wrong("must be a time".to_owned());
            }
            for item in value.as_array().into_iter().flatten() {
                self.fits(&schema["items"], item, &format!("{at}[]"))?;
            }
            let Some(fields) = value.as_object().filter(|_| schema.get("type").is_some()) else {
                return Ok(());
            };
            for required in schema["required"].as_array().into_iter().flatten() {
                if !fields.contains_key(required.as_str().unwrap()) {
                    return wrong(format!("must have {required}"));
                }
            }
            for (name, value) in fields {
                let at = format!("{at}.{name}");
                match (&schema["properties"][name], &schema["additionalProperties"]) {
                    // The vectors have these to show that unknown fields are kept.
                    (Value::Null, Value::Null) if KEPT.contains(&name.as_str()) => {}
                    (Value::Null, Value::Null | Value::Bool(false)) => {
                        return Err(format!("{at} isn't named"));
                    }
                    (Value::Null, more) => self.fits(more, value, &at)?,
                    (known, _) => self.fits(known, value, &at)?,
                }
            }
            Ok(())
        }
    }

    fn shapes() -> Shapes {
        Shapes(serde_json::to_value(document()).unwrap())
    }

    fn vectors(name: &str) -> Value {
        let text = std::fs::read_to_string(format!("{SPEC}/vectors/{name}.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn each(value: &Value) -> impl Iterator<Item = &Value> {
        value.as_array().into_iter().flatten()
    }

    #[test]
    fn openapi_names_every_field_of_the_modules() {
        let shapes = shapes();
        let manifests: Value = serde_json::from_str(&Registry::builtin().to_json()).unwrap();
        assert!(each(&manifests).count() > 1);
        for manifest in each(&manifests) {
            shapes.assert("Manifest", manifest);
        }
    }

    #[test]
    fn openapi_names_every_field_of_the_merge_vectors() {
        let shapes = shapes();
        for case in each(&vectors("merge")["cases"]) {
            shapes.assert("RecordState", &case["expect"]);
            for change in each(&case["changes"]) {
                let change = Change::parse(change.clone()).unwrap();
                shapes.assert("Change", &serde_json::to_value(change).unwrap());
            }
        }
    }

    #[test]
    fn openapi_names_every_field_of_the_staging_vectors() {
        let shapes = shapes();
        let vectors = vectors("staging");
        for iteration in each(&vectors["given"]["mission"]["data"]["iterations"]) {
            shapes.assert("Iteration", iteration);
        }
        let mut proposals = 0;
        for case in each(&vectors["cases"]) {
            let (input, expect) = (&case["input"], &case["expect"]);
            for proposal in each(&expect["proposals"]).chain(expect.get("proposal")) {
                shapes.assert("Proposal", proposal);
                proposals += 1;
            }
            each(&expect["closed"]).for_each(|closed| shapes.assert("ClosedProposal", closed));
            each(&expect["changes"]).for_each(|change| shapes.assert("Change", change));
            let states = each(&expect["records"]).filter_map(|record| record.get("state"));
            states.for_each(|state| shapes.assert("RecordState", state));
            if let Some(decision) = input.get("decision") {
                shapes.assert("Decision", decision);
            }
            if let Some(error) = expect.get("error") {
                shapes.assert("ProposalError", error);
            }
        }
        assert!(proposals > 5);
    }

    #[test]
    fn openapi_names_every_field_of_a_run() {
        let run = AiRun {
            mission_id: "m1".to_owned(),
            slot: "due:1".to_owned(),
            status: RunStatus::Skipped,
            code: Some("overlap".to_owned()),
            reason: Some("The run before was still going on.".to_owned()),
            details: Some(serde_json::Map::new()),
            started_at: Micros(1),
            finished_at: Micros(2),
            attempts: 1,
            tokens: Some(3),
            cost: Some(0.5),
            model: Some("m".to_owned()),
            extra: serde_json::Map::new(),
        };
        shapes().assert("AiRun", &serde_json::to_value(run).unwrap());
    }
}
