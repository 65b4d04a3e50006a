//! The known providers as others see them: forms, and the table of variables.

use serde::Serialize;
use utoipa::ToSchema;

use super::PROVIDERS;
use super::known::protocols;
use super::known_provider::CONCURRENCY;

/// The providers and protocols that Mana knows beforehand.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderCatalogue {
    /// The providers, in the order in which they are offered.
    pub providers: Vec<CatalogueProvider>,
    /// The protocols; any other provider speaks the first, unless its settings name one.
    pub protocols: Vec<CatalogueProtocol>,
    /// Calls at the same time at most, of any other provider.
    pub concurrency: usize,
}

/// A provider that Mana knows beforehand.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueProvider {
    /// Its name in `provider/model`.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
    /// Its address.
    pub base_url: &'static str,
    /// Whether it refuses calls without a key.
    pub needs_key: bool,
    /// Whether it runs on the server's machine and is looked for there.
    pub is_local: bool,
    /// The name of the protocol that it speaks.
    pub api: &'static str,
    /// Calls at the same time at most.
    pub concurrency: usize,
}

/// A protocol that providers speak.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueProtocol {
    /// Its name in a provider's settings.
    pub name: &'static str,
    /// The name for people.
    pub label: &'static str,
}

/// A variable of the environment that configures a known provider.
#[derive(Clone, Copy, Debug)]
pub struct ProviderVariable {
    /// Its name.
    pub name: &'static str,
    /// Whether its value must not be shown.
    pub is_secret: bool,
    /// The meaning of leaving it unset.
    pub unset: &'static str,
}

/// The providers and protocols that Mana knows beforehand.
pub fn catalogue() -> ProviderCatalogue {
    let providers = PROVIDERS.iter().map(|known| CatalogueProvider {
        name: known.name,
        label: known.label,
        base_url: known.base_url,
        needs_key: known.key.is_some(),
        is_local: known.is_local,
        api: known.protocol.name,
        concurrency: known.concurrency,
    });
    let protocols = protocols().into_iter().map(|protocol| CatalogueProtocol {
        name: protocol.name,
        label: protocol.label,
    });
    ProviderCatalogue {
        providers: providers.collect(),
        protocols: protocols.collect(),
        concurrency: CONCURRENCY,
    }
}

/// The variables of the environment that configure known providers, in the order of the providers.
pub fn variables() -> impl Iterator<Item = ProviderVariable> {
    PROVIDERS.iter().flat_map(|known| {
        let key = known.key.map(|name| ProviderVariable {
            name,
            is_secret: true,
            unset: "not used",
        });
        let address = known.address.as_ref().map(|variable| ProviderVariable {
            name: variable.name,
            is_secret: false,
            unset: variable.unset,
        });
        key.into_iter().chain(address)
    })
}
