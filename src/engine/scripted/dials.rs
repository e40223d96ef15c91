use std::fmt;

/// Dials that plant defects and set sizes. Chances are per reply, from 0 to 1, and exclude each other: at most one
/// defect befalls a reply, drawn from that reply's own random stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Dials {
    /// The reply says the last message back.
    pub echo: f64,
    /// The reply runs far over any word budget.
    pub long: f64,
    /// The reply begins like a script: `Customer: …`.
    pub leak: f64,
    /// The reply breaks off at the token limit.
    pub truncated: f64,
    /// The reply is empty.
    pub empty: f64,
    /// The call fails.
    pub error: f64,
    /// A list repeats its first entry all through.
    pub duplicate: f64,
    /// Share of conversations whose decision is always to go on.
    pub endless: f64,
    /// Share of replies that a thought comes before, where thoughts are let.
    pub think: f64,
    /// The reply states a price that is on no page.
    pub invent: f64,
    /// Share of replies that take no notice of the note that steers them.
    pub deaf: f64,
    /// A customer thanks.
    pub thank: f64,
    /// An agent only asks back.
    pub ask_back: f64,
    /// An agent says nothing that its page backs.
    pub evade: f64,
    /// A member of a group leaves with its turn.
    pub leave: f64,
    /// A member pauses.
    pub pause: f64,
    /// A member breaks in.
    pub interrupt: f64,
    /// A member speaks to another by name.
    pub address: f64,
    /// A text of an experience is that of an example in the prompt, word for word.
    pub copy: f64,
    /// Tokens a prompt and its reply may have together.
    pub context: usize,
    /// Milliseconds every call takes.
    pub delay_ms: u64,
    /// What it answers to every question for a digit, on average; 0 lets it go by the words that question and conversation
    /// share.
    pub score: f64,
    /// Which prompt pack it asks for.
    pub full_prompts: bool,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            echo: 0.0,
            long: 0.0,
            leak: 0.0,
            truncated: 0.0,
            empty: 0.0,
            error: 0.0,
            duplicate: 0.0,
            endless: 0.0,
            think: 0.0,
            invent: 0.0,
            deaf: 0.0,
            thank: 0.0,
            ask_back: 0.0,
            evade: 0.0,
            leave: 0.0,
            pause: 0.0,
            interrupt: 0.0,
            address: 0.0,
            copy: 0.0,
            context: 4096,
            delay_ms: 0,
            score: 0.0,
            full_prompts: false,
        }
    }
}

/// A scripted model's reference that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Not `scripted` or `scripted:…`.
    #[error("`{0}` is no scripted model; expected `scripted` or `scripted:echo=0.1,long=0.1`")]
    NotScripted(String),
    /// A setting without a value, or with one of the wrong kind.
    #[error("`{setting}` of the scripted model: expected {expected}")]
    BadValue {
        setting: String,
        expected: &'static str,
    },
    /// No such dial.
    #[error("the scripted model has no dial `{name}`; it has {}", Dials::NAMES.join(", "))]
    Unknown { name: String },
}

/// What is planted in one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    Echo,
    Long,
    Leak,
    Truncated,
    Empty,
    Error,
    Duplicate,
}

impl Dials {
    /// The names a reference may set.
    pub const NAMES: &[&str] = &[
        "echo",
        "long",
        "leak",
        "truncated",
        "empty",
        "error",
        "duplicate",
        "endless",
        "think",
        "invent",
        "deaf",
        "thank",
        "ask_back",
        "evade",
        "leave",
        "pause",
        "interrupt",
        "address",
        "copy",
        "context",
        "delay_ms",
        "score",
        "prompts",
    ];

    /// Reads `scripted` or `scripted:name=value,…`.
    ///
    /// # Errors
    /// When the reference has another form, an unknown dial or a value out of range.
    pub fn parse(reference: &str) -> Result<Self, DialError> {
        let mut dials = Self::default();
        let settings = match reference.strip_prefix("scripted") {
            Some("") => return Ok(dials),
            Some(rest) if rest.starts_with(':') => &rest[1..],
            _ => return Err(DialError::NotScripted(reference.to_owned())),
        };
        for setting in settings.split(',').map(str::trim).filter(|s| !s.is_empty()) {
            dials.set(setting)?;
        }
        Ok(dials)
    }

