use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The compression ratio (Shaib et al., Standardizing the Measurement of Text Diversity, 2024): bytes of all texts, with a
/// space between them, over bytes after gzip at its best. What repeats costs a compressor little, so more is more alike. It
/// looks back over 32 KiB and grows with the texts up to about that, so compare equal sizes. `None` of no bytes.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of bytes")]
pub fn compression<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let mut encoder = GzEncoder::new(Counted(0), Compression::best());
    let mut bytes = 0;
    for (nth, text) in texts.into_iter().enumerate() {
        for part in [if nth == 0 { "" } else { " " }, text] {
            bytes += part.len();
            encoder.write_all(part.as_bytes()).ok()?;
        }
    }
    let packed = encoder.finish().ok()?.0;
    (bytes > 0).then(|| bytes as f64 / packed as f64)
}

/// Counts what is written.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn repetition_packs_and_chance_does_not() {
        let same = vec!["Your refund is on its way."; 200];
        assert!(compression(same.iter().copied()).unwrap() > 40.0);
        let draw = Stream::root(1);
        // Letters of chance, 32 of them: five bits each, so 8 / 5 at best.
        let letters: String = (0..20_000)
            .map(|n| char::from(b'0' + u8::try_from(draw.below(n, 32)).unwrap()))
            .collect();
        let ratio = compression([letters.as_str()]).unwrap();
        assert!((1.4..1.6).contains(&ratio), "{ratio}");
        let (first, second) = letters.split_at(9_999);
        let joined = [first, &second[1..]].join(" ");
        let of_one = compression([joined.as_str()]).unwrap();
        let of_two = compression([first, &second[1..]]).unwrap();
        assert!((of_one - of_two).abs() < 1e-12);
        assert_eq!(compression([]), None);
        assert_eq!(compression([""]), None);
    }
}
