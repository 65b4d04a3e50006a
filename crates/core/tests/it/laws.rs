//! The laws that make replicas converge, over random changes (M1).

use mana_core::{Change, RecordState, TableSchema, apply, merge::join};
use proptest::prelude::*;

use crate::generate::{changes, schema};

fn fold<'a>(schema: &TableSchema, changes: impl IntoIterator<Item = &'a Change>) -> RecordState {
    let mut state = RecordState::default();
    for change in changes {
        apply(schema, &mut state, change);
    }
    state
}

fn bytes(state: &RecordState) -> String {
    serde_json::to_string(state).expect("a state is JSON")
}

/// Returns a state as a browser reads it back after storing it.
fn stored(state: &RecordState) -> RecordState {
    serde_json::from_str(&bytes(state)).expect("a state reads back")
}

fn shuffled() -> impl Strategy<Value = (Vec<Change>, Vec<Change>)> {
    changes(6).prop_flat_map(|list| {
        let mut doubled = list.clone();
        doubled.extend(list.clone());
        (Just(list), Just(doubled).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sync_m1_any_order_and_any_number_of_times_gives_the_same_bytes(
        (once, many) in shuffled()
    ) {
        let schema = schema();
        prop_assert_eq!(bytes(&fold(&schema, &once)), bytes(&fold(&schema, &many)));
    }

    #[test]
    fn sync_m1_states_join_commutatively_associatively_and_idempotently(
        (a, b, c) in (changes(4), changes(4), changes(4))
    ) {
        let schema = schema();
        let joined = |a: &RecordState, b: &RecordState| {
            let mut state = stored(a);
            join(&schema, &mut state, &stored(b));
            state
        };
        let all = bytes(&fold(&schema, a.iter().chain(&b).chain(&c)));
        let (a, b, c) = (fold(&schema, &a), fold(&schema, &b), fold(&schema, &c));
        prop_assert_eq!(&bytes(&joined(&joined(&a, &b), &c)), &all);
        prop_assert_eq!(&bytes(&joined(&a, &joined(&b, &c))), &all);
        prop_assert_eq!(&bytes(&joined(&c, &joined(&b, &a))), &all);
        prop_assert_eq!(bytes(&joined(&a, &a)), bytes(&a));
    }

    #[test]
    fn sync_m2_apply_says_truly_whether_the_record_changed(list in changes(6)) {
        let schema = schema();
        let mut state = RecordState::default();
        for change in list.iter().chain(&list) {
            let before = bytes(&state);
            let changed = apply(&schema, &mut state, change);
            prop_assert_eq!(changed, before != bytes(&state));
        }
    }

    #[test]
    fn sync_l6_a_list_stays_in_order_and_within_its_bound(list in changes(6)) {
        let schema = schema();
        let state = fold(&schema, &list);
        for (field, most) in [("runs", 3), ("items", usize::MAX)] {
            let Some(elements) = state.data.get(field) else { continue };
            let elements = elements.as_array().expect("a merged keyed list is an array");
            let mut ids: Vec<&str> = Vec::new();
            for element in elements {
                ids.push(element["id"].as_str().expect("every element has an id"));
            }
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), count);
            prop_assert!(count <= most);
        }
    }
}
