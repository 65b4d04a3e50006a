//! Keyed lists: element by element, each by its own stamps (L1…).

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value;

use super::{
    canonical::{by_canonical, canonical, normalize},
    overall::overall_status,
    schema::ListSpec,
};
use crate::{Gather, Map, time::Micros};

/// The fields that a decision consists of; they are taken over together.
const DECISION: [&str; 6] = [
    "status",
    "decidedAt",
    "decidedBy",
    "feedback",
    "editedParams",
    "replaced",
];

/// Whether a field of an element is a part of its decision (L5).
pub fn is_decision(field: &str) -> bool {
    DECISION.contains(&field)
}

/// Up to how many elements a write is merged one by one.
const FEW: usize = 3;

/// Which of an element's independent parts a field belongs to.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Part {
    Nested,
    Decision,
    Derived,
    Rest,
}

impl ListSpec {
    /// Whether a field of an element is a part of its decision.
    pub fn is_decision(&self, field: &str) -> bool {
        part(self, field) == Part::Decision
    }
}

fn part(spec: &ListSpec, field: &str) -> Part {
    if spec.lists.contains_key(field) {
        Part::Nested
    } else if spec.decision && is_decision(field) {
        Part::Decision
    } else if spec.overall && field == "overallStatus" {
        Part::Derived
    } else {
        Part::Rest
    }
}

/// Merges the elements of `incoming` into `list`; true where that changed it.
///
/// A value that is no array has no elements (L2), and a value that is no object with an `id` is no element (L3).
pub(super) fn merge(spec: &ListSpec, list: &mut Value, incoming: &Value) -> bool {
    let mut changed = !list.is_array();
    let mut elements = match list.take() {
        Value::Array(elements) => elements,
        _ => Vec::new(),
    };
    let mut arriving: BTreeMap<String, Map> = BTreeMap::new();
    for element in incoming.as_array().into_iter().flatten() {
        if let Some((id, element)) = normal_element(spec, element) {
            match arriving.get_mut(&id) {
                Some(twin) => {
                    merge_element(spec, twin, element);
                }
                None => {
                    arriving.insert(id, element);
                }
            }
        }
    }
    let mut moved = false;
    // Few elements look for their twin, many are looked for by each that is there.
    if arriving.len() <= FEW {
        arriving.retain(|id, element| {
            let Some(at) = position(spec, &elements, id, element) else {
                return true;
            };
            if let Value::Object(twin) = &mut elements[at] {
                let before = order_of(spec, twin);
                changed |= merge_element(spec, twin, std::mem::take(element));
                moved |= order_of(spec, twin) != before;
            }
            false
        });
    } else {
        for twin in &mut elements {
            let arrived = twin.get("id").and_then(Value::as_str);
            let arrived = arrived.and_then(|id| arriving.remove(id));
            if let (Some(element), Value::Object(twin)) = (arrived, twin) {
                moved |= merge_element(spec, twin, element);
            }
        }
        changed |= moved;
    }
    // In the order of a map, so it can be searched.
    let added: Vec<String> = arriving.keys().cloned().collect();
    let new = arriving.into_values().map(Value::Object);
    if moved || added.len() > FEW {
        elements.extend(new);
        elements.sort_by(|a, b| place(spec, a).cmp(&place(spec, b)));
    } else {
        for element in new {
            let at = elements.partition_point(|other| place(spec, other) < place(spec, &element));
            elements.insert(at, element);
        }
    }
    let surplus = elements
        .len()
        .saturating_sub(spec.keep.unwrap_or(usize::MAX));
    let dropped = elements
        .drain(..surplus)
        .filter(|e| {
            added
                .binary_search_by(|id| id.as_str().cmp(id_of(e)))
                .is_ok()
        })
        .count();
    changed |= dropped < added.len();
    *list = Value::Array(elements);
    changed
}

/// Where the element of this id is: most often where the arriving version would be.
fn position(spec: &ListSpec, elements: &[Value], id: &str, arriving: &Map) -> Option<usize> {
    let here = (order_of(spec, arriving), id);
    let found = elements.binary_search_by(|element| place(spec, element).cmp(&here));
    found
        .ok()
        .or_else(|| elements.iter().position(|element| id_of(element) == id))
}

fn place<'e>(spec: &ListSpec, element: &'e Value) -> (Order, &'e str) {
    (order(spec, element), id_of(element))
}

