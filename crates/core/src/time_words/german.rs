//! German words of time.

use super::lexicon::{DayPart, Lex, Unit};
use crate::recurrence::Frequency;

/// Words by their meaning, several with spaces between them.
pub(super) const WORDS: &[(&str, Lex)] = &[
    ("montag", Lex::Weekday(0)),
    ("dienstag", Lex::Weekday(1)),
    ("mittwoch", Lex::Weekday(2)),
    ("donnerstag", Lex::Weekday(3)),
    ("freitag", Lex::Weekday(4)),
    ("samstag sonnabend", Lex::Weekday(5)),
    ("sonntag", Lex::Weekday(6)),
    ("mo", Lex::ShortWeekday(0)),
    ("di", Lex::ShortWeekday(1)),
    ("mi", Lex::ShortWeekday(2)),
    ("do", Lex::ShortWeekday(3)),
    ("fr", Lex::ShortWeekday(4)),
    ("sa", Lex::ShortWeekday(5)),
    ("so", Lex::ShortWeekday(6)),
    ("montags", Lex::Weekdays(0)),
    ("dienstags", Lex::Weekdays(1)),
    ("mittwochs", Lex::Weekdays(2)),
    ("donnerstags", Lex::Weekdays(3)),
    ("freitags", Lex::Weekdays(4)),
    ("samstags sonnabends", Lex::Weekdays(5)),
    ("sonntags", Lex::Weekdays(6)),
    ("januar jänner jan", Lex::Month(1)),
    ("februar feber feb", Lex::Month(2)),
    ("märz mär", Lex::Month(3)),
    ("april apr", Lex::Month(4)),
    ("mai", Lex::Month(5)),
    ("juni jun", Lex::Month(6)),
    ("juli jul", Lex::Month(7)),
    ("august aug", Lex::Month(8)),
    ("september sep sept", Lex::Month(9)),
    ("oktober okt", Lex::Month(10)),
    ("november nov", Lex::Month(11)),
    ("dezember dez", Lex::Month(12)),
    ("eins ein eine einem einen einer eines", Lex::Article),
    ("zwei", Lex::Number(2)),
    ("drei", Lex::Number(3)),
    ("vier", Lex::Number(4)),
    ("fünf", Lex::Number(5)),
    ("sechs", Lex::Number(6)),
    ("sieben", Lex::Number(7)),
    ("acht", Lex::Number(8)),
    ("neun", Lex::Number(9)),
    ("zehn", Lex::Number(10)),
    ("elf", Lex::Number(11)),
    ("zwölf", Lex::Number(12)),
    ("vierzehn", Lex::Number(14)),
    ("alle", Lex::Every),
    ("minute minuten min", Lex::Unit(Unit::Minute)),
    ("stunde stunden std", Lex::Unit(Unit::Hour)),
    ("tag tage tagen tages", Lex::Unit(Unit::Day)),
    ("woche wochen", Lex::Unit(Unit::Week)),
    ("monat monate monaten monats", Lex::Unit(Unit::Month)),
    ("jahr jahre jahren jahres", Lex::Unit(Unit::Year)),
    ("werktag arbeitstag", Lex::Workday),
    ("werktags wochentags", Lex::Workdays),
    ("wochenende", Lex::Weekend),
    ("heute", Lex::Relative(0)),
    ("morgen", Lex::Morgen),
    ("übermorgen", Lex::Relative(2)),
    ("gestern", Lex::Relative(-1)),
    ("vorgestern", Lex::Relative(-2)),
    ("früh", Lex::Part(DayPart::Morning)),
    ("vormittag", Lex::Part(DayPart::Forenoon)),
    ("mittag", Lex::Part(DayPart::Noon)),
    ("nachmittag", Lex::Part(DayPart::Afternoon)),
    ("abend", Lex::Part(DayPart::Evening)),
    ("nacht", Lex::Part(DayPart::Night)),
    ("mitternacht", Lex::Part(DayPart::Midnight)),
    ("morgens", Lex::PartAdverb(DayPart::Morning)),
    ("vormittags", Lex::PartAdverb(DayPart::Forenoon)),
    ("mittags", Lex::PartAdverb(DayPart::Noon)),
    ("nachmittags", Lex::PartAdverb(DayPart::Afternoon)),
    ("abends", Lex::PartAdverb(DayPart::Evening)),
    ("nachts", Lex::PartAdverb(DayPart::Night)),
    ("halb halbe halben", Lex::Half),
    ("viertel", Lex::Quarter),
    ("dreiviertel", Lex::ThreeQuarters),
    ("nach", Lex::Past),
    ("uhr", Lex::OClock),
    ("am an", Lex::On),
    ("um gegen", Lex::At),
    ("in im", Lex::In),
    ("bis", Lex::Until),
    ("ab seit von vom", Lex::Since),
    ("zwischen", Lex::Between),
    ("für", Lex::For),
    ("vor", Lex::Before),
    ("und &", Lex::And),
    ("des der", Lex::Of),
    ("den dem zum", Lex::The),
    ("täglich", Lex::Adverb(Frequency::Daily, 1)),
    ("wöchentlich", Lex::Adverb(Frequency::Weekly, 1)),
    (
        "zweiwöchentlich vierzehntäglich",
        Lex::Adverb(Frequency::Weekly, 2),
    ),
    ("monatlich", Lex::Adverb(Frequency::Monthly, 1)),
    (
        "vierteljährlich quartalsweise",
        Lex::Adverb(Frequency::Monthly, 3),
    ),
    ("halbjährlich", Lex::Adverb(Frequency::Monthly, 6)),
    ("jährlich", Lex::Adverb(Frequency::Yearly, 1)),
    ("mal", Lex::Times),
    ("einmal", Lex::SoManyTimes(1)),
    ("zweimal", Lex::SoManyTimes(2)),
    ("dreimal", Lex::SoManyTimes(3)),
    ("viermal", Lex::SoManyTimes(4)),
    ("fünfmal", Lex::SoManyTimes(5)),
    ("sechsmal", Lex::SoManyTimes(6)),
    ("zehnmal", Lex::SoManyTimes(10)),
    ("erledigung", Lex::Completion),
    ("ende", Lex::End),
    ("monatsende", Lex::EndOf(Unit::Month)),
    ("jahresende", Lex::EndOf(Unit::Year)),
    ("wochenende", Lex::EndOf(Unit::Week)),
    ("- – —", Lex::Dash),
];

