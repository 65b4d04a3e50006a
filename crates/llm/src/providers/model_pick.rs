//! The choice of a model where nobody made one.

use super::known;

/// Parts of names of models that don't chat.
const NOT_FOR_CHAT: &[&str] = &[
    "embed",
    "bge-",
    "minilm",
    "e5-",
    "rerank",
    "moderation",
    "guard",
    "whisper",
    "tts",
    "audio",
    "transcribe",
    "speech",
    "voice",
    "realtime",
    "dall-e",
    "image",
    "imagen",
    "veo",
    "sora",
    "stable-diffusion",
    "flux",
    "ocr",
    "babbage",
    "davinci",
    "computer-use",
    "aqa",
    "-instruct-0914",
];

/// Whether a model of this name answers chats.
pub(crate) fn chats(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    !NOT_FOR_CHAT.iter().any(|part| model.contains(part))
}

/// The first suitable model: by the alias' hints, then by what is preferred of
/// this provider, then in the provider's own order.
pub(crate) fn pick<'a>(provider: &str, hints: &[&str], models: &'a [String]) -> Option<&'a str> {
    let prefer = known::find(provider).map_or(&[][..], |known| known.prefers);
    let suitable: Vec<&str> = models
        .iter()
        .map(String::as_str)
        .filter(|model| chats(model))
        .collect();
    let preferred = |candidates: &[&'a str]| {
        prefer
            .iter()
            .find_map(|start| {
                candidates
                    .iter()
                    .copied()
                    .find(|model| model.starts_with(start))
            })
            .or_else(|| candidates.first().copied())
    };
    let hinted: Vec<&str> = suitable
        .iter()
        .copied()
        .filter(|model| hints.iter().any(|hint| model.contains(hint)))
        .collect();
    preferred(&hinted).or_else(|| preferred(&suitable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(models: &[&str]) -> Vec<String> {
        models.iter().map(|model| (*model).to_owned()).collect()
    }

    #[test]
    fn the_pick_chats_and_is_the_preferred_one() {
        let ollama = names(&["nomic-embed-text:latest", "llama3.2:3b", "llava:7b"]);
        assert_eq!(pick("ollama", &[], &ollama), Some("llama3.2:3b"));
        assert_eq!(pick("ollama", &["llava"], &ollama), Some("llava:7b"));
        let openai = names(&["gpt-3.5-turbo", "whisper-1", "gpt-4o-mini"]);
        assert_eq!(pick("openai", &[], &openai), Some("gpt-4o-mini"));
        assert_eq!(pick("ollama", &[], &names(&["bge-m3"])), None);
    }
}
