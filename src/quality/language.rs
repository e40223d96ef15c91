use whatlang::{Detector, Lang, Script};

/// Letters below which a text's language is a guess.
const FEWEST_LETTERS: usize = 80;

/// What tells whether texts are in a language.
#[derive(Clone, Debug)]
pub struct Language {
    lang: Lang,
    name: &'static str,
}

impl Language {
    /// The language of a code of ISO 639-1, as recipes name it; none where it is one that cannot be told.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        let code = code.split(['-', '_']).next().unwrap_or(code);
        let three = CODES.iter().find(|(two, _)| *two == code)?.1;
        let lang = Lang::from_code(three)?;
        Some(Self {
            lang,
            name: lang.eng_name(),
        })
    }

    /// What is wrong, where a text is plainly in another language, or holds letters that this one does not have.
    #[must_use]
    pub fn foreign(&self, text: &str) -> Option<String> {
        if let Some(letters) = self.foreign_letters(text) {
            return Some(format!(
                "letters that {} does not have: `{letters}`",
                self.name
            ));
        }
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let found = Detector::new().detect(text)?;
        let other = letters >= FEWEST_LETTERS && found.is_reliable() && found.lang() != self.lang;
        other.then(|| format!("{} instead of {}", found.lang().eng_name(), self.name))
    }

    /// Two letters or more in a row of a script that the language is not written in: models trained on several slip so.
    fn foreign_letters(&self, text: &str) -> Option<String> {
        let mut run = String::new();
        for c in text.chars().chain([' ']) {
            let foreign = script(c).is_some_and(|script| !self.is_written_in(script));
            if foreign {
                run.push(c);
                continue;
            }
            if run.chars().count() >= 2 {
                return Some(run);
            }
            run.clear();
        }
        None
    }

    fn is_written_in(&self, script: Script) -> bool {
        // Kanji are Han; Latin letters stand in names, codes and addresses everywhere.
        script == Script::Latin
            || script.langs().contains(&self.lang)
            || (self.lang == Lang::Jpn
                && [Script::Hiragana, Script::Katakana, Script::Mandarin].contains(&script))
            || (self.lang == Lang::Kor && script == Script::Mandarin)
    }
}

/// The script of a letter, of the common ones.
fn script(c: char) -> Option<Script> {
    Some(match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => Script::Latin,
        '\u{370}'..='\u{3ff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{530}'..='\u{58f}' => Script::Armenian,
        '\u{590}'..='\u{5ff}' => Script::Hebrew,
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => Script::Arabic,
        '\u{900}'..='\u{97f}' => Script::Devanagari,
        '\u{980}'..='\u{9ff}' => Script::Bengali,
        '\u{e00}'..='\u{e7f}' => Script::Thai,
        '\u{10a0}'..='\u{10ff}' => Script::Georgian,
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => Script::Hangul,
        '\u{3041}'..='\u{309f}' => Script::Hiragana,
        '\u{30a1}'..='\u{30fa}' => Script::Katakana,
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => Script::Mandarin,
        _ => return None,
    })
}

/// ISO 639-1 and 639-3.
const CODES: &[(&str, &str)] = &[
    ("ar", "ara"),
    ("bg", "bul"),
    ("bn", "ben"),
    ("ca", "cat"),
    ("cs", "ces"),
    ("da", "dan"),
    ("de", "deu"),
    ("el", "ell"),
    ("en", "eng"),
    ("es", "spa"),
    ("et", "est"),
    ("fi", "fin"),
    ("fr", "fra"),
    ("he", "heb"),
    ("hi", "hin"),
    ("hr", "hrv"),
    ("hu", "hun"),
    ("id", "ind"),
    ("it", "ita"),
    ("ja", "jpn"),
    ("ko", "kor"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("nl", "nld"),
    ("no", "nob"),
    ("nb", "nob"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("sk", "slk"),
    ("sl", "slv"),
    ("sv", "swe"),
    ("th", "tha"),
    ("tr", "tur"),
    ("uk", "ukr"),
    ("vi", "vie"),
    ("zh", "cmn"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "My kettle stopped working after two weeks, and I would like to know whether I can send it back \
                           without the box it came in.";
    const GERMAN: &str = "Mein Wasserkocher ist nach zwei Wochen kaputtgegangen, und ich wüsste gern, ob ich ihn ohne den Karton \
                          zurückschicken kann.";

    #[test]
    fn another_language_is_named() {
        let english = Language::of("en").unwrap();
        assert_eq!(english.foreign(ENGLISH), None);
        assert_eq!(
            english.foreign(GERMAN).as_deref(),
            Some("German instead of English")
        );
        assert!(Language::of("de").unwrap().foreign(GERMAN).is_none());
        assert!(Language::of("de-AT").unwrap().foreign(ENGLISH).is_some());
        // Too short to tell.
        assert_eq!(english.foreign("Wie bitte?"), None);
        let sure = "Das ist natürlich überhaupt nicht möglich gewesen.";
        assert!(Detector::new().detect(sure).unwrap().is_reliable());
        assert_eq!(english.foreign(sure), None);
    }

    #[test]
    fn letters_of_another_script_are_seen_in_one_word() {
        let english = Language::of("en").unwrap();
        let mixed = "Your parcel is on its way 谢谢 and will be there soon.";
        assert!(english.foreign(mixed).unwrap().contains("谢谢"));
        assert_eq!(
            english.foreign("That is 5 µm, naïve, from Łódź, at 20 °C."),
            None
        );
        assert_eq!(
            Language::of("ja")
                .unwrap()
                .foreign("電池を交換してください。"),
            None
        );
        assert!(
            Language::of("ru")
                .unwrap()
                .foreign("Заказ LK-48213 в пути.")
                .is_none()
        );
        assert!(Language::of("xx").is_none());
    }

    #[test]
    fn every_code_is_known() {
        for (two, three) in CODES {
            assert!(Lang::from_code(*three).is_some(), "{two} {three}");
        }
    }
}
