//! The fields that Anthropic's models take together, by the version in their names.

/// The version of a model: 4 and 7 of `claude-opus-4-7`, 3 and 5 of `claude-3-5-haiku-20241022`. A model whose name
/// says none is taken for one of the usual ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

/// The version of models whose names say none.
const USUAL: Version = Version(4, 0);

impl Version {
    pub fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or_default();
        let Some(at) = name.find("claude-") else {
            return USUAL;
        };
        // OpenRouter and Bedrock write dots, and longer numbers are dates.
        let parts = name[at..].split(['-', '.', '@', ':']);
        let numbers = parts.map(|part| part.parse::<u32>().ok().filter(|number| *number < 100));
        let mut numbers = numbers.skip_while(Option::is_none);
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), minor) => Self(major, minor.unwrap_or(0)),
            _ => USUAL,
        }
    }

    /// Whether the model itself decides how much it thinks, by an effort, and refuses a budget of thoughts and every
    /// wish how freely to choose its words.
    pub fn decides_on_thinking(self) -> bool {
        self >= Self(4, 7)
    }

    /// Whether the model can be told to decide itself how much it thinks, and to make so much effort.
    pub fn knows_effort(self) -> bool {
        self >= Self(4, 6)
    }

    /// Whether the model refuses `temperature` and `top_p` together.
    pub fn takes_one_of_temperature_and_top_p(self) -> bool {
        self >= Self(4, 1)
    }

    /// Whether the model writes no more than half of what later ones do, and refuses a larger bound.
    pub fn writes_little(self) -> bool {
        self < Self(3, 5)
    }

    /// Whether the model refuses a conversation that ends with words of its own.
    pub fn refuses_prefill(self) -> bool {
        self >= Self(4, 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_every_form_of_a_name() {
        for (model, version) in [
            ("claude-opus-4-7", Version(4, 7)),
            ("claude-sonnet-4-5-20250929", Version(4, 5)),
            ("claude-sonnet-4-20250514", Version(4, 0)),
            ("claude-sonnet-5", Version(5, 0)),
            ("anthropic/claude-opus-4.8", Version(4, 8)),
            ("claude-3-5-haiku-20241022", Version(3, 5)),
            ("claude-3-opus@20240229", Version(3, 0)),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Version(4, 5)),
            ("claude-x", USUAL),
            ("gpt-5", USUAL),
        ] {
            assert_eq!(Version::of(model), version, "{model}");
        }
    }
}
