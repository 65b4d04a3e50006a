//! A history from its beginning to the checks.

use crate::{action::Action, check, face::Face, failure::Failure, figures::Figures, world::World};

/// Carries out a history, mends everything, and checks. Returns the trace beside the result, a line an event.
pub fn run(actions: &[Action], face: Face) -> (Result<Figures, Failure>, Vec<String>) {
    let mut world = World::new(face);
    let result = (|| {
        world.begin_missions()?;
        for action in actions {
            world.figures.actions += 1;
            world.act(action);
            if let Some(failure) = world.failure.take() {
                return Err(failure);
            }
        }
        world.settle()?;
        check::check(&mut world)?;
        Ok(world.figures)
    })();
    (result, world.trace)
}
