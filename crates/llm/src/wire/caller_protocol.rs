//! The protocols in which callers ask.

/// The protocol in which a caller asked, and in which it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallerProtocol {
    /// OpenAI's Chat Completions, which are the gateway's own words too.
    #[default]
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
}
