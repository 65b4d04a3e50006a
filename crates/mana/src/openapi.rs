//! The HTTP interface as OpenAPI: `spec/openapi.json` is this, and the web app's types come from it.

use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::app;

#[derive(OpenApi)]
#[openapi(info(
    title = "Mana",
    description = "Accounts, sync, runs and the app's own facts. The gateway under /v1 speaks OpenAI's interface and is described there. `cargo xtask` writes this file from the routes."
))]
struct Base;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    let (_, mut document) = app::api(|_| true).split_for_parts();
    let mut base = Base::openapi();
    base.info.version = "1".to_owned();
    base.info.license = None;
    document.info = base.info;
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(
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

/// The document as text.
pub fn text() -> String {
    document().to_pretty_json().expect("the document is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openapi_file_is_what_the_routes_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/openapi.json");
        let file = std::fs::read_to_string(path).unwrap_or_default();
        let (file, routes) = (file.trim_end(), text());
        if file != routes.trim_end() {
            let line = file
                .lines()
                .zip(routes.lines())
                .take_while(|(a, b)| a == b)
                .count()
                + 1;
            panic!(
                "spec/openapi.json is stale from line {line}; run: cargo run -p mana -- openapi > spec/openapi.json"
            );
        }
    }
}
