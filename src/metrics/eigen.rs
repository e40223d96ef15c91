/// The eigenvalues of a symmetric matrix of `n` rows, in no order: Householder's reduction to three diagonals, then QL steps
/// with implicit shifts (Golub and Van Loan, Matrix Computations, 4th edition, 8.3). Absolute errors are about the largest
/// eigenvalue times the machine's precision. `None` of a matrix that is not finite.
#[must_use]
pub fn eigenvalues(mut matrix: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    assert_eq!(matrix.len(), n * n, "n rows of n");
    if matrix.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut beside = tridiagonal(&mut matrix, n);
    let mut diagonal: Vec<f64> = (0..n).map(|k| matrix[k * n + k]).collect();
    ql(&mut diagonal, &mut beside).then_some(diagonal)
}

/// Makes a matrix one of three diagonals with the same eigenvalues, and returns what stands beside the main one.
fn tridiagonal(a: &mut [f64], n: usize) -> Vec<f64> {
    let mut beside = vec![0.0; n.saturating_sub(1)];
    for k in 0..n.saturating_sub(1) {
        // The reflection v that turns what is below the diagonal in column k into one number.
        let mut v: Vec<f64> = (k + 1..n).map(|row| a[row * n + k]).collect();
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        beside[k] = if v[0] > 0.0 { -length } else { length };
        v[0] -= beside[k];
        let norm: f64 = v.iter().map(|x| x * x).sum();
        if norm == 0.0 {
            continue;
        }
        // From both sides it takes v wᵀ + w vᵀ from the rest, with p = 2 A v / vᵀv and w = p − (vᵀp / vᵀv) v.
        let rest = |row: usize| (k + 1 + row) * n + k + 1..(k + 2 + row) * n;
        let mut w: Vec<f64> = (0..v.len())
            .map(|row| product(&a[rest(row)], &v) * 2.0 / norm)
            .collect();
        let back = product(&v, &w) / norm;
        for (w, v) in w.iter_mut().zip(&v) {
            *w -= back * v;
        }
        for row in 0..v.len() {
            let (own_v, own_w) = (v[row], w[row]);
            for ((value, v), w) in a[rest(row)].iter_mut().zip(&v).zip(&w) {
                *value -= own_v * w + own_w * v;
            }
        }
    }
    beside
}

/// Turns a symmetric matrix of three diagonals until its main one holds the eigenvalues; whether that came to an end.
fn ql(diagonal: &mut [f64], beside: &mut Vec<f64>) -> bool {
    const STEPS: usize = 60;
    let n = diagonal.len();
    beside.push(0.0);
    let largest = diagonal
        .iter()
        .chain(&*beside)
        .fold(0.0f64, |most, value| most.max(value.abs()));
    for from in 0..n {
        for step in 0.. {
            let small = |at: usize| beside[at].abs() <= f64::EPSILON * largest;
            let to = (from..n - 1).find(|&at| small(at)).unwrap_or(n - 1);
            if to == from {
                break;
            }
            if step == STEPS {
                return false;
            }
            // Wilkinson's shift, then rotations from the end of the block to its beginning.
            let half = (diagonal[from + 1] - diagonal[from]) / (2.0 * beside[from]);
            let root = half.hypot(1.0).copysign(half);
            let mut bulge = diagonal[to] - diagonal[from] + beside[from] / (half + root);
            let (mut sine, mut cosine, mut taken) = (1.0, 1.0, 0.0);
            let mut whole = true;
            for at in (from..to).rev() {
                let (out, kept) = (sine * beside[at], cosine * beside[at]);
                let length = out.hypot(bulge);
                beside[at + 1] = length;
                if length == 0.0 {
                    // The block falls apart here.
                    diagonal[at + 1] -= taken;
                    beside[to] = 0.0;
                    whole = false;
                    break;
                }
                (sine, cosine) = (out / length, bulge / length);
                let base = diagonal[at + 1] - taken;
                let turned = (diagonal[at] - base) * sine + 2.0 * cosine * kept;
                taken = sine * turned;
                diagonal[at + 1] = base + taken;
                bulge = cosine * turned - kept;
            }
            if whole {
                diagonal[from] -= taken;
                beside[from] = bulge;
                beside[to] = 0.0;
            }
        }
    }
    true
}

/// In eight sums, which a compiler keeps in registers.
fn product(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (wide_a, wide_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = wide_a
        .remainder()
        .iter()
        .zip(wide_b.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in wide_a.zip(wide_b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    rest + sums.iter().sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn of(matrix: Vec<f64>, n: usize) -> Vec<f64> {
        let mut found = eigenvalues(matrix, n).unwrap();
        found.sort_by(f64::total_cmp);
        found
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-11,
                "{found} is not {expected}"
            );
        }
    }

    #[test]
    fn by_hand() {
        close(&of(vec![3.0], 1), &[3.0]);
        close(&of(vec![], 0), &[]);
        close(&of(vec![2.0, 1.0, 1.0, 2.0], 2), &[1.0, 3.0]);
        close(&of(vec![1.0; 25], 5), &[0.0, 0.0, 0.0, 0.0, 5.0]);
        close(&of(vec![0.0; 9], 3), &[0.0; 3]);
        let mut turned = vec![0.0; 16];
        for (at, value) in [4.0, -1.0, 2.5, 0.0].into_iter().enumerate() {
            turned[at * 4 + at] = value;
        }
        close(&of(turned, 4), &[-1.0, 0.0, 2.5, 4.0]);
        assert_eq!(eigenvalues(vec![f64::NAN], 1), None);
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn a_chain_has_the_values_of_its_formula() {
        let n = 40;
        let mut matrix = vec![0.0; n * n];
        for at in 0..n {
            matrix[at * n + at] = 2.0;
            if at > 0 {
                matrix[at * n + at - 1] = -1.0;
                matrix[(at - 1) * n + at] = -1.0;
            }
        }
        // 2 − 2 cos(kπ / (n + 1)).
        let expected: Vec<f64> = (1..=n)
            .map(|k| 2.0 - 2.0 * (k as f64 * std::f64::consts::PI / (n as f64 + 1.0)).cos())
            .collect();
        close(&of(matrix, n), &expected);
    }

    #[test]
    fn turning_a_matrix_keeps_its_values() {
        let n = 24;
        let draw = Stream::root(2);
        // H D H with H = 1 − 2 u uᵀ / uᵀu, which is its own inverse: the values are those of D.
        let u: Vec<f64> = (0..n as u64).map(|at| draw.unit(at) - 0.5).collect();
        let norm: f64 = u.iter().map(|x| x * x).sum();
        let h = |row: usize, column: usize| {
            f64::from(u8::from(row == column)) - 2.0 * u[row] * u[column] / norm
        };
        // Pairs of equal ones, and some of nothing.
        let values: Vec<f64> = (0..24).map(|at| f64::from((at / 2).max(3) - 3)).collect();
        let mut matrix = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..n {
                matrix[row * n + column] =
                    (0..n).map(|k| h(row, k) * values[k] * h(k, column)).sum();
            }
        }
        close(&of(matrix, n), &values);
    }
}
