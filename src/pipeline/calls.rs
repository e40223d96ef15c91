//! Where model calls are remembered, so that an interrupted run never asks twice.

use serde::{Deserialize, Serialize};

use crate::engine::Completion;

/// What a model call gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// A generated reply.
    Reply(Completion),
    /// Log-probabilities of the given choices, in their order; kept bit for bit.
    Choice(#[serde(with = "bits")] Vec<f32>),
}

/// Looks calls up before they are made and writes them down afterwards.
///
/// A key is the path of the call: `c/<slot>/<attempt>/<role>/<turn>/<try>` inside a conversation,
/// `q/<page>/<call>` for a page's queries. A key is asked for and recorded at most once by one process.
pub trait CallLog {
    /// What the call gave in an earlier, interrupted session.
    fn recall(&self, key: &str) -> Option<CallOutcome>;

    /// Writes down what the call gave, before anything reads it.
    ///
    /// # Errors
    /// When it cannot be written; the run is over then.
    fn record(&self, key: &str, outcome: &CallOutcome) -> Result<(), CallLogError>;
}

/// A call could not be written down. The run ends; the log's owner knows the cause in full.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a model call could not be recorded: {0}")]
pub struct CallLogError(pub String);

/// Remembers nothing: for previews and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl CallLog for NoLog {
    fn recall(&self, _key: &str) -> Option<CallOutcome> {
        None
    }

    fn record(&self, _key: &str, _outcome: &CallOutcome) -> Result<(), CallLogError> {
        Ok(())
    }
}

/// Floats as their bits: exact, and infinities survive JSON.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| value.to_bits()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        Ok(Vec::<u32>::deserialize(deserializer)?
            .into_iter()
            .map(f32::from_bits)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_keep_their_bits() {
        let values = [
            -0.1_f32,
            f32::NEG_INFINITY,
            -0.0,
            1e-45,
            f32::from_bits(0x7fc0_0001),
            -13.815_511,
        ];
        let json = serde_json::to_string(&CallOutcome::Choice(values.to_vec())).unwrap();
        let CallOutcome::Choice(back) = serde_json::from_str(&json).unwrap() else {
            panic!("{json}")
        };
        assert_eq!(back.map_bits(), values.to_vec().map_bits());
    }

    trait MapBits {
        fn map_bits(self) -> Vec<u32>;
    }

    impl MapBits for Vec<f32> {
        fn map_bits(self) -> Vec<u32> {
            self.into_iter().map(f32::to_bits).collect()
        }
    }
}
