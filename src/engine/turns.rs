//! Which model steps next when several have something to do.

/// Steps of other models that a model with something to do waits for at most.
const PATIENCE: usize = 8;

/// Whose turn it is. The larger batch goes first, since a step costs nearly the same for few sequences as for many and those
/// that wait become a batch meanwhile; but no model waits for ever. It decides when something is computed, never what.
pub(super) struct Turns {
    /// Steps that each model has waited for.
    waited: Vec<usize>,
}

impl Turns {
    pub fn new(models: usize) -> Self {
        Self {
            waited: vec![0; models],
        }
    }

    /// The model whose turn it is, of those with sequences that are `ready`. Ties go to who has waited longer, then to the
    /// first.
    pub fn next(&mut self, ready: &[usize]) -> Option<usize> {
        let waiting = |i: &usize| ready[*i] > 0;
        let impatient = |i: usize| self.waited[i] >= PATIENCE;
        let next = (0..ready.len()).filter(waiting).max_by_key(|&i| {
            let batch = if impatient(i) { usize::MAX } else { ready[i] };
            (batch, self.waited[i], std::cmp::Reverse(i))
        });
        for (i, waited) in self.waited.iter_mut().enumerate() {
            *waited = if ready[i] == 0 || next == Some(i) {
                0
            } else {
                *waited + 1
            };
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_batch_goes_first_and_nobody_waits_for_ever() {
        let mut turns = Turns::new(3);
        assert_eq!(turns.next(&[0, 0, 0]), None);
        assert_eq!(turns.next(&[2, 0, 5]), Some(2));
        assert_eq!(turns.next(&[2, 0, 0]), Some(0));
        let mut turns = Turns::new(3);
        let order: Vec<usize> = (0..40).filter_map(|_| turns.next(&[30, 1, 2])).collect();
        for model in [1, 2] {
            let places: Vec<usize> = (0..order.len()).filter(|&i| order[i] == model).collect();
            assert!(places.len() > 2, "{order:?}");
            let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(gaps.max().unwrap() <= PATIENCE + 2, "{order:?}");
        }
        assert!(order.iter().filter(|&&model| model == 0).count() > 25);
    }

    #[test]
    fn equals_take_turns() {
        let mut turns = Turns::new(2);
        let order: Vec<usize> = (0..6).filter_map(|_| turns.next(&[4, 4])).collect();
        assert_eq!(order, [0, 1, 0, 1, 0, 1]);
        // What had nothing to do has not waited.
        let mut turns = Turns::new(2);
        for _ in 0..20 {
            turns.next(&[4, 0]);
        }
        assert_eq!(turns.next(&[4, 3]), Some(0));
    }
}
