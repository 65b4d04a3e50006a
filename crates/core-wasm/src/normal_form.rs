//! Unicode's normal forms by the browser's tables.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
export const nfkc = (text) => text.normalize('NFKC');
export const nfkd = (text) => text.normalize('NFKD');
"#)]
extern "C" {
    /// Unicode's form NFKC of a text.
    pub(crate) fn nfkc(text: &str) -> String;

    /// Unicode's form NFKD of a text.
    pub(crate) fn nfkd(text: &str) -> String;
}
