//! The text for a person whose device read everything anew (SYNC R11).

use mana_device::Resynced;

use crate::terminal::visible;

/// Why everything was read anew, and what became of what this device holds (R11).
pub(crate) fn text(resynced: &Resynced) -> String {
    let mut text = match resynced.restored {
        true => {
            "The server's data is not what this device knew: it was put back to an older state, or set up anew. \
             Everything was read anew."
        }
        false => {
            "This device was away for longer than the server keeps its log. Everything was read anew."
        }
    }
    .to_owned();
    text += " What waited here was sent as ever.";
    let counts = [
        (resynced.given_back, "went back to the server"),
        (
            resynced.kept.len(),
            "stay on this device alone, because the server takes nothing back any more",
        ),
        (
            resynced.dropped,
            "are gone from here too, as the server's operator wanted nothing newer back",
        ),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!(" Records that {what}: {count}.");
    }
    for key in &resynced.kept {
        let (table, id) = (visible(&key.table), visible(&key.id));
        text += &format!("\n  {table} {id}");
    }
    text
}
