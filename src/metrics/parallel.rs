/// What `of` makes of each thing, in order. Work is shared among `threads`; what comes out does not depend on how many.
pub fn map<T: Sync, R: Send>(things: &[T], threads: usize, of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // Neighbours may be alike in cost, so parts are small and dealt out in turn.
    let threads = threads.clamp(1, things.len().max(1));
    if threads == 1 {
        return things.iter().map(of).collect();
    }
    let part = things.len().div_ceil(threads * PARTS).max(1);
    let parts: Vec<&[T]> = things.chunks(part).collect();
    let (parts, of) = (&parts, &of);
    let mut made: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let mine = |nth: usize| {
            move || {
                let mine = (nth..parts.len()).step_by(threads);
                mine.map(|at| (at, parts[at].iter().map(of).collect()))
                    .collect::<Vec<(usize, Vec<R>)>>()
            }
        };
        let workers: Vec<_> = (0..threads).map(|nth| scope.spawn(mine(nth))).collect();
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(made) => made,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    made.sort_by_key(|(at, _)| *at);
    made.into_iter().flat_map(|(_, made)| made).collect()
}

/// Parts for each thread.
const PARTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_stays_whatever_the_threads() {
        let things: Vec<usize> = (0..103).collect();
        let expected: Vec<usize> = things.iter().map(|n| n * n).collect();
        for threads in [0, 1, 2, 3, 7, 500] {
            assert_eq!(map(&things, threads, |n| n * n), expected);
        }
        assert!(map(&[] as &[u8], 4, |n| *n).is_empty());
    }
}
