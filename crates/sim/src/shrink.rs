//! From a history that fails to a short one that fails in the same way.

use crate::{action::Action, face::Face, failure::Kind, run::run};

/// Leaves out whatever is not needed for the failure: halves, quarters, and so on down to single actions.
pub fn shrink(mut actions: Vec<Action>, kind: Kind, face: Face) -> Vec<Action> {
    let fails = |actions: &[Action]| {
        run(actions, face)
            .0
            .is_err_and(|failure| failure.kind == kind)
    };
    let mut size = actions.len().div_ceil(2);
    loop {
        let mut start = 0;
        let mut shorter = false;
        while start < actions.len() {
            let end = (start + size).min(actions.len());
            let rest = [&actions[..start], &actions[end..]].concat();
            if fails(&rest) {
                actions = rest;
                shorter = true;
            } else {
                start = end;
            }
        }
        match (size, shorter) {
            (1, false) => return actions,
            (1, true) => {}
            _ => size = size.div_ceil(2),
        }
    }
}