    fn set(&mut self, setting: &str) -> Result<(), DialError> {
        let bad = |expected| DialError::BadValue {
            setting: setting.to_owned(),
            expected,
        };
        let (name, value) = setting.split_once('=').ok_or_else(|| bad("name=value"))?;
        let whole = || value.parse::<u64>().map_err(|_| bad("a whole number"));
        match name {
            "context" => {
                self.context = usize::try_from(whole()?).map_err(|_| bad("a smaller number"))?;
            }
            "delay_ms" => self.delay_ms = whole()?,
            "score" => {
                self.score = value
                    .parse::<f64>()
                    .ok()
                    .filter(|score| (1.0..=5.0).contains(score))
                    .ok_or_else(|| bad("a number from 1 to 5"))?;
            }
            "prompts" => {
                self.full_prompts = match value {
                    "full" => true,
                    "compact" => false,
                    _ => return Err(bad("full or compact")),
                }
            }
            _ => {
                let dial = self.chance_mut(name).ok_or_else(|| DialError::Unknown {
                    name: name.to_owned(),
                })?;
                *dial = value
                    .parse::<f64>()
                    .ok()
                    .filter(|chance| (0.0..=1.0).contains(chance))
                    .ok_or_else(|| bad("a chance from 0 to 1"))?;
            }
        }
        Ok(())
    }

    fn chance_mut(&mut self, name: &str) -> Option<&mut f64> {
        Some(match name {
            "echo" => &mut self.echo,
            "long" => &mut self.long,
            "leak" => &mut self.leak,
            "truncated" => &mut self.truncated,
            "empty" => &mut self.empty,
            "error" => &mut self.error,
            "duplicate" => &mut self.duplicate,
            "endless" => &mut self.endless,
            "think" => &mut self.think,
            "invent" => &mut self.invent,
            "deaf" => &mut self.deaf,
            "thank" => &mut self.thank,
            "ask_back" => &mut self.ask_back,
            "evade" => &mut self.evade,
            "leave" => &mut self.leave,
            "pause" => &mut self.pause,
            "interrupt" => &mut self.interrupt,
            "address" => &mut self.address,
            "copy" => &mut self.copy,
            _ => return None,
        })
    }

    /// The defect of a reply whose uniform number is `draw`. Lists know other defects than free text.
    pub(super) fn defect(&self, draw: f64, list: bool) -> Option<Defect> {
        let free: &[(f64, Defect)] = &[
            (self.error, Defect::Error),
            (self.empty, Defect::Empty),
            (self.truncated, Defect::Truncated),
            (self.echo, Defect::Echo),
            (self.long, Defect::Long),
            (self.leak, Defect::Leak),
        ];
        let listed: &[(f64, Defect)] = &[
            (self.error, Defect::Error),
            (self.truncated, Defect::Truncated),
            (self.duplicate, Defect::Duplicate),
        ];
        let mut upper = 0.0;
        for &(chance, defect) in if list { listed } else { free } {
            upper += chance;
            if draw < upper {
                return Some(defect);
            }
        }
        None
    }
}

impl fmt::Display for Dials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "echo={},long={},leak={},truncated={},empty={},error={},duplicate={},endless={},invent={},deaf={},leave={},pause={},interrupt={},address={},context={},prompts={}",
            self.echo,
            self.long,
            self.leak,
            self.truncated,
            self.empty,
            self.error,
            self.duplicate,
            self.endless,
            self.invent,
            self.deaf,
            self.leave,
            self.pause,
            self.interrupt,
            self.address,
            self.context,
            if self.full_prompts { "full" } else { "compact" }
        )?;
        // Those that are not set leave what a run was made with as it was.
        let later = [
            ("think", self.think),
            ("thank", self.thank),
            ("ask_back", self.ask_back),
            ("evade", self.evade),
            ("score", self.score),
        ];
        for (name, chance) in later {
            if chance > 0.0 {
                write!(f, ",{name}={chance}")?;
            }
        }
        if self.copy > 0.0 {
            write!(f, ",copy={}", self.copy)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        assert_eq!(Dials::parse("scripted").unwrap(), Dials::default());
        let dials = Dials::parse("scripted:echo=0.25, long=1,context=300,prompts=full").unwrap();
        assert_eq!(
            (dials.echo, dials.long, dials.context, dials.full_prompts),
            (0.25, 1.0, 300, true)
        );
    }

    #[test]
    fn wrong_references_say_what_was_expected() {
        let message = |reference| Dials::parse(reference).unwrap_err().to_string();
        assert!(message("script").contains("expected `scripted`"));
        assert!(message("scripted:echo").contains("name=value"));
        assert!(message("scripted:echo=2").contains("from 0 to 1"));
        assert!(message("scripted:context=many").contains("whole number"));
        assert!(message("scripted:ecko=0.1").contains("it has echo, long"));
    }

    #[test]
    fn at_most_one_defect_befalls_a_reply() {
        let dials = Dials {
            echo: 0.5,
            long: 0.25,
            ..Dials::default()
        };
        assert_eq!(dials.defect(0.1, false), Some(Defect::Echo));
        assert_eq!(dials.defect(0.6, false), Some(Defect::Long));
        assert_eq!(dials.defect(0.9, false), None);
        assert_eq!(dials.defect(0.1, true), None);
    }
}
