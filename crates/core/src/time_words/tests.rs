//! The phrases of `spec/vectors`, and what holds for any text.

use std::fmt::Write as _;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::language::Language;
use crate::time::Micros;
use crate::zone::time_zone;

const ENGLISH: &str = include_str!("../../../../spec/vectors/time-words.en.txt");
const GERMAN: &str = include_str!("../../../../spec/vectors/time-words.de.txt");

fn berlin() -> TimeZone {
    time_zone("Europe/Berlin").expect("a zone")
}

/// Wednesday, 2 December 2026, 10:00 in Berlin.
fn context(language: Language, zone: &TimeZone) -> TimeContext<'_> {
    TimeContext {
        language,
        now: Micros::parse("2026-12-02T09:00:00Z").expect("a time"),
        zone,
        week_start: Weekday::Monday,
    }
}

/// A reading as a line of the vectors has it.
fn line(when: &When) -> String {
    let mut line = String::new();
    match when.relation {
        Relation::At => {}
        Relation::Until => line.push_str("by "),
        Relation::Since => line.push_str("since "),
    }
    let _ = write!(line, "{}", when.start);
    if let Some(end) = when.end {
        let _ = write!(line, "/{end}");
    }
    if let Some(recurrence) = &when.recurrence {
        let _ = write!(line, " {}", recurrence["rule"].as_str().expect("a rule"));
        if recurrence["from"] == "completion" {
            line.push_str(" completion");
        }
    }
    if let Some(change) = when.clock_change {
        let _ = write!(line, " {}", format!("{change:?}").to_lowercase());
    }
    line
}

fn phrases_mean_what_the_vectors_say(language: Language, vectors: &str) {
    let zone = berlin();
    let context = context(language, &zone);
    let (mut understood, mut text_alone, mut wrong) = (0, 0, Vec::new());
    for case in vectors
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
    {
        let parts: Vec<&str> = case.split('|').map(str::trim).collect();
        let reading = read(parts[0], &context, &[]);
        let found = (reading.title.as_str(), reading.when.as_ref().map(line));
        let expected = match parts.as_slice() {
            [text, title, when] => {
                understood += 1;
                assert_ne!(text, title);
                (*title, Some((*when).to_owned()))
            }
            [text] => {
                text_alone += 1;
                (*text, None)
            }
            _ => panic!("{case} has another number of bars"),
        };
        if found != expected {
            wrong.push(format!("{case}\n    but {found:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {understood}+{text_alone}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        understood >= 200 && text_alone >= 60,
        "some phrases are gone"
    );
}

#[test]
fn recurrence_w1_english_phrases_mean_what_the_vectors_say() {
    phrases_mean_what_the_vectors_say(Language::English, ENGLISH);
}

#[test]
fn recurrence_w1_german_phrases_mean_what_the_vectors_say() {
    phrases_mean_what_the_vectors_say(Language::German, GERMAN);
}

#[test]
fn recurrence_w2_a_part_that_a_person_keeps_stays_text() {
    let zone = berlin();
    let context = context(Language::English, &zone);
    let text = "Call Zoë tomorrow at 3pm";
    let reading = read(text, &context, &[]);
    let words: Vec<_> = reading
        .parts
        .iter()
        .map(|part| (part.kind, &text[part.start..part.end]))
        .collect();
    assert_eq!(
        words,
        [(PartKind::Date, "tomorrow"), (PartKind::Time, "at 3pm")]
    );
    // "ë" is two bytes and one place of UTF-16.
    assert_eq!(
        (reading.parts[0].start, reading.parts[0].utf16_start),
        (10, 9)
    );

    let date = reading.parts[0].start..reading.parts[0].end;
    let kept = read(text, &context, &[date]);
    assert_eq!(kept.title, "Call Zoë tomorrow");
    assert_eq!(
        kept.when.as_ref().map(line).as_deref(),
        Some("2026-12-02T15:00")
    );
}

#[test]
fn recurrence_w5_the_first_day_of_the_week_moves_the_next_week() {
    let zone = berlin();
    let mut context = context(Language::English, &zone);
    // Saturday.
    context.now = Micros::parse("2026-12-05T09:00:00Z").expect("a time");
    let next_sunday = |context: &TimeContext<'_>| {
        read("Swim next Sunday", context, &[])
            .when
            .map(|when| line(&when))
    };
    assert_eq!(next_sunday(&context).as_deref(), Some("2026-12-13"));
    context.week_start = Weekday::Sunday;
    assert_eq!(next_sunday(&context).as_deref(), Some("2026-12-06"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any words in any order: nothing fails, and what is not in a part is in the title.
    #[test]
    fn recurrence_w3_each_word_is_used_or_in_the_title(
        words in prop::collection::vec(
            prop_oneof![
                "[a-zäöü]{1,6}", "[0-9]{1,4}[.:]?", Just("every".into()), Just("jeden".into()), Just("monday".into()),
                Just("Montag".into()), Just("bis".into()), Just("until".into()), Just("3pm".into()), Just("Uhr".into()),
                Just("last".into()), Just("5.".into()), Just("im".into()), Just("-".into()), Just("of".into()),
                Just("the".into()), Just("month".into()), Just("Juni".into()), Just("in".into()), Just("\"".into()),
                Just("days".into()), Just("for".into()), Just("mal".into()), Just("halb".into()), Just("am".into()),
            ],
            0..12,
        ),
        german in any::<bool>(),
    ) {
        let text = words.join(" ");
        let zone = berlin();
        let language = if german { Language::German } else { Language::English };
        let reading = read(&text, &context(language, &zone), &[]);
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        let used: usize = reading.parts.iter().map(|part| letters(&text[part.start..part.end])).sum();
        prop_assert_eq!(letters(&text), used + letters(&reading.title));
        prop_assert_eq!(reading.parts.is_empty(), reading.when.is_none());
        prop_assert!(reading.parts.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}
