//! Letters that pass for a letter of the script around them, as a Cyrillic `а` does in a Latin word: marked by their
//! code. A word of one script alone is what it is, whatever it looks like.
//!
//! The scripts that a word mixes are told as in UTS #39; the letters are those of its `confusables.txt`.

use std::borrow::Cow;

use super::hidden::visible;

/// Letters of scripts in everyday use, beside the Latin letter that each looks like.
const LOOKALIKES: [(&str, char); 44] = [
    ("ΆΑАӐӒ", 'A'),
    ("ΒВ", 'B'),
    ("ϹС", 'C'),
    ("ΈΕЀЁЕӖ", 'E'),
    ("Ϝ", 'F'),
    ("Ԍ", 'G'),
    ("ΉΗН", 'H'),
    ("ͿЈ", 'J'),
    ("ΚЌК", 'K'),
    ("ΜϺМ", 'M'),
    ("Ν", 'N'),
    ("ΌΟОӦՕ", 'O'),
    ("ΡР", 'P'),
    ("Ԛ", 'Q'),
    ("ЅՏ", 'S'),
    ("ΤТ", 'T'),
    ("Ս", 'U'),
    ("ѴѶ", 'V'),
    ("Ԝ", 'W'),
    ("ΧХ", 'X'),
    ("ΎΥΫϒϓϔЎУҮӮӰӲ", 'Y'),
    ("Ζ", 'Z'),
    ("άαаӑӓ", 'a'),
    ("Ь", 'b'),
    ("ϲсᲃ", 'c'),
    ("ԁ", 'd'),
    ("еѐёҽӗ", 'e'),
    ("ք", 'f'),
    ("ց", 'g'),
    ("Һһհ", 'h'),
    ("ΐίιϊіїւꙇ", 'i'),
    ("ϳјյ", 'j'),
    ("ΊΙΪІЇӀӏ", 'l'),
    ("ոռ", 'n'),
    ("οσόоӧօᲂ", 'o'),
    ("ρϱϸр", 'p'),
    ("ԛգզ", 'q'),
    ("гѓᴦ", 'r'),
    ("ѕ", 's'),
    ("ΰυϋύս", 'u'),
    ("νѵѷ", 'v'),
    ("шѡԝա", 'w'),
    ("х", 'x'),
    ("γуўүӯӱӳ", 'y'),
];

/// The script of a letter, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    /// A script that UTS #31 does not recommend for names: beside a Latin letter, each of its letters stands out.
    Rare,
    Other,
    /// Digits and signs, which belong to every script.
    Common,
}

/// A character of a word with the marks on it.
struct Letter {
    character: char,
    /// The number of its characters: itself and its marks.
    length: usize,
    /// Whether its code follows already.
    is_marked: bool,
}

/// Returns the text as a person is to read it: [`visible`], and each letter that passes for another script's followed
/// by its code, as `pа[U+0430]ypal`. A text that was returned is returned as it is.
pub fn legible(text: &str) -> Cow<'_, str> {
    let text = visible(text);
    let may_mix = |c: char| !matches!(script(c), Script::Latin | Script::Other | Script::Common);
    if !text.chars().any(may_mix) {
        return text;
    }
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = characters.as_slice();
    while let Some(first) = rest.first() {
        let letters = word(rest);
        if letters.is_empty() {
            out.push(*first);
            rest = &rest[1..];
        }
        for (letter, passes) in letters.iter().zip(lookalikes(&letters)) {
            out.extend(&rest[..letter.length]);
            rest = &rest[letter.length..];
            if letter.is_marked || passes {
                out.push_str(&code(letter.character));
            }
            if letter.is_marked {
                rest = &rest[code(letter.character).len()..];
            }
        }
    }
    Cow::Owned(out)
}

fn code(letter: char) -> String {
    format!("[U+{:04X}]", u32::from(letter))
}

