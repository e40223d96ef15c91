//! What texts mean, as vectors.

/// A model that turns texts into vectors.
pub trait Embed: Sync {
    /// One vector a text, in the order of the texts, each of unit length and all of one size; a text's vector does not depend
    /// on the others.
    ///
    /// # Errors
    /// When a text cannot be read as tokens, or the model computes no direction for it.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// What reports call it.
    fn name(&self) -> &str;
}

/// Why texts have no vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{model}: {reason}")]
pub struct EmbedError {
    /// What reports call the model.
    pub model: String,
    pub reason: String,
}
