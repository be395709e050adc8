//! Takes every order of steps, each state once.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::world::{Broken, Step, World};

struct Trail(Step, Option<Arc<Self>>);

fn told(trail: Option<&Arc<Trail>>) -> String {
    let mut steps = Vec::new();
    let mut at = trail;
    while let Some(trail) = at {
        steps.push(format!("  {:?}", trail.0));
        at = trail.1.as_ref();
    }
    steps.reverse();
    steps.join("\n")
}

/// What was explored.
pub struct Explored {
    pub states: usize,
    /// Whether that is all there is.
    pub whole: bool,
}

/// Explores everything that can follow. Answers the number of states, or the steps to a broken invariant.
pub fn explore(start: World, states_max: usize) -> Result<Explored, Broken> {
    let mut seen = HashSet::from([start.key()]);
    let mut open = VecDeque::from([(start, None::<Arc<Trail>>)]);
    while let Some((world, trail)) = open.pop_front() {
        let mut rests = true;
        for step in world.steps() {
            let mut next = world.clone();
            let trail = || Some(Arc::new(Trail(step, trail.clone())));
            match next.take(step) {
                Ok(false) => continue,
                Ok(true) => rests &= World::is_fault(&step),
                Err(broken) => return Err(format!("{broken} after\n{}", told(trail().as_ref()))),
            }
            if seen.len() < states_max && seen.insert(next.key()) {
                open.push_back((next, trail()));
            }
        }
        if rests {
            world.at_rest().map_err(|broken| format!("{broken} after\n{}", told(trail.as_ref())))?;
        }
    }
    Ok(Explored { states: seen.len(), whole: seen.len() < states_max })
}
