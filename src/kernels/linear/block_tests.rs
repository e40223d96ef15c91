//! GGUF's types against their definition, written a second time: number by number, in f64.

use half::f16;

use super::*;
use crate::rng::Stream;

/// Blocks of random bits with scales of ordinary size: at the places that `scales` names.
pub(super) fn random_blocks(kind: BlockKind, count: usize, seed: u64) -> Vec<u8> {
    let stream = Stream::root(seed).child(kind.name());
    let mut bytes: Vec<u8> = (0..count * kind.bytes())
        .map(|i| stream.bits(i as u64).to_le_bytes()[3])
        .collect();
    let scales = Stream::root(seed).child("scales");
    for (i, block) in bytes.chunks_exact_mut(kind.bytes()).enumerate() {
        let places: &[usize] = match kind {
            BlockKind::Q4_0 | BlockKind::Q5_0 | BlockKind::Q8_0 => &[0],
            BlockKind::Q4_1 | BlockKind::Q5_1 | BlockKind::Q4K | BlockKind::Q5K => &[0, 2],
            BlockKind::Q2K => &[80, 82],
            BlockKind::Q3K => &[108],
            BlockKind::Q6K => &[208],
        };
        for (j, &at) in places.iter().enumerate() {
            let value = f16::from_f64((scales.unit((2 * i + j) as u64) - 0.4) * 0.02);
            block[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// Number `i` of a block by the definition of its kind.
pub(super) fn definition(kind: BlockKind, block: &[u8], i: usize) -> f64 {
    let half = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f64();
    let nibble = |base: usize, i: usize| {
        let byte = block[base + i % 16];
        f64::from(if i < 16 { byte % 16 } else { byte / 16 })
    };
    let fifth = |base: usize, i: usize| {
        let set = block[base + i / 8] & (1 << (i % 8)) != 0;
        if set { 16.0 } else { 0.0 }
    };
    // Six-bit scale and minimum of 32 values, of eight each in twelve bytes.
    let six = |part: usize| {
        let s = &block[4..16];
        let (scale, minimum) = if part < 4 {
            (s[part] % 64, s[part + 4] % 64)
        } else {
            (
                s[part + 4] % 16 + s[part - 4] / 64 * 16,
                s[part + 4] / 16 + s[part] / 64 * 16,
            )
        };
        (f64::from(scale), f64::from(minimum))
    };
    let (n, j, l) = (i / 128, i % 128 / 32, i % 32);
    match kind {
        BlockKind::Q4_0 => half(0) * (nibble(2, i) - 8.0),
        BlockKind::Q4_1 => half(0) * nibble(4, i) + half(2),
        BlockKind::Q5_0 => half(0) * (nibble(6, i) + fifth(2, i) - 16.0),
        BlockKind::Q5_1 => half(0) * (nibble(8, i) + fifth(4, i)) + half(2),
        BlockKind::Q8_0 => half(0) * f64::from(block[2 + i].cast_signed()),
        BlockKind::Q2K => {
            let code = block[16 + 32 * n + l] / [1, 4, 16, 64][j] % 4;
            let part = block[i / 16];
            half(80) * f64::from(part % 16) * f64::from(code) - half(82) * f64::from(part / 16)
        }
        BlockKind::Q3K => {
            let low = f64::from(block[32 + 32 * n + l] / [1, 4, 16, 64][j] % 4);
            let taken = if block[l] & (1 << (4 * n + j)) == 0 {
                4.0
            } else {
                0.0
            };
            let s = &block[96..108];
            let part = i / 16;
            let low4 = if part < 8 {
                s[part] % 16
            } else {
                s[part - 8] / 16
            };
            let high2 = s[8 + part % 4] / [1, 4, 16, 64][part / 4] % 4;
            half(108) * (f64::from(low4 + 16 * high2) - 32.0) * (low - taken)
        }
        BlockKind::Q4K => {
            let (scale, minimum) = six(i / 32);
            let byte = block[16 + i / 64 * 32 + l];
            let code = [byte % 16, byte / 16][i / 32 % 2];
            half(0) * scale * f64::from(code) - half(2) * minimum
        }
        BlockKind::Q5K => {
            let (scale, minimum) = six(i / 32);
            let byte = block[48 + i / 64 * 32 + l];
            let code = [byte % 16, byte / 16][i / 32 % 2];
            let high = block[16 + l] & (1 << (i / 32)) != 0;
            let code = f64::from(code) + if high { 16.0 } else { 0.0 };
            half(0) * scale * code - half(2) * minimum
        }
        BlockKind::Q6K => {
            let low = block[64 * n + l + 32 * (j % 2)];
            let low = if j < 2 { low % 16 } else { low / 16 };
            let high = block[128 + 32 * n + l] / [1, 4, 16, 64][j] % 4;
            let scale = f64::from(block[192 + 8 * n + 2 * j + l / 16].cast_signed());
            half(208) * scale * (f64::from(low + 16 * high) - 32.0)
        }
    }
}

/// A row's numbers by the definition.
pub(super) fn naive(kind: BlockKind, row: &[u8]) -> Vec<f64> {
    let blocks = row.chunks_exact(kind.bytes());
    blocks
        .flat_map(|block| (0..kind.values()).map(move |i| definition(kind, block, i)))
        .collect()
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
fn blocks_hold_the_numbers_of_their_definition() {
    for kind in BlockKind::ALL {
        let (k, n) = (512, 5);
        let bytes = random_blocks(kind, n * k / kind.values(), 3);
        let row_bytes = kind.row_bytes(k).unwrap();
        let rows = Rows::blocks(kind, &bytes, k).unwrap();
        assert_eq!(rows.count(k), n);
        let mut scratch = vec![0.0; k];
        for (i, row) in bytes.chunks_exact(row_bytes).enumerate() {
            let want: Vec<f32> = naive(kind, row).into_iter().map(|x| x as f32).collect();
            assert_eq!(rows.row(i, k, &mut scratch), want, "{kind:?}");
        }
    }
}

#[test]
fn rows_that_are_not_whole_blocks_are_refused() {
    for kind in BlockKind::ALL {
        let bytes = vec![0; 3 * kind.bytes()];
        assert_eq!(
            Rows::blocks(kind, &bytes, kind.values() + 16).err(),
            Some(BlocksError::Row {
                kind,
                k: kind.values() + 16
            })
        );
        assert!(Rows::blocks(kind, &bytes, 0).is_err());
        let error = Rows::blocks(kind, &bytes, 2 * kind.values()).err().unwrap();
        let told = error.to_string();
        assert!(told.contains(kind.name()), "{told}");
        assert!(
            told.starts_with(&format!("{} bytes", bytes.len())),
            "{told}"
        );
        assert!(Rows::blocks(kind, &bytes, 3 * kind.values()).is_ok());
    }
}

/// Puts `value` at each f16 place of block `block` in turn.
fn broken(kind: BlockKind, bytes: &[u8], block: usize, value: f16) -> Vec<Vec<u8>> {
    let (a, b) = kind.halves();
    [Some(a), b]
        .into_iter()
        .flatten()
        .map(|at| {
            let mut bytes = bytes.to_vec();
            let at = block * kind.bytes() + at;
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
            bytes
        })
        .collect()
}

#[test]
fn a_scale_that_is_no_number_is_told_and_stays_none() {
    for kind in BlockKind::ALL {
        let (n, k) = (3, 512);
        let per_row = k / kind.values();
        let sound = random_blocks(kind, n * per_row, 4);
        assert_eq!(kind.check_finite(&sound), Ok(()));
        for value in [f16::NAN, f16::INFINITY, f16::NEG_INFINITY] {
            let block = per_row + 1;
            for bytes in broken(kind, &sound, block, value) {
                let told = kind.check_finite(&bytes);
                assert_eq!(told, Err(BlocksError::NotFinite { kind, block }));
                for profile in [Profile::F32, Profile::Bf16, Profile::Int8, Profile::Q4] {
                    let rows = Rows::blocks(kind, &bytes, k).unwrap();
                    let packed = PackedLinear::pack(&[rows], k, None, profile);
                    for set in InstructionSet::available() {
                        let cpu = Cpu {
                            threads: Threads::new(1),
                            set,
                        };
                        let y = packed.forward(Input::Rows(&vec![1.0; k]), None, &cpu);
                        let finite = y.iter().map(|y| y.is_finite());
                        assert!(
                            finite.eq([true, false, true]),
                            "{kind:?} {profile:?} {set:?} {y:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Activations in 8 bits by their definition, back as numbers.
pub(super) fn rounded(x: &[f32]) -> Vec<f64> {
    x.chunks(32)
        .flat_map(|x| {
            let largest = x.iter().fold(0.0f32, |a, x| a.max(x.abs()));
            let (scale, inverse) = (largest / 127.0, 127.0 / largest);
            x.iter()
                .map(move |x| f64::from(scale) * f64::from((x * inverse).round_ties_even()))
        })
        .collect()
}

/// Each row's product with each column of numbers, and the sum of the products' sizes.
fn products<'a>(
    x: &'a [f32],
    w: &'a [Vec<f64>],
    k: usize,
) -> impl Iterator<Item = (f64, f64)> + 'a {
    x.chunks_exact(k).map(rounded).flat_map(move |x| {
        w.iter().map(move |w| {
            let each = || x.iter().zip(w).map(|(x, w)| x * w);
            (each().sum(), each().map(f64::abs).sum())
        })
    })
}

fn numbers(name: &str, n: usize) -> Vec<f32> {
    let stream = Stream::root(9).child(name);
    #[expect(clippy::cast_possible_truncation, reason = "test data")]
    (0..n as u64)
        .map(|i| (stream.unit(i) * 2.0 - 1.0) as f32)
        .collect()
}

fn cpu(set: InstructionSet, threads: usize) -> Cpu {
    Cpu {
        threads: Threads::new(threads),
        set,
    }
}

fn bits(y: &[f32]) -> Vec<u32> {
    y.iter().map(|y| y.to_bits()).collect()
}

/// A matrix of `n` random rows of `k` numbers of a kind, and the numbers.
fn matrix(kind: BlockKind, n: usize, k: usize) -> (Vec<u8>, Vec<Vec<f64>>) {
    let bytes = random_blocks(kind, n * k / kind.values(), 5);
    let rows = bytes.chunks_exact(kind.row_bytes(k).unwrap());
    let numbers = rows.map(|row| naive(kind, row)).collect();
    (bytes, numbers)
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "rounding is the point")]
fn every_kind_is_exact_but_for_the_chain_and_reads_back() {
    for kind in BlockKind::ALL {
        for (m, n, blocks) in [(1, 1, 1), (3, 17, 3), (13, 40, 9), (2, 70, 18)] {
            let k = blocks * kind.values();
            let (bytes, w) = matrix(kind, n, k);
            let x = numbers("x", m * k);
            let rows = Rows::blocks(kind, &bytes, k).unwrap();
            let packed = PackedLinear::pack(&[rows], k, None, Profile::Int8);
            for set in InstructionSet::available() {
                let y = packed.forward(Input::Rows(&x), None, &cpu(set, 1));
                for (i, (want, size)) in products(&x, &w, k).enumerate() {
                    let off = (f64::from(y[i]) - want).abs();
                    assert!(off <= 2e-6 * size, "{kind:?} {set:?} {m} {n} {k}: {off}");
                }
            }
            let mut row = vec![0.0; k];
            for (i, w) in w.iter().enumerate() {
                packed.copy_row(i, &mut row);
                let want: Vec<f32> = w.iter().map(|&w| w as f32).collect();
                assert_eq!(row, want, "{kind:?}");
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_rows_threads_or_instruction_set() {
    let (n, m) = (37, 40);
    let mut kinds: Vec<_> = BlockKind::ALL
        .map(|kind| (Some(kind), Profile::Int8))
        .to_vec();
    kinds.extend([(None, Profile::Int8), (None, Profile::Q4)]);
    for (kind, profile) in kinds {
        let k = kind.map_or(200, |kind| 3 * kind.values());
        let (bytes, floats) = (
            kind.map_or_else(Vec::new, |kind| matrix(kind, n, k).0),
            numbers("w", n * k),
        );
        let rows = kind.map_or(Rows::F32(&floats), |kind| {
            Rows::blocks(kind, &bytes, k).unwrap()
        });
        let packed = PackedLinear::pack(&[rows], k, None, profile);
        let x = numbers("x", m * k);
        let alone: Vec<u32> = x
            .chunks_exact(k)
            .flat_map(|x| {
                let portable = cpu(InstructionSet::Portable, 1);
                bits(&packed.forward(Input::Rows(x), None, &portable))
            })
            .collect();
        for set in InstructionSet::available() {
            for threads in [1, 2] {
                let cpu = cpu(set, threads);
                for m in 1..=m {
                    let y = packed.forward(Input::Rows(&x[..m * k]), None, &cpu);
                    assert!(
                        bits(&y) == alone[..m * n],
                        "{kind:?} {profile:?} {set:?} {threads} {m}"
                    );
                }
            }
        }
    }
}

#[test]
fn parts_of_different_kinds_are_those_alone() {
    let (k, m) = (512, 5);
    let floats = numbers("w", 21 * k);
    let kinds = [
        (BlockKind::Q4K, 33),
        (BlockKind::Q4K, 7),
        (BlockKind::Q6K, 24),
        (BlockKind::Q4_0, 1),
        (BlockKind::Q8_0, 16),
        (BlockKind::Q2K, 9),
        (BlockKind::Q3K, 5),
    ];
    let bytes = kinds.map(|(kind, n)| matrix(kind, n, k).0);
    let mut parts: Vec<Rows<'_>> = kinds
        .iter()
        .zip(&bytes)
        .map(|((kind, _), bytes)| Rows::blocks(*kind, bytes, k).unwrap())
        .collect();
    parts.insert(3, Rows::F32(&floats));
    let n: usize = parts.iter().map(|part| part.count(k)).sum();
    let (bias, residual) = (numbers("bias", n), numbers("residual", m * n));
    let x = numbers("x", m * k);
    for profile in [Profile::F32, Profile::Bf16, Profile::Int8, Profile::Q4] {
        let packed = PackedLinear::pack(&parts, k, Some(bias.clone()), profile);
        for set in InstructionSet::available() {
            let cpu = cpu(set, 2);
            let y = packed.forward(Input::Rows(&x), Some(&residual), &cpu);
            let mut first = 0;
            let mut rows = [vec![0.0; k], vec![0.0; k]];
            for part in &parts {
                let count = part.count(k);
                let alone = PackedLinear::pack(&[*part], k, None, profile);
                let part_y = alone.forward(Input::Rows(&x), None, &cpu);
                for r in 0..m {
                    let want: Vec<f32> = (0..count)
                        .map(|c| {
                            let at = r * n + first + c;
                            residual[at] + (part_y[r * count + c] + bias[first + c])
                        })
                        .collect();
                    let y = &y[r * n + first..][..count];
                    assert_eq!(bits(y), bits(&want), "{profile:?} {set:?} {first}");
                }
                for i in 0..count {
                    packed.copy_row(first + i, &mut rows[0]);
                    alone.copy_row(i, &mut rows[1]);
                    assert_eq!(bits(&rows[0]), bits(&rows[1]), "{profile:?} {first} {i}");
                }
                first += count;
            }
        }
    }
}

#[test]
fn native_weights_take_the_bytes_of_their_file() {
    let (n, k) = (64, 1024);
    for kind in BlockKind::ALL {
        let (bytes, _) = matrix(kind, n, k);
        let rows = Rows::blocks(kind, &bytes, k).unwrap();
        let packed = PackedLinear::pack(&[rows], k, None, Profile::Int8);
        let (here, there) = (packed.bytes(), bytes.len());
        // Scales of K-types have 8 bits here, 4 or 6 in files.
        assert!(
            here >= there && here <= there * 5 / 4,
            "{kind:?} {here} {there}"
        );
    }
}
