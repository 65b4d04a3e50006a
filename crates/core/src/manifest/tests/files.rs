//! Files: what is refused, where, and with which advice.

use super::*;

/// The example with one text replaced by another.
fn with(from: &str, to: &str) -> String {
    assert!(example().contains(from), "the example has {from}");
    example().replacen(from, to, 1)
}

fn refusal(text: &str) -> (usize, String) {
    let error = Manifest::parse(text).expect_err("a manifest to refuse");
    (error.0[0].line, error.to_string())
}

#[test]
fn modules_f2_each_mistake_is_named_with_its_line_and_what_to_do() {
    let cases = [
        (r#""id": "books""#, r#""id": "Books""#, "small letters"),
        (r#""id": "books""#, r#""id": "my books""#, "small letters"),
        (r#""version": 1"#, r#""version": 0"#, "counts from 1"),
        (
            r#""order": 70"#,
            r#""ordre": 70"#,
            "unknown field `ordre`, expected",
        ),
        (
            r#""order": 70"#,
            r#""route": "/books/all""#,
            "like \"/books\"",
        ),
        (r#""en": "Books", "#, "", "English is missing"),
        (
            r#""en": "No books yet""#,
            r#""en": " ""#,
            "English is missing",
        ),
        (
            r#""type": "tags", "label""#,
            r#""type": "strings", "label""#,
            "unknown variant `strings`",
        ),
        (
            r#", "label": { "en": "Author", "de": "Autor" }"#,
            "",
            "has no label",
        ),
        (
            r#""author": { "type": "text", "label""#,
            r#""author": { "type": "enum", "label""#,
            "has \"values\"",
        ),
        (
            r#""author": { "type": "text", "label""#,
            r#""author": { "type": "ref", "label""#,
            "\"table\"",
        ),
        (
            r#""author": { "type": "text", "label""#,
            r#""id": { "type": "text", "label""#,
            "Mana's own",
        ),
        (
            r#""list": { "title": "title""#,
            r#""list": { "title": "titel""#,
            "no field titel. The table has title, author",
        ),
        (
            r#""done": "finished" }"#,
            r#""done": "author" }"#,
            "type boolean",
        ),
        (
            r#""sort": [{ "field": "title" }]"#,
            r#""sort": [{ "field": "year" }]"#,
            "no field year",
        ),
        (
            r#""prompt": { "where": { "finished""#,
            r#""prompt": { "where": { "read""#,
            "no field read",
        ),
        (r#"{ "ne": true }"#, r#"{ "nope": true }"#, "eq, ne, lt"),
        (
            r#"{ "ne": true }"#,
            r#"{ "ne": "$who" }"#,
            "$who has no meaning here",
        ),
        (
            r#""name": "create_book""#,
            r#""name": "create book""#,
            "underscores",
        ),
        (
            r#""name": "finish_book""#,
            r#""name": "create_book""#,
            "two tools create_book",
        ),
        (
            r#""policy": "propose""#,
            r#""policy": "ask""#,
            "unknown variant `ask`",
        ),
        (
            r#", "description": "Who wrote it.""#,
            "",
            "author has no description",
        ),
        (
            r#""table": "books", "set": { "title": "$title""#,
            r#""table": "book", "set": { "title": "$title""#,
            "no table book. This module has books",
        ),
        (
            r#""set": { "title": "$title", "author""#,
            r#""set": { "title": "$title", "writer""#,
            "no field writer",
        ),
        (
            r#""author": "$author""#,
            r#""author": "$writer""#,
            "$writer is no parameter of create_book",
        ),
        (r#""author": "$author", "#, "", "doesn't use $author"),
        (
            r#""author": "$author", "#,
            r#""author": "$subjects", "#,
            "not the type of the field author",
        ),
        (
            r#""set": { "title": "$title", "author""#,
            r#""set": { "author""#,
            "field title is required",
        ),
        (
            r#""title": { "type": "text", "required": true, "max": 300, "description""#,
            r#""title": { "type": "text", "description""#,
            "field title is required",
        ),
        (r#""id": "$bookId", "#, "", "which record"),
        (
            r#""id": "$bookId""#,
            r#""id": "$remark""#,
            "required parameter of type ref to books",
        ),
        (
            r#""finishedAt": "$now""#,
            r#""author": "$now""#,
            "type datetime",
        ),
        (
            r#"{ "$append": "$remark" }"#,
            r#"{ "$apend": "$remark" }"#,
            "$append",
        ),
        (r#"{ "$append": "$remark" }"#, r#""$today""#, "for queries"),
        (
            r#""policy": "auto""#,
            r#""policy": "propose""#,
            "nothing to propose",
        ),
        (r#""op": "query""#, r#""op": "delete""#, "which record"),
        (
            r#"{ "contains": "$text" }"#,
            r#"{ "contains": "$query" }"#,
            "$query is no parameter of find_books",
        ),
        (
            r#""op": "insert", "table""#,
            r#""op": "insert", "limit": 3, "table""#,
            "only a query",
        ),
        (r#""tools": ["#, r#""tools": [,"#, "expected value"),
    ];
    for (from, to, advice) in cases {
        let text = with(from, to);
        let (line, said) = refusal(&text);
        assert!(said.contains(advice), "{to}: {said}");
        let place = example().find(from).expect("the change");
        let changed = text[..place].matches('\n').count() + 1;
        // What is missing is named at the thing that misses it, a few lines away at most.
        assert!(
            line.abs_diff(changed) <= 8,
            "{to}: line {line}, not {changed}"
        );
        assert!(said.starts_with(&format!("line {line}, column ")), "{said}");
    }
}

#[test]
fn modules_f2_all_mistakes_are_reported_at_once() {
    let text = with(r#""version": 1"#, r#""version": 0"#)
        .replace(r#""title": "title""#, r#""title": "x""#);
    let error = Manifest::parse(&text).unwrap_err();
    assert_eq!(error.0.len(), 2, "{error}");
}

#[test]
fn modules_f3_a_language_that_is_missing_is_english() {
    let manifest =
        Manifest::parse(&with(r#", "de": "Bücher""#, "")).expect("German can be missing");
    assert_eq!(manifest.name.get("de"), "Books");
    assert_eq!(
        manifest.description.get("de-AT"),
        "Was du liest und lesen willst."
    );
    assert_eq!(
        manifest.description.get("fr"),
        "What you read and want to read."
    );
}

#[test]
fn modules_f4_a_module_without_a_route_has_its_id_as_its_page() {
    let manifest = Manifest::parse(example()).expect("the example");
    assert_eq!(manifest.route.as_deref(), Some("/books"));
}

#[test]
fn modules_f5_the_later_file_yields_and_is_named_with_the_reason() {
    let todo = include_str!("../../../../../modules/todo.json");
    let renamed =
        |from: &str, to: &str| with(r#""id": "books""#, r#""id": "other""#).replace(from, to);
    let files = [
        ("a-todo.json", todo.to_owned()),
        ("books.json", example().to_owned()),
        ("books-again.json", example().to_owned()),
        ("broken.json", "{\n  nonsense".to_owned()),
        ("tools.json", renamed("no such text", "")),
        (
            "route.json",
            with(r#""id": "books""#, r#""id": "diary", "route": "/notes""#),
        ),
        ("taken.json", with(r#""id": "books""#, r#""id": "sync""#)),
        (
            "lost.json",
            with(r#""id": "books""#, r#""id": "lost""#).replace(
                r#""table": "books", "required""#,
                r#""module": "films", "table": "books", "required""#,
            ),
        ),
    ];
    let builtin = Registry::builtin().manifests().len();
    let (registry, rejected) = Registry::builtin().with(files);
    assert!(registry.manifest("books").is_some());
    assert_eq!(registry.manifests().len(), builtin + 1, "books alone came");
    assert_eq!(
        registry.manifest("todo").unwrap().tools.len(),
        8,
        "Mana's own stays"
    );
    let reason = |file: &str| {
        let found = rejected.iter().find(|rejected| rejected.file == file);
        found.map_or_else(
            || panic!("{file} is rejected: {rejected:?}"),
            |found| found.reason.as_str(),
        )
    };
    assert!(reason("a-todo.json").contains("a module \"todo\" already"));
    assert!(reason("books-again.json").contains("a module \"books\" already"));
    assert!(
        reason("broken.json").starts_with("line 2, column 3"),
        "{}",
        reason("broken.json")
    );
    assert!(reason("tools.json").contains("has a tool create_book already"));
    assert!(reason("route.json").contains("belongs to the module notes"));
    assert!(reason("taken.json").contains("Mana's own pages"));
    assert!(
        reason("lost.json").contains("type ref to books"),
        "{}",
        reason("lost.json")
    );
    assert_eq!(rejected.len(), 7);
}

#[test]
fn modules_f5_a_reserved_path_is_no_modules_route() {
    use crate::paths::{FILE_PATHS, PAGE_PATHS, PROGRAM_PATHS};
    for path in PROGRAM_PATHS.iter().chain(&PAGE_PATHS).chain(&FILE_PATHS) {
        let route = format!(r#""id": "diary", "route": "/{path}""#);
        let text = with(r#""id": "books""#, &route);
        let (_, rejected) = Registry::builtin().with([("diary.json", &text)]);
        assert_eq!(rejected.len(), 1, "{path}");
    }
}

#[test]
fn modules_d1_a_reference_into_a_module_that_is_not_there_is_refused() {
    let from = r#""author": { "type": "text", "max": 300, "description""#;
    let field =
        r#""author": { "type": "text", "label": { "en": "Author", "de": "Autor" }, "max": 300 }"#;
    let author = r#""author": { "type": "ref", "module": "people", "table": "people", "label": { "en": "Author" } }"#;
    let text = with(field, author).replace(
        from,
        r#""author": { "type": "ref", "module": "people", "table": "people", "description""#,
    );
    let (registry, rejected) = Registry::builtin().with([("books.json", &text)]);
    assert!(registry.manifest("books").is_none());
    assert!(
        rejected[0]
            .reason
            .contains("table people of the module people"),
        "{rejected:?}"
    );
    // The order of the files doesn't matter.
    let builtin = Registry::builtin().manifests().len();
    let people = r#"{ "id": "people", "version": 1, "name": {"en": "People"}, "description": {"en": "Who you know."},
        "tables": { "people": { "name": {"en": "Person"}, "plural": {"en": "People"},
        "fields": { "name": { "type": "text", "label": {"en": "Name"} } }, "list": { "title": "name" } } } }"#;
    let (registry, rejected) =
        Registry::builtin().with([("books.json", text.as_str()), ("people.json", people)]);
    assert_eq!(
        (registry.manifests().len(), rejected),
        (builtin + 2, vec![])
    );
}

#[test]
fn modules_f5_every_file_of_the_repository_is_a_built_in_module() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of modules")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    files.sort();
    let registry = Registry::builtin();
    let mut ids: Vec<String> = (registry.manifests().iter())
        .map(|manifest| manifest.id.clone())
        .collect();
    ids.sort();
    assert_eq!(ids, files);
}

#[test]
fn modules_d9_a_schedule_names_fields_of_its_kinds_and_what_repeats_can_be_ticked() {
    let todo = include_str!("../../../../../modules/todo.json");
    for (from, to, advice) in [
        (r#""day": "dueDate""#, r#""day": "title""#, "of type date"),
        (
            r#""time": "dueTime""#,
            r#""time": "dueDate""#,
            "of type time",
        ),
        (
            r#""minutes": "estimateMinutes""#,
            r#""minutes": "none""#,
            "of type integer",
        ),
        (
            r#""recurrence": "recurrence" }"#,
            r#""recurrence": "notes" }"#,
            "of type recurrence",
        ),
        (
            r#"],
        "done": "done""#,
            "]",
            "can be ticked",
        ),
        (r#"{ "day": "dueDate","#, "{", "missing field `day`"),
    ] {
        assert!(todo.contains(from), "{from}");
        let (_, message) = refusal(&todo.replacen(from, to, 1));
        assert!(message.contains(advice), "{message}");
    }
}
