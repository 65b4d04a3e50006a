//! Time zones by the browser's tables.

use mana_core::{
    Micros, Problem,
    zone::{Zone, unknown_zone},
};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(inline_js = r#"
const formats = new Map();
export function offsetSeconds(zone, ms) {
  let format = formats.get(zone);
  if (!format) {
    // Newer engines take "+01:00" for a zone; the server doesn't.
    if (!/^[A-Za-z]/.test(zone)) return NaN;
    const part = 'numeric';
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23',
        year: part, month: part, day: part, hour: part, minute: part, second: part
      });
    } catch {
      return NaN;
    }
    formats.set(zone, format);
  }
  const at = {};
  for (const { type, value } of format.formatToParts(ms)) at[type] = Number(value);
  const wall = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second);
  return wall / 1000 - Math.floor(ms / 1000);
}
"#)]
extern "C" {
    /// Seconds by which a zone's wall clock is ahead of UTC; NaN where there is no such zone.
    #[wasm_bindgen(js_name = "offsetSeconds")]
    fn offset_seconds(zone: &str, ms: f64) -> f64;
}

/// A time zone as the browser knows it.
pub(crate) struct BrowserZone(String);

impl BrowserZone {
    /// A zone by its name.
    pub(crate) fn named(name: &str) -> Result<Self, Problem> {
        if is_zone(name) {
            Ok(BrowserZone(name.to_owned()))
        } else {
            Err(unknown_zone(name))
        }
    }
}

impl Zone for BrowserZone {
    fn offset(&self, at: Micros) -> i64 {
        (offset_seconds(&self.0, at.millis() as f64) * 1e6) as i64
    }
}

/// Whether the browser knows a zone of this name.
pub(crate) fn is_zone(name: &str) -> bool {
    !offset_seconds(name, 0.0).is_nan()
}
