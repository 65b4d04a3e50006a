//! Names that a person would take for Mana's own: the server's, or its runner's.

use super::{
    lookalikes::latin_twin,
    normal_form::{NormalForm, nfkd},
};

/// The words that name Mana or a part of it.
const OWN: [&str; 6] = [
    "mana",
    "server",
    "runner",
    "manaserver",
    "manarunner",
    "missionrunner",
];

/// Letters and digits that look like a letter of these words, beside it, and have no [`latin_twin`] that says so: those
/// of Unicode's `confusables.txt` (UTS #39), small capitals, and digits in place of letters. Letters that Unicode
/// decomposes (width, accents, mathematical letters) need not be named.
const LOOKALIKES: [(&str, char); 10] = [
    ("ɱμмᎷᗰᛖᴍⱮⲘꓟ\u{102b0}\u{10311}", 'm'),
    ("4ɑᎪᗅᴀ⍺Ⲁꓮ\u{102a0}\u{16f40}", 'a'),
    ("ȠɴηНнпⲚꓠ\u{10513}", 'n'),
    ("5ƽᏕᏚꓢꜱꮪ\u{10296}\u{10420}\u{10448}\u{118c1}\u{16f3a}", 's'),
    ("3εᎬᴇ℮⋿Ⲉⴹꓰꬲ\u{10286}\u{118a6}\u{118ae}", 'e'),
    ("ƦʀᎡᏒᖇⲅꓣꭇꭈꮁ\u{104b4}\u{16f35}\u{1d216}", 'r'),
    (
        "۷Ꮩᐯᴠ∨⋁ⴸꓦꛟꮩ\u{1051d}\u{11706}\u{118a0}\u{118c0}\u{16f08}\u{1d20d}",
        'v',
    ),
    (
        "Ʊʋሀᑌᴜ∪⋃ꓴꞟꭎꭒ\u{104ce}\u{104f6}\u{118b8}\u{118d8}\u{16f42}",
        'u',
    ),
    ("1ıɩɪ˛ͺІӏᎥ⍳ꭵ\u{118c3}", 'i'),
    (
        "0۵०০੦૦ଠ୦௦\u{c02}౦\u{c82}೦\u{d02}ഠ൦\u{d82}๐໐ဝ၀ჿዐᴏᴑⲞⲟⵔ〇ꓳꬽ\u{10292}\u{102ab}\
         \u{10404}\u{1042c}\u{104c2}\u{104ea}\u{10516}\u{114d0}\u{118b5}\u{118c8}\u{118d7}\
         \u{118e0}",
        'o',
    ),
];

/// The first of each alphabet of letters in boxes, which Unicode does not decompose.
const BOXED: [char; 3] = ['\u{1f150}', '\u{1f170}', '\u{1f1e6}'];

/// Whether a name passes for Mana's own: one of its words is Mana's, or all of its letters together are, however they
/// are written.
pub fn passes_for_mana(name: &str) -> bool {
    passes_for_mana_by(nfkd, name)
}

/// [`passes_for_mana`] by a given NFKD.
pub fn passes_for_mana_by(nfkd: NormalForm, name: &str) -> bool {
    let letters: String = nfkd(name).chars().map(looks_like).collect();
    let letters = letters.to_lowercase();
    let is_own = |word: &str| OWN.contains(&word) || OWN.contains(&&*word.replace("rn", "m"));
    let together: String = letters.chars().filter(|c| c.is_alphanumeric()).collect();
    // Marks and hidden characters show no gap, so that they part no words.
    let seen = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace() || c.is_ascii());
    let seen: String = seen.collect();
    is_own(&together) || seen.split(|c: char| !c.is_alphanumeric()).any(is_own)
}

fn looks_like(c: char) -> char {
    let boxed = BOXED.iter().find_map(|first| {
        let place = u32::from(c).checked_sub(u32::from(*first))?;
        (b'a'..=b'z').nth(place as usize)
    });
    let known = LOOKALIKES.iter().find(|(others, _)| others.contains(c));
    let named = known.map(|(_, letter)| *letter);
    named
        .or(latin_twin(c))
        .or(boxed.map(char::from))
        .unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_s13_lookalikes_pass_for_mana() {
        for name in [
            "Mana",
            "MANA",
            " mana ",
            "Mana.",
            "M a n a",
            "m-a-n-a",
            "Mana server",
            "mana-runner",
            "Mission runner",
            "The server",
            "Мana",
            "Мана",
            "Mаnа",
            "МΑΝΑ",
            "Μαnα",
            "Ｍａｎａ",
            "𝐌𝐚𝐧𝐚",
            "ᴍᴀɴᴀ",
            "Mäna",
            "Ma\u{200b}na",
            "M\u{202e}ana",
            "Ma\u{301}na",
            "rnana",
            "sеrvеr",
            "ⲘⲀⲚⲀ",
            "ᎷᎪNᎪ",
            "🅼🅰🅽🅰",
            "🇲🇦🇳🇦",
            "Ⓜⓐⓝⓐ",
            "m4na",
            "Mana!",
            "mana@home",
            "Mɑnɑ 5erver",
            "missiоnrunner",
            "M\u{34f}ana",
        ] {
            assert!(passes_for_mana(name), "{name}");
        }
        for name in [
            "",
            "Streak tracker",
            "Task manager",
            "Manager",
            "Ana",
            "Lena",
            "cron",
            "stream",
            "system:migration",
            "rule",
            "Observer",
            "Manabu",
            "Забота",
            "牛乳",
        ] {
            assert!(!passes_for_mana(name), "{name}");
        }
    }
}
