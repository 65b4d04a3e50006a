//! The core's wire types as components of an OpenAPI document: the one source of TypeScript's.
//!
//! Behind the feature `openapi`, which the server has and the browser doesn't.

use utoipa::OpenApi;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Object, SchemaType, Type};
use utoipa::openapi::{Components, RefOr, Schema};

use crate::{
    AdjustedStamp, Change, Problem, RecordKey, RecordState, manifest, mission,
    staging::{ClosedProposal, Decision, Proposal, ProposalCard, UnfitField},
    undo::{UndoExtent, UndoPreview},
};

#[derive(OpenApi)]
#[openapi(components(schemas(
    AdjustedStamp,
    Change,
    ClosedProposal,
    Decision,
    UndoExtent,
    manifest::Manifest,
    mission::AiRun,
    mission::Iteration,
    mission::Lesson,
    mission::EffectiveAgent,
    mission::schema::AgentData,
    mission::schema::SettingsData,
    mission::schema::MissionData,
    Problem,
    UndoPreview,
    Proposal,
    ProposalCard,
    RecordKey,
    RecordState,
    UnfitField,
)))]
struct Wire;

/// Every wire type, with what it is made of.
pub fn components() -> Components {
    let mut components = Wire::openapi().components.unwrap_or_default();
    for (name, schema) in &mut components.schemas {
        // These records say null for nothing; everything else leaves out what there is not.
        let records = ["MissionData", "AgentData", "SettingsData"];
        let absent = if records.contains(&name.as_str()) {
            Absent::Null
        } else {
            Absent::LeftOut
        };
        tidy(schema, absent);
    }
    components
}

/// How a type says that an optional field has no value.
#[derive(Clone, Copy, PartialEq)]
enum Absent {
    LeftOut,
    Null,
}

/// Corrects what the derive can't know.
fn tidy(schema: &mut RefOr<Schema>, absent: Absent) {
    let RefOr::T(schema) = schema else {
        return;
    };
    match schema {
        Schema::Object(object) => tidy_object(object, absent),
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                tidy(items, absent);
            }
        }
        Schema::OneOf(one) => one.items.iter_mut().for_each(|item| tidy(item, absent)),
        Schema::AllOf(all) => all.items.iter_mut().for_each(|item| tidy(item, absent)),
        Schema::AnyOf(any) => any.items.iter_mut().for_each(|item| tidy(item, absent)),
        _ => {}
    }
}

fn tidy_object(object: &mut Object, absent: Absent) {
    for (name, property) in &mut object.properties {
        tidy(property, absent);
        if absent == Absent::LeftOut && !object.required.contains(name) {
            never_null(property);
        }
        // What serde fills in where a field is missing describes no value that is sent.
        match property {
            RefOr::Ref(reference) => reference.default = None,
            RefOr::T(Schema::Object(object)) => object.default = None,
            RefOr::T(Schema::Array(array)) => array.default = None,
            RefOr::T(_) => {}
        }
    }
    let may_have_any = |more: &AdditionalProperties<Schema>| match more {
        AdditionalProperties::RefOr(RefOr::T(Schema::Object(any))) => {
            any.schema_type == SchemaType::AnyValue
        }
        _ => false,
    };
    // A field that isn't named is allowed anyway. Said aloud, TypeScript would let every misspelt name pass.
    if !object.properties.is_empty()
        && object
            .additional_properties
            .as_deref()
            .is_some_and(may_have_any)
    {
        object.additional_properties = None;
        object.property_names = None;
    }
}

fn never_null(property: &mut RefOr<Schema>) {
    let RefOr::T(schema) = property else {
        return;
    };
    match schema {
        Schema::Object(object) => without_null(&mut object.schema_type),
        Schema::Array(array) => without_null(&mut array.schema_type),
        Schema::OneOf(one) => {
            let null = SchemaType::Type(Type::Null);
            one.items.retain(
                |item| !matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == null),
            );
            if let [RefOr::Ref(only)] = one.items.as_mut_slice() {
                if let Some(description) = one.description.take() {
                    only.description = description;
                }
                *property = one.items.remove(0);
            }
        }
        _ => {}
    }
}

fn without_null(schema_type: &mut SchemaType) {
    if let SchemaType::Array(types) = schema_type {
        types.retain(|one| *one != Type::Null);
        if let [one] = types.as_slice() {
            *schema_type = SchemaType::Type(one.clone());
        }
    }
}