/// Adjectives by their stems, in whatever case and gender.
const STEMS: &[(&str, Lex)] = &[
    ("erst", Lex::Ordinal(1)),
    ("zweit", Lex::Ordinal(2)),
    ("dritt", Lex::Ordinal(3)),
    ("viert", Lex::Ordinal(4)),
    ("fünft", Lex::Ordinal(5)),
    ("letzt", Lex::Last),
    ("vorletzt", Lex::NextToLast),
    ("nächst", Lex::Next),
    ("kommend", Lex::Coming),
    ("dies", Lex::This),
    ("jed", Lex::Every),
];

/// The meaning of an adjective such as "letzten", or of a weekday with a part of the day.
pub(super) fn inflected(word: &str) -> Option<Lex> {
    let stem = ["en", "er", "es", "em", "e"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending))?;
    STEMS
        .iter()
        .find(|(name, _)| *name == stem)
        .map(|(_, lex)| *lex)
}

/// Divides "montagmorgen" into the weekday and the part of the day.
pub(super) fn weekday_with_part(word: &str) -> Option<(i8, DayPart)> {
    let days = WORDS.iter().filter_map(|(names, lex)| match lex {
        Lex::Weekday(day) => Some((names, *day)),
        _ => None,
    });
    let mut split = days.flat_map(|(names, day)| names.split(' ').map(move |name| (name, day)));
    split.find_map(|(name, day)| {
        let part = match word.strip_prefix(name)? {
            "morgen" | "früh" => DayPart::Morning,
            "vormittag" => DayPart::Forenoon,
            "mittag" => DayPart::Noon,
            "nachmittag" => DayPart::Afternoon,
            "abend" => DayPart::Evening,
            "nacht" => DayPart::Night,
            _ => return None,
        };
        Some((day, part))
    })
}

/// Words before an expression that make it a part of the text.
pub(super) const KEEPING: &str = "der die das dem des ein eine einen einem einer eines mein meine meinen unser unsere \
    unseren dein sein ihr für zum zur mit über beim als wie statt guten schönen frohen namens heißt genannt version \
    raum zimmer kapitel seite nr nummer teil gleis linie von vom";

/// Words after an expression that make it a part of the text.
pub(super) const KEEPING_AFTER: &str =
    "prozent % mal personen leute punkte eier kg km grad euro stück meter";
