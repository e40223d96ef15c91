use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::record::{Cause, Cooperation, FirstLanguage, Kind, Outcome, Style, Tone};

/// Something a recipe names in a table of shares.
pub trait ShareName: Clone + PartialEq {
    /// The name in the recipe.
    fn share_name(&self) -> &str;

    /// The value of a name, if there is one.
    fn from_share_name(name: &str) -> Option<Self>;

    /// Every name, where the list is closed.
    fn share_names() -> Option<Vec<&'static str>>;

    /// Place in the canonical order: shares mean the same in whatever order they were written.
    fn rank(&self) -> usize;
}

macro_rules! closed_names {
    ($($type:ident),+) => {$(
        impl ShareName for $type {
            fn share_name(&self) -> &str {
                self.name()
            }

            fn from_share_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }

            fn share_names() -> Option<Vec<&'static str>> {
                Some(Self::ALL.iter().map(|value| value.name()).collect())
            }

            fn rank(&self) -> usize {
                Self::ALL.iter().position(|value| value == self).unwrap_or(usize::MAX)
            }
        }
    )+};
}
closed_names!(
    Tone,
    Style,
    FirstLanguage,
    Outcome,
    Kind,
    Cooperation,
    Cause
);

impl ShareName for String {
    fn share_name(&self) -> &str {
        self
    }

    fn from_share_name(name: &str) -> Option<Self> {
        (!name.trim().is_empty()).then(|| name.to_owned())
    }

    fn share_names() -> Option<Vec<&'static str>> {
        None
    }

    fn rank(&self) -> usize {
        0
    }
}

/// How often each of several values is wanted, relative to the others. Never empty; each share is positive and finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares<T>(Vec<(T, f64)>);

impl<T: ShareName> Shares<T> {
    /// Puts the entries into canonical order.
    ///
    /// # Errors
    /// What is wrong, in words, when there are no entries or a share is not positive and finite.
    pub fn new(mut entries: Vec<(T, f64)>) -> Result<Self, String> {
        if entries.is_empty() {
            return Err("no shares".into());
        }
        if let Some((name, share)) = entries
            .iter()
            .find(|(_, share)| !(share.is_finite() && *share > 0.0))
        {
            return Err(format!("`{}` has share {share}", name.share_name()));
        }
        entries.sort_by(|(a, _), (b, _)| {
            a.rank()
                .cmp(&b.rank())
                .then_with(|| a.share_name().cmp(b.share_name()))
        });
        Ok(Self(entries))
    }
}

impl<T> Shares<T> {
    /// Nothing but this value.
    #[must_use]
    pub fn only(value: T) -> Self {
        Self(vec![(value, 1.0)])
    }

    /// Values with their shares, in canonical order.
    #[must_use]
    pub fn entries(&self) -> &[(T, f64)] {
        &self.0
    }

    /// The values, in canonical order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(value, _)| value)
    }
}

impl<T: ShareName> Serialize for Shares<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(value, share)| (value.share_name(), share)),
        )
    }
}

impl<'de, T: ShareName> Deserialize<'de> for Shares<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table<T>(PhantomData<T>);

        impl<'de, T: ShareName> Visitor<'de> for Table<T> {
            type Value = Shares<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of shares")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shares<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, share)) = map.next_entry::<String, f64>()? {
                    let value = T::from_share_name(&name)
                        .ok_or_else(|| A::Error::custom(format!("unknown name `{name}`")))?;
                    entries.push((value, share));
                }
                Shares::new(entries).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_map(Table(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_writing_does_not_matter() {
        let a = Shares::new(vec![(Tone::Annoyed, 0.25), (Tone::Neutral, 0.5)]).unwrap();
        let b = Shares::new(vec![(Tone::Neutral, 0.5), (Tone::Annoyed, 0.25)]).unwrap();
        assert_eq!(a, b);
        let json = serde_json::to_string(&a).unwrap();
        assert_eq!(json, r#"{"neutral":0.5,"annoyed":0.25}"#);
        assert_eq!(serde_json::from_str::<Shares<Tone>>(&json).unwrap(), a);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Shares::<Tone>::new(vec![]).is_err());
        for share in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Shares::new(vec![(Tone::Neutral, share)]).is_err());
        }
    }
}
