//! The way from a name or an address to a provider of the list.

use std::sync::Arc;

use super::PROVIDERS;
use super::builtin::BUILTIN;
use super::known_provider::{KnownProvider, Protocol};
use super::openai;
use super::openai::dialect::Dialect;
use super::provider::Provider;
use crate::aliases::ALIAS;
use crate::clients::Clients;
use crate::provider_config::{Api, DEFAULT, ProviderConfig};
use crate::secret::Scrubber;
use crate::upstream::Upstream;

/// Names that no provider of the owner's can have.
pub(crate) const RESERVED: [&str; 3] = [ALIAS, BUILTIN, DEFAULT];

/// The ends of hosts at which Azure serves OpenAI's models.
const AZURE: [&str; 3] = [
    ".openai.azure.com",
    ".cognitiveservices.azure.com",
    ".openai.azure.us",
];

/// The protocol of a provider that says nothing else.
pub(crate) const USUAL_PROTOCOL: &Protocol = &openai::PROTOCOL;

/// The provider of this name.
pub(crate) fn find(name: &str) -> Option<&'static KnownProvider> {
    PROVIDERS.iter().find(|known| known.name == name)
}

/// A provider as a sentence names it, in the middle of one.
pub(crate) fn label(name: &str) -> &str {
    match find(name) {
        Some(known) => known.label,
        // Nobody gave it that name.
        None if name == DEFAULT => "the model’s server",
        None => name,
    }
}

/// All protocols, the usual one first, each once.
pub(crate) fn protocols() -> Vec<&'static Protocol> {
    let mut protocols = vec![USUAL_PROTOCOL];
    for known in PROVIDERS {
        let is_new = |protocol: &Protocol| protocol.name != known.protocol.name;
        if protocols.iter().all(|protocol| is_new(protocol)) {
            protocols.push(known.protocol);
        }
    }
    protocols
}

/// The protocol of this name.
pub(crate) fn api(name: &str) -> Option<Api> {
    let protocols = protocols();
    let found = protocols.iter().find(|protocol| protocol.name == name);
    found.map(|protocol| protocol.api())
}

/// The adapter to a configured provider.
pub(crate) fn connect(
    config: &ProviderConfig,
    clients: Arc<Clients>,
    scrub: Arc<Scrubber>,
) -> Box<dyn Provider> {
    let protocols = protocols();
    let spoken = protocols
        .iter()
        .find(|protocol| protocol.name == config.api.name());
    let protocol = spoken.unwrap_or(&USUAL_PROTOCOL);
    let upstream = Upstream::new(
        config,
        label(&config.name),
        &protocol.headers,
        clients,
        scrub,
    );
    (protocol.connect)(upstream, dialect(config))
}

/// The dialect of a provider: by its address, wherever that tells who it is, else by its name.
fn dialect(config: &ProviderConfig) -> Dialect {
    let host = config.base_url.host_str().unwrap_or_default();
    let by_host = PROVIDERS
        .iter()
        .find(|known| known.host.is_some_and(|end| host.ends_with(end)));
    if AZURE.iter().any(|end| host.ends_with(end)) {
        return Dialect::AZURE;
    }
    let by_name = || find(&config.name).filter(|known| known.host.is_none());
    let known = by_host.or_else(by_name);
    known.map_or(Dialect::USUAL, |known| known.dialect)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whether no two are the same.
    fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> bool {
        let mut seen = BTreeSet::new();
        names.into_iter().all(|name| seen.insert(name))
    }

    #[test]
    fn every_row_of_the_list_is_whole_and_no_two_say_the_same() {
        for known in PROVIDERS {
            let name = known.name;
            assert!(!name.is_empty() && !known.label.is_empty(), "{name}");
            assert!(!RESERVED.contains(&name), "{name}");
            assert!(known.concurrency > 0, "{name}");
            ProviderConfig::new(name, known.base_url, name).unwrap();
            assert!(known.key.is_some() || known.address.is_some(), "{name}");
        }
        let families = PROVIDERS.iter().flat_map(|known| known.models);
        let prices = PROVIDERS.iter().flat_map(|known| known.prices);
        assert!(distinct(PROVIDERS.iter().map(|known| known.name)));
        assert!(distinct(families.map(|family| family.start)));
        assert!(distinct(prices.map(|price| price.model)));
        assert!(distinct(protocols().iter().map(|protocol| protocol.name)));
    }
}