/// The letters of the word that a text begins with. The codes in it are no part of it.
fn word(text: &[char]) -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.first().copied().filter(|c| c.is_alphanumeric()) {
        let marks = rest[1..].iter().take_while(|c| is_mark(**c)).count();
        let length = 1 + marks;
        let after = &rest[length..];
        let is_marked = after.first() == Some(&'[') && {
            let code = code(character);
            after.len() >= code.len() && code.chars().eq(after[..code.len()].iter().copied())
        };
        letters.push(Letter {
            character,
            length,
            is_marked,
        });
        rest = match is_marked {
            true => &after[code(character).len()..],
            false => after,
        };
    }
    letters
}

/// Says of each letter of a word whether it passes for one of the script that most of the word is of.
fn lookalikes(word: &[Letter]) -> Vec<bool> {
    let scripts: Vec<Script> = word.iter().map(|letter| script(letter.character)).collect();
    let count = |of: &[Script]| scripts.iter().filter(|script| of.contains(script)).count();
    let common = count(&[Script::Common]);
    let latin = count(&[Script::Latin]);
    let others = word.len() - common - latin;
    let marked = |passes: &dyn Fn(char, Script) -> bool| -> Vec<bool> {
        let letters = word.iter().zip(&scripts);
        letters
            .map(|(letter, script)| passes(letter.character, *script))
            .collect()
    };
    let passes = |c: char, script: Script| script == Script::Rare || latin_twin(c).is_some();
    if latin == 0 {
        let relatives = [Script::Cyrillic, Script::Greek, Script::Armenian];
        let main = relatives
            .into_iter()
            .rev()
            .max_by_key(|script| count(&[*script]));
        return marked(&|c, script| {
            relatives.contains(&script) && Some(script) != main && latin_twin(c).is_some()
        });
    }
    if others == 0 {
        return vec![false; word.len()];
    }
    if latin < others {
        // A Latin letter within a word of another script.
        let strays = marked(&|c, of| of == Script::Latin && has_twin_in(c, &scripts));
        let all_pass = word.iter().zip(&scripts).all(|(letter, of)| {
            matches!(of, Script::Latin | Script::Common) || passes(letter.character, *of)
        });
        if strays.contains(&true) || !all_pass {
            return strays;
        }
    }
    marked(&passes)
}

/// The Latin letter that a letter of another script looks like.
pub(super) fn latin_twin(c: char) -> Option<char> {
    let row = LOOKALIKES.iter().find(|(others, _)| others.contains(c))?;
    Some(row.1)
}

/// Whether a Latin letter looks like one of these scripts.
fn has_twin_in(c: char, scripts: &[Script]) -> bool {
    let c = if c == 'I' { 'l' } else { c };
    let row = LOOKALIKES.iter().find(|(_, latin)| *latin == c);
    row.is_some_and(|(others, _)| others.chars().any(|other| scripts.contains(&script(other))))
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
}

