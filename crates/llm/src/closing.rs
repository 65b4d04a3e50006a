//! The end of a gateway: every call that waits or runs ends with it.

use std::future::Future;

use tokio::sync::watch;

use crate::error::{GatewayError, Result};

/// Whether the gateway is closing. All its calls watch this.
#[derive(Default)]
pub(crate) struct Closing(watch::Sender<bool>);

impl Closing {
    /// Ends every call that waits or runs, and every later one.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Returns a receiver that holds `true` once the gateway is closing.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Does the work, unless the gateway is closing or closes meanwhile.
    pub async fn unless_closing<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut closing = self.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(GatewayError::closed()),
            done = work => done,
        }
    }
}
