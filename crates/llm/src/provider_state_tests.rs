use super::*;
use crate::providers::dummy::Dummy;

fn state(dummy: Dummy) -> Arc<ProviderState> {
    let settings = ProviderConfig::new(dummy.name, "http://dummy.invalid", "test").unwrap();
    let config = LlmConfig::default();
    let state = ProviderState::new(Box::new(dummy), &settings, &config, Arc::default(), true);
    Arc::new(state)
}

#[tokio::test]
async fn while_the_provider_is_asked_for_its_models_the_known_ones_stay_known() {
    let gate = Arc::new(Semaphore::new(1));
    let mut dummy = Dummy::new("a", Ok("x"));
    dummy.listing_gate = Some(gate.clone());
    let state = state(dummy);
    assert_eq!(state.models().await.unwrap().len(), 1);
    state.listing().last = None;
    let asking = tokio::spawn({
        let state = state.clone();
        async move { state.models().await }
    });
    while state.listing_turn.try_lock().is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(state.facts("m").context_tokens, Some(9));
    let waited = tokio::time::timeout(Duration::from_secs(1), state.models()).await;
    assert_eq!(
        waited.expect("nobody waits for the network").unwrap().len(),
        1
    );
    gate.add_permits(1);
    assert_eq!(asking.await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_probe_that_is_answered_or_given_up_lets_the_next_call_go() {
    let refused = |kind| Some(GatewayError::new(kind, "no").from_provider("a"));
    let ends: [Option<Option<GatewayError>>; 5] = [
        None,
        Some(refused(ErrorKind::Http(400))),
        Some(refused(ErrorKind::Http(401))),
        Some(refused(ErrorKind::RateLimited { retry_after: None })),
        Some(refused(ErrorKind::TooLarge)),
    ];
    for end in ends {
        let state = state(Dummy::new("a", Ok("x")));
        let down = GatewayError::new(ErrorKind::Http(500), "down").from_provider("a");
        for _ in 0..5 {
            state
                .try_permit("m", "")
                .unwrap()
                .ok()
                .unwrap()
                .end(Some(&down));
        }
        assert!(state.try_permit("m", "").unwrap().is_err());
        state.breakers.half_open(Instant::now());
        let probe = state.try_permit("m", "").unwrap().ok().unwrap();
        assert!(
            state.try_permit("m", "").unwrap().is_err(),
            "one probe at a time"
        );
        match &end {
            Some(failure) => probe.end(failure.as_ref()),
            None => drop(probe),
        }
        assert!(state.try_permit("m", "").unwrap().is_ok(), "{end:?}");
    }
}