fn id_of(element: &Value) -> &str {
    element
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// An element as the merged list holds it: numbers in their one form, nested lists merged from
/// nothing, the derived status computed.
fn normal_element(spec: &ListSpec, element: &Value) -> Option<(String, Map)> {
    let id = element.get("id")?.as_str()?.to_owned();
    let mut normal = Map::new();
    for (field, value) in element.as_object()? {
        if matches!(part(spec, field), Part::Decision | Part::Rest) {
            normal.insert(field.clone(), normalize(value));
        }
    }
    for (name, nested) in &spec.lists {
        let mut list = Value::Array(Vec::new());
        merge(nested, &mut list, element.get(name).unwrap_or(&Value::Null));
        normal.insert(name.clone(), list);
    }
    derive(spec, &mut normal);
    Some((id, normal))
}

/// Merges two versions of an element, both in normal form; true where that changed the first.
fn merge_element(spec: &ListSpec, element: &mut Map, arriving: Map) -> bool {
    if spec.keep.is_some() {
        match order_of(spec, &arriving).cmp(&order_of(spec, element)) {
            Ordering::Less => return false,
            Ordering::Equal => {}
            Ordering::Greater => {
                *element = arriving;
                return true;
            }
        }
    }
    let mut changed = false;
    for (name, nested) in &spec.lists {
        if let (Some(list), Some(from)) = (element.get_mut(name), arriving.get(name)) {
            changed |= merge(nested, list, from);
        }
    }
    if spec.decision {
        let order = decision(&arriving).cmp(&decision(element));
        changed |= take_part(spec, Part::Decision, order, element, &arriving);
    }
    let order = stamp(&arriving, "updatedAt").cmp(&stamp(element, "updatedAt"));
    changed |= take_part(spec, Part::Rest, order, element, &arriving);
    if changed {
        derive(spec, element);
    }
    changed
}

/// Takes a part over from the arriving version where that is the greater, by `order` and then by
/// the part's canonical JSON.
fn take_part(
    spec: &ListSpec,
    which: Part,
    order: Ordering,
    element: &mut Map,
    arriving: &Map,
) -> bool {
    let of = |map: &Map| -> Map {
        let fields = map.iter().filter(|(field, _)| part(spec, field) == which);
        fields
            .map(|(field, value)| (field.clone(), value.clone()))
            .gather()
    };
    if order.is_lt() {
        return false;
    }
    let arriving = of(arriving);
    if order.is_eq() {
        let (arriving, current) = (arriving.clone().into(), of(element).into());
        if by_canonical(&arriving, &current).is_le() {
            return false;
        }
    }
    element.retain(|field, _| part(spec, field) != which);
    element.extend(arriving);
    true
}

fn derive(spec: &ListSpec, element: &mut Map) {
    if spec.overall {
        let status = overall_status(spec, element);
        element.insert("overallStatus".to_owned(), Value::from(status));
    }
}

/// A time in an element; what is missing or no time comes before every time.
fn stamp(element: &Map, field: &str) -> Option<Micros> {
    Micros::parse(element.get(field)?.as_str()?).ok()
}

/// How far a decision has come (L5): whether there is one, then by rank, then by time.
fn decision(element: &Map) -> (bool, u8, Option<Micros>) {
    let any = DECISION.iter().any(|field| element.contains_key(*field));
    (
        any,
        rank(element.get("status").and_then(Value::as_str)),
        stamp(element, "decidedAt"),
    )
}

/// The rank by which a step's status merges; an unknown one counts as planned.
pub fn rank(status: Option<&str>) -> u8 {
    match status {
        Some("staged") => 1,
        Some("failed") => 2,
        Some("expired" | "skipped") => 3,
        Some("rejected") => 4,
        Some("approved") => 5,
        Some("undone") => 6,
        _ => 0,
    }
}

/// An element's place in its list: numbers by size, then times, then anything else by canonical JSON.
enum Order {
    Absent,
    Number(f64),
    Time(Micros),
    Other(String),
}

impl Ord for Order {
    fn cmp(&self, other: &Order) -> Ordering {
        let kind = |order: &Order| match order {
            Order::Absent => 0,
            Order::Number(_) => 1,
            Order::Time(_) => 2,
            Order::Other(_) => 3,
        };
        match (self, other) {
            (Order::Number(a), Order::Number(b)) => a.total_cmp(b),
            (Order::Time(a), Order::Time(b)) => a.cmp(b),
            (Order::Other(a), Order::Other(b)) => a.cmp(b),
            _ => kind(self).cmp(&kind(other)),
        }
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Order) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Order) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Order {}

fn order(spec: &ListSpec, element: &Value) -> Order {
    element
        .as_object()
        .map_or(Order::Absent, |element| order_of(spec, element))
}

fn order_of(spec: &ListSpec, element: &Map) -> Order {
    match spec.order_by.as_ref().and_then(|field| element.get(field)) {
        None | Some(Value::Null) => Order::Absent,
        Some(Value::Number(number)) => Order::Number(number.as_f64().unwrap_or_default()),
        Some(value) => match value.as_str().and_then(|text| Micros::parse(text).ok()) {
            Some(time) => Order::Time(time),
            None => Order::Other(canonical(value)),
        },
    }
}
