use super::{Band, Metric, Place, Unit};
use crate::metrics::bootstrap::Interval;

/// What a metric says, in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// What it measures: a sentence.
    pub(super) measures: &'static str,
    /// What it means to lie below, inside or above the band: halves of sentences, after a colon.
    pub(super) below: &'static str,
    pub(super) inside: &'static str,
    pub(super) above: &'static str,
    /// Which way is which, where there is no band: a sentence.
    pub(super) way: &'static str,
    /// Instead of that, of what there is none of.
    pub(super) none: &'static str,
}

impl Reading {
    /// Says nothing.
    pub(super) const NONE: Self = Self {
        measures: "",
        below: "",
        inside: "",
        above: "",
        way: "",
        none: "",
    };
}

impl Metric {
    /// A figure that says only what it is yet.
    pub(super) fn new(key: &str, title: &str, unit: Unit, value: Option<f64>) -> Self {
        Self {
            key: key.to_owned(),
            title: title.to_owned(),
            value: value.filter(|value| value.is_finite()),
            unit,
            interval: None,
            band: None,
            against: None,
            reading: String::new(),
            note: None,
        }
    }

    pub(super) fn within(mut self, interval: Option<Interval>) -> Self {
        self.interval = interval.filter(|_| self.value.is_some());
        self
    }

    pub(super) fn band(mut self, band: Option<Band>) -> Self {
        self.band = band;
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        let note = note.into();
        self.note = (!note.is_empty()).then_some(note);
        self
    }

    /// Where it lies for sure: outside only where its whole interval does, or its value where it has no interval. None where
    /// there is no band.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let (value, band) = (self.value?, self.band.as_ref()?);
        let (low, high) = self
            .interval
            .map_or((value, value), |interval| (interval.low, interval.high));
        Some(match (band.place(low), band.place(high)) {
            (Place::Below, Place::Below) => Place::Below,
            (Place::Above, Place::Above) => Place::Above,
            _ => Place::Inside,
        })
    }

    /// Writes the reading, which knows value and band by now.
    pub(super) fn read(mut self, reading: Reading) -> Self {
        let measures = reading.measures;
        self.reading = match (self.value, &self.band) {
            (None, _) => format!("{measures} There is too little to tell."),
            (Some(0.0), None) if !reading.none.is_empty() => {
                format!("{measures} {}", reading.none)
            }
            (Some(value), None) => {
                format!(
                    "{measures} Here {}. {}",
                    shown(value, self.unit),
                    reading.way
                )
            }
            (Some(value), Some(band)) => {
                let (side, meaning) = match band.place(value) {
                    Place::Below => ("below", reading.below),
                    Place::Inside => ("inside", reading.inside),
                    Place::Above => ("above", reading.above),
                };
                format!(
                    "{measures} Here {}, {side} the {} to {} of human conversations: {meaning}.",
                    shown(value, self.unit),
                    shown(band.low, self.unit),
                    shown(band.high, self.unit),
                )
            }
        };
        self.reading = self.reading.trim_end().to_owned();
        self
    }
}

/// A figure as sentences have it.
pub(super) fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => format!("{value:.0}"),
        Unit::Share => format!("{:.1} %", value * 100.0),
        Unit::Number if value.abs() >= 100.0 => format!("{value:.0}"),
        Unit::Number if value.abs() >= 10.0 => format!("{value:.1}"),
        Unit::Number => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Reading = Reading {
        measures: "How long it is.",
        below: "too short",
        inside: "as people have it",
        above: "too long",
        way: "Less is shorter.",
        none: "There is nothing.",
    };

    #[test]
    fn readings_say_where_a_value_lies() {
        let of = |value: Option<f64>, band: bool| {
            let band = band.then(|| Band {
                low: 2.0,
                high: 12.5,
                source: "somebody".into(),
            });
            Metric::new("k", "K", Unit::Number, value)
                .band(band)
                .read(READING)
                .reading
        };
        assert_eq!(
            of(Some(1.0), true),
            "How long it is. Here 1.00, below the 2.00 to 12.5 of human conversations: too short."
        );
        assert!(of(Some(2.0), true).ends_with(
            "Here 2.00, inside the 2.00 to 12.5 of human conversations: as people have it."
        ));
        assert!(
            of(Some(120.0), true).contains("Here 120, above")
                && of(Some(120.0), true).contains("too long")
        );
        assert_eq!(
            of(Some(3.0), false),
            "How long it is. Here 3.00. Less is shorter."
        );
        assert_eq!(
            of(None, true),
            "How long it is. There is too little to tell."
        );
        assert_eq!(of(Some(0.0), false), "How long it is. There is nothing.");
        assert!(of(Some(0.0), true).contains("below"));
        assert_eq!(of(Some(f64::NAN), false), of(None, false));
        assert_eq!(shown(0.1234, Unit::Share), "12.3 %");
    }
}
