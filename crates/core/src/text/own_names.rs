//! Names that a person would take for Mana's own: the server's, or its runner's.

use unicode_normalization::UnicodeNormalization as _;

/// The words that name Mana or a part of it.
const OWN: [&str; 6] = [
    "mana",
    "server",
    "runner",
    "manaserver",
    "manarunner",
    "missionrunner",
];

/// Letters of other scripts that look like a letter of these words, beside it. Letters that Unicode decomposes (width,
/// accents, mathematical letters) need not be named.
const LOOKALIKES: [(&str, char); 9] = [
    ("МмΜμᴍɱᎷꓟϺ", 'm'),
    ("АаΑαᴀɑⲀᎪꓮ", 'a'),
    ("ΝНнпոɴηꓠⲚռ", 'n'),
    ("ЅѕꜱᏚꓢՏ", 's'),
    ("ЕеΕεᴇⲈᎬꓰ", 'e'),
    ("гʀᴦᏒꓣⲅ", 'r'),
    ("Ѵѵνᴠᐯꓦ", 'v'),
    ("ՍυᴜꓴƱ", 'u'),
    ("Ііιɪӏ", 'i'),
];

/// Whether a name passes for Mana's own: one of its words is Mana's, or all of its letters together are, however they
/// are written.
pub fn passes_for_mana(name: &str) -> bool {
    let letters: String = name.nfkd().map(looks_like).collect();
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
    let known = LOOKALIKES.iter().find(|(others, _)| others.contains(c));
    known.map_or(c, |(_, letter)| *letter)
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
