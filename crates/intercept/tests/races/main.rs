//! The pool of threads' blocks in every order that loom finds. `sys` alone is a model.

#[path = "../../src/pool_unsafe.rs"]
mod pool_unsafe;
mod sys;
mod things_unsafe;

use loom::thread;
use std::sync::Arc;
use things_unsafe::Things;

/// Each thing is one thread's at a time, what its last user left in it is there, and none is lost or made without need.
#[test]
fn a_block_is_one_threads_at_a_time() {
    const THREADS: usize = 3;
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let things = Arc::new(Things::new());
        let others: Vec<_> = (1..THREADS)
            .map(|_| {
                let things = things.clone();
                thread::spawn(move || {
                    things.use_one();
                    things.use_one();
                })
            })
            .collect();
        things.use_one();
        others.into_iter().for_each(|other| other.join().unwrap());
        let uses = things.uses();
        assert_eq!(uses.iter().sum::<usize>(), 2 * THREADS - 1);
        assert!(uses.len() <= THREADS, "{uses:?}");
    });
}