/// The script of a letter by Unicode's blocks.
fn script(c: char) -> Script {
    match c {
        'A'..='Z' | 'a'..='z' => Script::Latin,
        '\0'..='\u{bf}' | '×' | '÷' | '\u{2b0}'..='\u{36f}' => Script::Common,
        '\u{c0}'..='\u{2af}'
        | '\u{1e00}'..='\u{1eff}'
        | '\u{2c60}'..='\u{2c7f}'
        | '\u{a720}'..='\u{a7ff}'
        | '\u{ab30}'..='\u{ab64}'
        | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff41}'..='\u{ff5a}' => Script::Latin,
        '\u{3e2}'..='\u{3ef}' => Script::Rare,
        '\u{370}'..='\u{3ff}' | '\u{1d26}'..='\u{1d2a}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        '\u{400}'..='\u{52f}'
        | '\u{1c80}'..='\u{1c8f}'
        | '\u{2de0}'..='\u{2dff}'
        | '\u{a640}'..='\u{a69f}' => Script::Cyrillic,
        '\u{531}'..='\u{58f}' => Script::Armenian,
        '\u{1d00}'..='\u{1dbf}' => Script::Latin,
        // N'Ko, Cherokee, Canadian syllabics, Runic, Glagolitic, Coptic, Tifinagh, Lisu, Vai, Bamum, and the scripts of
        // old times.
        '\u{7c0}'..='\u{7ff}'
        | '\u{13a0}'..='\u{16ff}'
        | '\u{18b0}'..='\u{18ff}'
        | '\u{2c00}'..='\u{2c5f}'
        | '\u{2c80}'..='\u{2cff}'
        | '\u{2d30}'..='\u{2d7f}'
        | '\u{a4d0}'..='\u{a63f}'
        | '\u{a6a0}'..='\u{a6ff}'
        | '\u{ab65}'..='\u{abbf}'
        | '\u{10280}'..='\u{11fff}'
        | '\u{16800}'..='\u{16fdf}' => Script::Rare,
        '\u{2000}'..='\u{2bff}' | '\u{1d400}'..='\u{1d7ff}' => Script::Common,
        _ => match c.is_alphabetic() {
            true => Script::Other,
            false => Script::Common,
        },
    }
}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization as _;
    use unicode_security::confusable_detection::skeleton;

    use super::*;

    #[test]
    fn missions_x4_a_letter_of_another_script_is_marked() {
        for (written, read) in [
            ("Pay p\u{430}ypal", "Pay p\u{430}[U+0430]ypal"),
            ("раypal", "р[U+0440]а[U+0430]ypal"),
            ("micros\u{43e}ft.com", "micros\u{43e}[U+043E]ft.com"),
            ("G\u{39f}\u{39f}GLE", "G\u{39f}[U+039F]\u{39f}[U+039F]GLE"),
            ("Ja\u{578}e", "Ja\u{578}[U+0578]e"),
            ("IBAN DE\u{41e}7", "IBAN DE\u{41e}[U+041E]7"),
            ("прив\u{65}т", "прив\u{65}[U+0065]т"),
            ("ЅЕСURЕ", "Ѕ[U+0405]Е[U+0415]С[U+0421]URЕ[U+0415]"),
            ("Αлександр", "Α[U+0391]лександр"),
            ("\u{13aa}pple", "\u{13aa}[U+13AA]pple"),
            ("p\u{430}\u{301}y", "p\u{430}\u{301}[U+0430]y"),
            ("p\u{430}y\u{200b}", "p\u{430}[U+0430]y[U+200B]"),
        ] {
            assert_eq!(legible(written), read);
            assert_eq!(legible(read), read);
        }
        // A code that somebody wrote marks its own letter alone.
        assert_eq!(legible("р[U+0440]аypal"), "р[U+0440]а[U+0430]ypal");
        assert_eq!(legible("p\u{430}[U+0061]y"), "p\u{430}[U+0430][U+0061]y");
    }

    #[test]
    fn missions_x4_words_of_one_script_and_usual_mixtures_stay_as_they_are() {
        for text in [
            "Привет, мир",
            "раура",
            "Wi-Fi-роутер",
            "MikroTik и роутер",
            "Καλημέρα",
            "Բարեւ",
            "10 μm, 5 kΩ, ΔG, 3π",
            "µm ªº",
            "Tシャツ, 牛乳A",
            "Straße, Łódź, Ünïcödé, Ａｐｐｌｅ",
            "iPhoneשל",
            "3D-принтер, 5ый",
            "e\u{301}",
            "[U+0430]",
            "",
        ] {
            assert_eq!(legible(text), text);
        }
    }

    /// The letters are exactly those of Unicode's list, by themselves or with marks that are one character with them.
    #[test]
    fn missions_x4_the_letters_are_unicodes() {
        let base = |c: char| std::iter::once(c).nfd().next().unwrap_or(c);
        for c in '\u{370}'..'\u{ab30}' {
            let (of, base) = (script(c), base(c));
            if !matches!(of, Script::Greek | Script::Cyrillic | Script::Armenian)
                || !c.is_alphabetic()
                || matches!(c, '\u{1f00}'..='\u{1fff}')
            {
                continue;
            }
            let mut looks: Vec<char> = skeleton(&base.to_string()).collect();
            looks.retain(|c| c.is_ascii_alphabetic());
            let is_letter =
                skeleton(&base.to_string()).eq(looks.iter().copied()) && looks.len() == 1;
            let twin = is_letter.then(|| looks[0]);
            assert_eq!(latin_twin(c), twin, "{c} U+{:04X}", u32::from(c));
        }
    }
}
